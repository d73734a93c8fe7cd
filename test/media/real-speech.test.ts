import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CapturedFile, CaptureLine, CaptureResult, LineRole } from '../../src/media/capture.ts';
import { planRender } from '../../src/media/render-plan.ts';
import { Ffmpeg } from '../../src/store/ffmpeg.ts';
import { decode, ffmpeg, loudness } from '../support/ffmpeg.ts';
import { readOgg } from '../support/ogg.ts';
import { COMPARED_RATE, findSpeech, speakText, type Utterance } from '../support/utterance.ts';
import { EngineHarness } from './engine-harness.ts';

/** What the sound may be away from where it was heard: the delay of encoder and decoder, and the rounding of frames. In seconds. */
const EXACT = 0.02;

let folder = '';
/** Of both sides. */
let said: readonly [Utterance, Utterance];
let harness: EngineHarness;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'speech-'));
  said = await Promise.all([
    speakText(folder, 'en+m3', 'Buy five hundred at the market, please.'),
    speakText(folder, 'en+f2', 'Five hundred at the market. Done.'),
  ]);
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});
beforeEach(async () => {
  harness = await EngineHarness.create();
});
afterEach(() => harness.dispose());

/** How a codec travels: encoded by ffmpeg, in packets of 20 ms. */
interface Way {
  readonly payloadType: number;
  readonly encoding: string;
  readonly clockRate: number;
  readonly channels: number;
  /** What is left of the wave at least; another text comes to 0.3 at most. */
  readonly likeness: number;
  encode(utterance: Utterance): readonly Buffer[];
}

const WAYS: Readonly<Record<string, Way>> = {
  Opus: {
    payloadType: 111,
    encoding: 'OPUS',
    clockRate: 48_000,
    channels: 2,
    likeness: 0.8,
    encode: ({ path }) => {
      const ogg = `${path}.ogg`;
      const options = ['-b:a', '32k', '-application', 'voip', '-frame_duration', '20'];
      ffmpeg(['-i', path, '-ac', '1', '-ar', '48000', '-c:a', 'libopus', ...options, '-f', 'ogg', ogg]);
      return readOgg(ogg).packets;
    },
  },
  'G.722': {
    payloadType: 9,
    encoding: 'G722',
    clockRate: 8000,
    channels: 1,
    likeness: 0.98,
    encode: ({ path }) => {
      const raw = `${path}.g722`;
      ffmpeg(['-i', path, '-ac', '1', '-ar', '16000', '-c:a', 'g722', '-f', 'g722', raw]);
      const octets = readFileSync(raw);
      return Array.from({ length: Math.floor(octets.length / 160) }, (_none, at) =>
        octets.subarray(at * 160, (at + 1) * 160),
      );
    },
  },
};

const lineOf = (way: Way, line: number, role: LineRole): CaptureLine => ({
  line,
  role,
  active: true,
  formats: [
    {
      payloadType: way.payloadType,
      encoding: way.encoding,
      clockRate: way.clockRate,
      channels: way.channels,
    },
  ],
});

const OTHER_TEXT = 0.3;

interface Turn {
  readonly port: number;
  /** Milliseconds from the start of the recording. */
  readonly from: number;
  readonly packets: readonly Buffer[];
}

/** Sends what the sides say in real time; packets that `swaps` names are overtaken by the next. */
function speak(way: Way, turns: readonly Turn[], swaps: (index: number) => boolean = () => false): void {
  const due = turns.flatMap(({ port, from, packets }) =>
    packets.map((payload, index) => ({
      port,
      payload,
      index,
      at: from + index * 20 + (swaps(index) ? 25 : 0),
    })),
  );
  for (const { port, payload, index, at } of due.sort((one, other) => one.at - other.at))
    harness.send(port, at, {
      payloadType: way.payloadType,
      sequenceNumber: index + 65_500,
      timestamp: (index * way.clockRate) / 50,
      ssrc: port,
      payload,
    });
}

function finished({ path }: CapturedFile): string {
  const final = path.replace(/\.part$/, '');
  renameSync(path, final);
  return final;
}

/** The playable copy, made as the job makes it. */
async function playable(result: CaptureResult): Promise<string> {
  const plan = planRender(result, 48_000);
  if (plan === undefined) throw new Error('nothing can be decoded');
  const to = join(harness.folder, 'playable.wav.part');
  const renderer = new Ffmpeg({ program: 'ffmpeg', timeoutSeconds: 60, memoryMegabytes: 1024 });
  await renderer.render(plan, to, new AbortController().signal);
  return to;
}

function expectSpeech(
  heard: Int16Array,
  utterance: Utterance,
  { from, likeness }: { readonly from: number; readonly likeness: number },
): void {
  const found = findSpeech(heard, utterance);
  expect(found.likeness).toBeGreaterThan(likeness);
  expect(Math.abs(found.at - from)).toBeLessThanOrEqual(EXACT);
}

describe.each(Object.entries(WAYS))('speech in %s', (_name, way) => {
  test('is the same speech again in the originals and in the playable copy, each side where it was heard', async () => {
    await harness.engine.open(harness.request([lineOf(way, 0, 'caller'), lineOf(way, 1, 'callee')]));
    const [caller, callee] = said.map((utterance) => way.encode(utterance)) as [
      readonly Buffer[],
      readonly Buffer[],
    ];
    // Every tenth packet is overtaken by the next.
    const swaps = (index: number): boolean => index % 10 === 5;
    speak(
      way,
      [
        { port: 20_000, from: 1000, packets: caller },
        { port: 20_002, from: 4200, packets: callee },
      ],
      swaps,
    );
    const result = await harness.close();
    expect(result.legs.map(({ lost, rejected, late }) => [lost, rejected, late])).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
    const copy = await playable(result);
    const heard = result.files.map((file) => decode(finished(file), COMPARED_RATE));
    const channels = [0, 1].map((channel) => decode(copy, COMPARED_RATE, channel));
    for (const [side, utterance] of said.entries()) {
      const from = [1, 4.2][side] ?? NaN;
      for (const samples of [heard[side], channels[side]]) {
        if (samples === undefined) throw new Error('a side has no file');
        expectSpeech(samples, utterance, { from, likeness: way.likeness });
        expect(findSpeech(samples, said[1 - side] ?? utterance).likeness).toBeLessThan(OTHER_TEXT);
        expect(loudness(samples, COMPARED_RATE, 0, from - 0.05)).toBeLessThan(60);
      }
    }
  });
});
