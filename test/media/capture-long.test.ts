import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { renameSync } from 'node:fs';
import type { CapturedFile, CaptureLine, LineRole } from '../../src/media/capture.ts';
import { decode, loudness, toneIn } from '../support/ffmpeg.ts';
import { LONG } from '../support/long-run.ts';
import { PAYLOAD, stepHertz, stepPayloads, type SteppedCodec } from '../support/tone-steps.ts';
import { EngineHarness, START } from './engine-harness.ts';
import { rtp } from './rtp-builder.ts';

const RATE = 8000;
/** As many as there are tones for. */
const SECONDS = 60;

let harness: EngineHarness;
beforeEach(async () => {
  harness = await EngineHarness.create();
});
afterEach(() => harness.dispose());

const aLine = (line: number, role: LineRole, active = true): CaptureLine => ({
  line,
  role,
  active,
  formats: [
    { payloadType: 111, encoding: 'OPUS', clockRate: 48_000, channels: 2 },
    { payloadType: 9, encoding: 'G722', clockRate: 8000 },
    { payloadType: 8, encoding: 'PCMA', clockRate: 8000 },
  ],
});

interface Talk {
  readonly codec: SteppedCodec;
  /** Parts per million by which the clock of the sender is slow. */
  readonly ppm?: number;
  /** Milliseconds of its clock in which it sends. */
  readonly speaks?: (at: number) => boolean;
  /** Minutes: the tones repeat. */
  readonly minutes?: number;
}

interface Packet {
  readonly port: number;
  readonly at: number;
  readonly bytes: Buffer;
}

function talk(side: number, { codec, ppm = 0, speaks = () => true, minutes = 1 }: Talk): readonly Packet[] {
  // An encoder has a packet more for what it holds back.
  const payloads = stepPayloads(side, SECONDS, codec).slice(0, SECONDS * 50);
  const { type, clock } = PAYLOAD[codec];
  const port = 20_000 + 2 * side;
  const indices = Array.from({ length: minutes * SECONDS * 50 }, (_none, index) => index);
  return indices
    .filter((index) => speaks(index * 20))
    .map((index, sequence) => ({
      port,
      at: index * 20 * (1 + ppm / 1e6) + ((index * 7) % 11),
      bytes: rtp({
        payloadType: type,
        sequenceNumber: 65_000 + sequence,
        timestamp: 2 ** 32 - 20 * clock + (index * clock) / 50,
        ssrc: 5,
        payload: payloads[index % payloads.length] ?? Buffer.alloc(1),
      }),
    }));
}

/** Delivers packets of several senders in the order of their arrival. */
function deliver(packets: readonly Packet[]): void {
  for (const { port, at, bytes } of packets.toSorted((one, other) => one.at - other.at)) {
    harness.advanceTo(Math.floor(at));
    harness.receiver.deliver(port, START + at, bytes);
  }
}

function heardIn(file: CapturedFile | undefined, channel = 0): Int16Array {
  const path = file?.path ?? '';
  const final = path.replace(/\.part$/, '');
  renameSync(path, final);
  const samples = decode(final, RATE, channel);
  renameSync(final, path);
  return samples;
}

/** Seconds of the call in which something else is heard than what was said then. */
function wrongSeconds(
  samples: Int16Array,
  side: number,
  seconds: readonly number[],
  shift: (second: number) => number = () => 0,
): readonly unknown[] {
  return seconds.flatMap((second) => {
    // The tone lasts for nine tenths; a tenth is left to those who are late.
    const [from, to] = [second + shift(second) + 0.03, second + shift(second) + 0.87];
    const expected = stepHertz(side, second % SECONDS);
    const found = loudness(samples, RATE, from, to) < 150 ? 0 : toneIn(samples, RATE, from, to);
    const pauseAt = second + shift(second) + 0.93;
    const quiet = loudness(samples, RATE, pauseAt, pauseAt + 0.04);
    return Math.abs(found - expected) <= 10 && quiet < 1500 ? [] : [{ second, expected, found, quiet }];
  });
}

const range = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from }, (_none, index) => from + index);

// Each codec in one direction, and in both with SEALTAPE_TEST_LONG.
const SKEWS: readonly [SteppedCodec, number][] = [
  ['opus', 300],
  ['g722', -300],
  ['opus', -300],
  ['g722', 300],
];

test.each(LONG ? SKEWS : SKEWS.slice(0, 2))(
  '%s of a clock that is %d ppm off stands where it was said after five minutes, as pauses take the drift up',
  async (codec, ppm) => {
    await harness.engine.open(harness.request([aLine(0, 'caller'), aLine(1, 'callee')]));
    const minutes = 5;
    // Half a second of silence after every nine and a half.
    const speaks = (at: number): boolean => at % 10_000 < 9500;
    deliver([...talk(0, { codec: 'pcma', minutes }), ...talk(1, { codec, ppm, speaks, minutes })]);
    const result = await harness.close();
    expect(result.legs[1]).toMatchObject({ lost: 0, late: 0, rejected: 0, duplicate: 0 });
    const { takenUp = 0, left = 0 } = result.legs[1]?.clock ?? {};
    // 300 s at 300 ppm are 90 ms.
    expect(Math.abs(takenUp + left - ppm * 0.3)).toBeLessThan(15);
    expect(Math.abs(left)).toBeLessThan(20);
    const samples = heardIn(result.files.find(({ suffix }) => suffix === 'callee'));
    const late = minutes * SECONDS - 30;
    const said = range(late, minutes * SECONDS).filter((second) => second % 10 < 9 && second % 4 === 1);
    expect(wrongSeconds(samples, 1, said, (second) => (second * ppm) / 1e6)).toEqual([]);
  },
  60_000,
);

test.each<SteppedCodec>(['opus', 'g722', 'pcma'])(
  'a leg in %s that begins half a minute late, and holds of a minute each, keep everybody in the place',
  async (codec) => {
    await harness.engine.open(harness.request([aLine(0, 'caller'), aLine(1, 'callee')]));
    const minutes = 5;
    const isHeld = (at: number): boolean => (at >= 60_000 && at < 120_000) || (at >= 180_000 && at < 240_000);
    const packets = [
      ...talk(0, { codec, minutes }),
      ...talk(1, { codec, minutes, speaks: (at) => at >= 30_000 && !isHeld(at) }),
    ].toSorted((one, other) => one.at - other.at);
    let held = false;
    for (const { port, at, bytes } of packets) {
      harness.advanceTo(Math.floor(at));
      if (isHeld(Math.floor(at / 20) * 20) !== held) {
        held = !held;
        const lines = [aLine(0, 'caller', !held), aLine(1, 'callee', !held)];
        await harness.engine.change({ id: 'rec1', lines, at: harness.wall });
      }
      harness.receiver.deliver(port, START + at, bytes);
    }
    const result = await harness.close();
    expect(result.legs.map(({ lost, late, rejected }) => [lost, late, rejected])).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
    for (const side of [0, 1]) {
      const samples =
        codec === 'pcma'
          ? heardIn(result.files[0], side)
          : heardIn(result.files.find(({ suffix }) => suffix === ['caller', 'callee'][side]));
      const said = range(side * 30, 300).filter(
        (second) => second % 6 === 5 && !isHeld(second * 1000) && !isHeld((second - 1) * 1000),
      );
      expect(wrongSeconds(samples, side, said)).toEqual([]);
      for (const [from, to] of [
        [60.5, 119.5],
        [180.5, 239.5],
      ] as const)
        expect(loudness(samples, RATE, from, to)).toBeLessThan(60);
    }
  },
  60_000,
);
