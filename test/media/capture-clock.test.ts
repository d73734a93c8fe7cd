import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { CALLEE_VOICE, CALLER_VOICE, speakTones } from '../../src/client/tones.ts';
import type { CaptureResult } from '../../src/media/capture.ts';
import { readWav } from '../support/wav.ts';
import { aLine, EngineHarness, START } from './engine-harness.ts';
import { octets, rtp } from './rtp-builder.ts';

const SILENCE = 0xd5;

let harness: EngineHarness;
beforeEach(async () => {
  harness = await EngineHarness.create();
});
afterEach(() => harness.dispose());

interface Packet {
  readonly port: number;
  readonly at: number;
  readonly sequence: number;
  readonly clock: number;
  readonly payload: Uint8Array;
}

/** Delivers packets of several senders in the order of their arrival. */
function deliver(packets: readonly Packet[]): void {
  for (const { port, at, sequence, clock, payload } of packets.toSorted((a, b) => a.at - b.at)) {
    harness.advanceTo(Math.floor(at));
    const packet = rtp({ sequenceNumber: sequence, timestamp: clock, ssrc: port, payload });
    harness.receiver.deliver(port, START + at, packet);
  }
}

/** `seconds` of talk with pauses of a second after every nine, by a clock that is `ppm` slow. */
function talk(port: number, seconds: number, ppm: number): Packet[] {
  return Array.from({ length: seconds * 50 }, (_none, index) => index)
    .filter((index) => index % 500 < 450)
    .map((index, sequence) => ({
      port,
      at: index * 20 * (1 + ppm / 1e6) + (index % 7),
      sequence,
      clock: index * 160,
      payload: octets(index * 160, 160),
    }));
}

const channel = (result: CaptureResult, index: number): Buffer =>
  readWav(result.files[0]?.path ?? '').audio[index] ?? Buffer.alloc(0);

test.each([300, -300])(
  'a clock that is %d ppm off is corrected in the pauses of the sender, no octet lost',
  async (ppm) => {
    await harness.engine.open(harness.request([aLine(0, 'caller'), aLine(1, 'callee')]));
    const seconds = 180;
    deliver([...talk(20_000, seconds, 0), ...talk(20_002, seconds, ppm)]);
    const result = await harness.close();
    const [straight, skewed] = [channel(result, 0), channel(result, 1)];
    // Every octet is there, in order.
    const spoken = (audio: Buffer): Buffer => audio.filter((octet) => octet !== SILENCE) as Buffer;
    expect(spoken(skewed).equals(spoken(straight))).toBe(true);
    // The last talk began at second 170 on the clock of everybody: within 20 ms on both channels.
    const last = octets(170 * 8000, 160);
    const expected = 170 * 8000 * (1 + ppm / 1e6);
    expect(Math.abs(straight.indexOf(last, 1_350_000) - 170 * 8000)).toBeLessThan(160);
    expect(Math.abs(skewed.indexOf(last, 1_350_000) - expected)).toBeLessThan(160);
    expect(result.legs[0]).not.toHaveProperty('clock');
    const takenUp = result.legs[1]?.clock?.takenUp ?? 0;
    expect(Math.sign(takenUp)).toBe(Math.sign(ppm));
    expect(Math.abs(takenUp)).toBeGreaterThan(30);
    expect(result.legs[1]).toMatchObject({ lost: 0, rejected: 0 });
  },
);

test('without a pause nothing is corrected, and the drift is stated', async () => {
  await harness.engine.open(harness.request([aLine(0, 'mixed')]));
  const packets = Array.from({ length: 9000 }, (_none, index) => ({
    port: 20_000,
    at: index * 20 * 1.0003,
    sequence: index,
    clock: index * 160,
    payload: octets(index * 160, 160),
  }));
  deliver(packets);
  const result = await harness.close();
  expect(
    channel(result, 0)
      .subarray(0, 9000 * 160)
      .equals(octets(0, 9000 * 160)),
  ).toBe(true);
  expect(result.legs[0]?.clock?.takenUp).toBe(0);
  // 180 s at 300 ppm are 54 ms, seen by the packets of the last five seconds.
  expect(result.legs[0]?.clock?.left).toBeGreaterThan(48);
  expect(result.legs[0]?.clock?.left).toBeLessThan(56);
});

test('an event heard at second 5 stands at second 5 in both channels, whatever the network does', async () => {
  await harness.engine.open(harness.request([aLine(0, 'caller'), aLine(1, 'callee')]));
  const tone = [CALLER_VOICE, CALLEE_VOICE].map((voice) => Buffer.from(speakTones(voice, 1, 'PCMA')));
  const leg = (line: number, from: number): Packet[] =>
    Array.from({ length: 8 * 50 }, (_none, index) => index)
      .filter((index) => index * 20 >= from)
      // Of the second leg every 11th packet is lost, every 5th overtaken, every 7th comes twice.
      .filter((index) => line === 0 || index % 11 !== 3 || index * 20 === 5000)
      .flatMap((index) => {
        const heard = index >= 250 && index < 300;
        const payload = heard
          ? (tone[line] ?? Buffer.alloc(0)).subarray((index - 250) * 160, (index - 249) * 160)
          : Buffer.alloc(160, SILENCE);
        const late = line === 1 && index % 5 === 1 ? 45 : 0;
        const packet = {
          port: 20_000 + 2 * line,
          at: index * 20 + late + ((index * 13) % 9),
          sequence: index,
          clock: index * 160,
          payload,
        };
        return line === 1 && index % 7 === 2 ? [packet, { ...packet, at: packet.at + 30 }] : [packet];
      });
  // The callee's side begins 2.4 s after the caller's.
  deliver([...leg(0, 0), ...leg(1, 2400)]);
  const result = await harness.close();
  for (const [line, voice] of tone.entries()) {
    const audio = channel(result, line);
    const heard = (octet: number): boolean => octet !== SILENCE;
    const first = audio.findIndex(heard) - voice.findIndex(heard);
    expect(Math.abs(first - 5 * 8000)).toBeLessThan(160);
    // What arrived of the tone is there to the octet, each packet in its place.
    const wrong = Array.from({ length: 50 }, (_none, index) => index).filter((index) => {
      const there = audio.subarray(first + index * 160, first + (index + 1) * 160);
      const lost = line === 1 && (index + 250) % 11 === 3 && index !== 0;
      const expected = lost ? Buffer.alloc(160, SILENCE) : voice.subarray(index * 160, (index + 1) * 160);
      return !there.equals(expected);
    });
    expect(wrong).toEqual([]);
  }
  expect(result.legs[1]?.duplicate).toBeGreaterThan(20);
  expect(result.legs[1]?.reordered).toBeGreaterThan(20);
});
