import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { CALLEE_VOICE, CALLER_VOICE, speakTones } from '../../src/client/tones.ts';
import type { CaptureLine, CaptureResult } from '../../src/media/capture.ts';
import { aLine, EngineHarness, START } from './engine-harness.ts';
import { octets, rtp } from './rtp-builder.ts';
import { senderReport } from './rtcp-builder.ts';
import { channelsOf } from './wav-checks.ts';

const SILENCE = 0xd5;
/** So much longer the packets of the callee's side are under way, in ms. */
const LATER = 150;
/** The clock of the client has nothing to do with ours. */
const CLIENT_CLOCK = Date.UTC(2001, 0, 1) - START;

let harness: EngineHarness;
beforeEach(async () => {
  harness = await EngineHarness.create();
});
afterEach(() => harness.dispose());

interface Side {
  readonly line: number;
  /** ms by which its packets come late. */
  readonly delay: number;
  /** When its reports are made, on the clock of the call in ms. */
  readonly reports: readonly number[];
  /** Its first packet was made then. */
  readonly from?: number;
  /** It says nothing from here to there. */
  readonly pause?: readonly [number, number];
  readonly name?: string;
  readonly host?: string;
  /** What its clock is off by beside the other side's. */
  readonly off?: number;
}

interface Datagram {
  readonly at: number;
  readonly port: number;
  readonly bytes: Buffer;
  readonly source: string;
}

const tones = [CALLER_VOICE, CALLEE_VOICE].map((voice) => Buffer.from(speakTones(voice, 1, 'PCMA')));

/** Twelve seconds of a side, a tone in second 5 and another in second 10, with its reports. */
function speak(side: Side): Datagram[] {
  const { line, delay, reports, from = 0, pause = [0, 0], name, host = '192.0.2.1', off = 0 } = side;
  const port = 20_000 + 2 * line;
  const timestampOf = (ms: number): number => 50_000 * (line + 1) + ms * 8;
  const packets = Array.from({ length: 600 + Math.ceil(-from / 20) }, (_none, index) => from + index * 20)
    .filter((made) => made < pause[0] || made >= pause[1])
    .map((made) => {
      const tone = [5000, 10_000].find((start) => made >= start && made < start + 1000);
      const voice = tones[line] ?? Buffer.alloc(0);
      const payload =
        tone === undefined
          ? Buffer.alloc(160, SILENCE)
          : voice.subarray((made - tone) * 8, (made - tone) * 8 + 160);
      const bytes = rtp({
        sequenceNumber: 1000 + made / 20,
        timestamp: timestampOf(made),
        ssrc: 0xabc,
        payload,
      });
      return { at: made + delay, port, bytes, source: `${host}:${4000 + 2 * line}` };
    });
  const reported = reports.map((made) => ({
    at: made + 5,
    port: port + 1,
    bytes: senderReport({
      ssrc: 0xabc,
      wallClock: START + CLIENT_CLOCK + made + off,
      timestamp: timestampOf(made),
      ...(name !== undefined && { name }),
    }),
    source: `${host}:${4001 + 2 * line}`,
  }));
  return [...packets, ...reported];
}

const reporting = (line: CaptureLine): CaptureLine => ({ ...line, rtcp: { mux: false } });

async function record(...sides: readonly Side[]): Promise<CaptureResult> {
  await harness.engine.open(harness.request([reporting(aLine(0, 'caller')), reporting(aLine(1, 'callee'))]));
  const all = sides.flatMap(speak).filter(({ at }) => at >= 0);
  for (const { at, port, bytes, source } of all.toSorted((one, other) => one.at - other.at)) {
    harness.advanceTo(Math.floor(at));
    harness.receiver.deliver(port, START + at, bytes, source);
  }
  return harness.close();
}

/** Where a tone of a side stands, in ms: the first one from a position on. */
function toneOf(result: CaptureResult, line: number, from = 0): number {
  const voice = tones[line] ?? Buffer.alloc(0);
  const heard = (octet: number): boolean => octet !== SILENCE;
  const audio = channelsOf(result.files[0])[line]?.subarray(from * 8) ?? Buffer.alloc(0);
  return from + (audio.findIndex(heard) - voice.findIndex(heard)) / 8;
}

/** Every octet of both tones is there, in order. */
function expectWhole(result: CaptureResult, line: number): void {
  const start = Math.round(toneOf(result, line) * 8);
  const audio = channelsOf(result.files[0])[line];
  expect(audio?.subarray(start, start + 8000).equals(tones[line] ?? Buffer.alloc(0))).toBe(true);
}

describe('legs that come differently fast, by the reports of their sender', () => {
  test('an event at second 5 stands at second 5 in both channels, within 20 ms', async () => {
    const result = await record(
      { line: 0, delay: 0, reports: [500, 5500] },
      { line: 1, delay: LATER, reports: [700, 5700] },
    );
    for (const line of [0, 1]) {
      expect(Math.abs(toneOf(result, line) - 5000)).toBeLessThan(20);
      expect(Math.abs(toneOf(result, line, 7000) - 10_000)).toBeLessThan(20);
      expectWhole(result, line);
    }
    expect(result.legs[0]).not.toHaveProperty('alignment');
    expect(result.legs[1]?.alignment).toEqual({ moved: -LATER, late: 0 });
    expect(result.legs.map(({ lost, rejected, late, gapCount }) => [lost, rejected, late, gapCount])).toEqual(
      [
        [0, 0, 0, 0],
        [0, 0, 0, 0],
      ],
    );
  });

  test('without reports they stand apart as they came', async () => {
    const result = await record({ line: 0, delay: 0, reports: [] }, { line: 1, delay: LATER, reports: [] });
    expect([toneOf(result, 0), toneOf(result, 1)]).toEqual([5000, 5000 + LATER]);
  });

  test('a leg that ran before the call began has no room before it: the other one moves', async () => {
    const result = await record(
      { line: 0, delay: 0, reports: [500] },
      { line: 1, delay: LATER, from: -LATER - 10, reports: [700] },
    );
    expect(Math.abs(toneOf(result, 0) - toneOf(result, 1))).toBeLessThan(20);
    expectWhole(result, 0);
    expectWhole(result, 1);
  });

  test('reports that come when audio is final already are followed in the next pause', async () => {
    const result = await record(
      { line: 0, delay: 0, reports: [6200] },
      { line: 1, delay: LATER, reports: [6400], pause: [8000, 8600] },
    );
    expect([toneOf(result, 0), toneOf(result, 1)]).toEqual([5000, 5000 + LATER]);
    expect(Math.abs(toneOf(result, 1, 7000) - toneOf(result, 0, 7000))).toBeLessThan(20);
    expectWhole(result, 1);
    expect(result.legs[1]?.alignment).toEqual({ moved: -LATER, late: 0 });
  });

  test('where there is no pause it is stated, and no octet is touched', async () => {
    const result = await record(
      { line: 0, delay: 0, reports: [6200] },
      { line: 1, delay: LATER, reports: [6400] },
    );
    expect(toneOf(result, 1, 7000)).toBe(10_000 + LATER);
    expect(result.legs[1]?.alignment).toEqual({ moved: 0, late: LATER });
  });

  test.each([
    ['of two clients, each with a clock of its own', { name: 'other@client', host: '192.0.2.2' }],
    ['that are further apart than any network delays', { off: -60_000 }],
  ])('reports %s are not compared', async (_name, other) => {
    const result = await record(
      { line: 0, delay: 0, reports: [500] },
      { line: 1, delay: LATER, reports: [700], ...other },
    );
    expect([toneOf(result, 0), toneOf(result, 1)]).toEqual([5000, 5000 + LATER]);
    expect(result.legs[1]).not.toHaveProperty('alignment');
  });

  test('legs that come equally fast stay where they are', async () => {
    const result = await record(
      { line: 0, delay: 3, reports: [500, 5500] },
      { line: 1, delay: 9, reports: [700, 5700] },
    );
    expect([toneOf(result, 0), toneOf(result, 1)]).toEqual([5003, 5009]);
    expect(result.legs.some((leg) => 'alignment' in leg)).toBe(false);
  });
});

test('a leg of another codec is moved packet by packet', async () => {
  const g722 = (line: CaptureLine): CaptureLine => ({
    ...reporting(line),
    formats: [{ payloadType: 9, encoding: 'G722', clockRate: 8000 }],
  });
  await harness.engine.open(harness.request([g722(aLine(0, 'caller')), g722(aLine(1, 'callee'))]));
  for (let made = 0; made < 3000; made += 20)
    for (const [line, delay] of [0, LATER].entries()) {
      const payload = octets(made * 8, 160, line);
      const packet = rtp({
        payloadType: 9,
        sequenceNumber: made / 20,
        timestamp: made * 8,
        ssrc: 7,
        payload,
      });
      // The slower leg is delivered as the kernel stamped it.
      harness.advanceTo(made);
      harness.receiver.deliver(20_000 + 2 * line, START + made + delay, packet);
      const report = senderReport({ ssrc: 7, wallClock: START + made, timestamp: made * 8 });
      if (made === 400) harness.receiver.deliver(20_001 + 2 * line, START + made, report);
    }
  harness.advanceTo(3400);
  const result = await harness.close();
  const [caller, callee] = result.files.map(({ path, audioOffset }) =>
    readFileSync(path).subarray(audioOffset),
  );
  expect(caller?.subarray(0, 24_000).equals(octets(0, 24_000, 0))).toBe(true);
  expect(callee?.subarray(0, 24_000).equals(octets(0, 24_000, 1))).toBe(true);
  expect(result.legs[1]?.alignment).toEqual({ moved: -LATER, late: 0 });
});
