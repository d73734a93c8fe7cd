import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { nodeDisk } from '../../src/media/audio-disk.ts';
import { CUT_REACH, type CaptureLine, type CaptureResult, type Segment } from '../../src/media/capture.ts';
import { recoverFile } from '../../src/media/recover-file.ts';
import { aLine, EngineHarness, START } from './engine-harness.ts';
import { channelsOf } from './wav-checks.ts';

const CALLER = 20_000;
const CALLEE = 20_002;
const SECONDS = 10;
const sides = [aLine(0, 'caller'), aLine(1, 'callee')];
const wideband: CaptureLine = {
  ...{ line: 0, role: 'mixed', active: true },
  formats: [{ payloadType: 9, encoding: 'G722', clockRate: 8000 }],
};

let harness: EngineHarness;
let told: Segment[];

beforeEach(async () => {
  harness = await EngineHarness.create(nodeDisk, {
    flushSeconds: 1,
    syncSeconds: 10,
    segmentSeconds: SECONDS,
  });
  told = [];
  harness.engine.onSegment((_id, segment) => void told.push(segment));
});

afterEach(async () => {
  await harness.dispose();
});

const speak = (port: number, from: number, to: number, type = 8): void => {
  for (let at = from; at < to; at += 20)
    harness.stream(port, at, 1, { type, sequence: at / 20, clock: at * 8, salt: port, ssrc: port });
};

/** A segment is told when the disk has said that it has it. */
async function segments(count: number): Promise<readonly Segment[]> {
  for (let tries = 0; told.length < count && tries < 1500; tries += 1) await delay(20);
  return told;
}

const hashOf = (octets: Uint8Array): string => createHash('sha256').update(octets).digest('hex');

/** Every segment must be what the finished file begins with. */
function expectTrue(result: CaptureResult): void {
  for (const { file, bytes, sha256 } of told) {
    const found = result.files.find(
      ({ suffix, extension = 'wav' }) => `${suffix === '' ? '' : `_${suffix}`}.${extension}` === file,
    );
    const audio = readFileSync(found?.path ?? '').subarray(found?.audioOffset);
    expect(audio.length).toBeGreaterThan(bytes);
    expect([file, bytes, hashOf(audio.subarray(0, bytes))]).toEqual([file, bytes, sha256]);
  }
}

test.each([
  ['G.711 of two sides', sides, 8, 16_000],
  ['G.722', [wideband], 9, 8000],
])(
  'a running call of %s is told of piece by piece, and its files begin so',
  async (_what, lines, type, rate) => {
    await harness.engine.open(harness.request(lines));
    speak(CALLER, 0, 31_000, type);
    expect(await segments(1)).toHaveLength(1);
    speak(CALLER, 31_000, 41_000, type);
    expect(await segments(2)).toMatchObject([
      { file: '.wav', n: 1 },
      { file: '.wav', n: 2 },
    ]);
    const [first, second] = told.map(({ bytes }) => bytes / rate);
    expect(first).toBeGreaterThan(SECONDS - 4);
    expect(first).toBeLessThanOrEqual(SECONDS + 1);
    expect(second).toBeGreaterThan(2 * SECONDS - 4);
    expectTrue(await harness.close());
  },
);

test('what a crash leaves begins as it was told', async () => {
  await harness.engine.open(harness.request(sides));
  speak(CALLER, 0, 31_000);
  const [segment] = await segments(1);
  const left = await recoverFile(`${harness.folder}/audio.wav.part`);
  const audio = readFileSync(left.path).subarray(left.audioOffset);
  expect(hashOf(audio.subarray(0, segment?.bytes))).toBe(segment?.sha256);
  await harness.close().catch(() => undefined);
});

test('nothing is told that a stop may still cut off', async () => {
  await harness.engine.open({ ...harness.request(sides), mayBeCut: true });
  speak(CALLER, 0, 31_000);
  await segments(1);
  expect(told[0]?.bytes).toBeLessThanOrEqual((31_000 - CUT_REACH) * 16);
  // As far back as a cut can lie.
  const result = await harness.engine.close('rec1', START + 31_000 - CUT_REACH, true);
  expectTrue(result);
  expect(told).toHaveLength(1);
});

test('a file that was told of keeps its name when the other side speaks another law', async () => {
  await harness.engine.open(harness.request(sides));
  speak(CALLER, 0, 31_000);
  await segments(1);
  speak(CALLEE, 31_000, 33_000, 0);
  const result = await harness.close();
  expect(result.files.map(({ suffix, codec }) => [suffix, codec])).toEqual([
    ['', 'PCMA'],
    ['callee', 'PCMU'],
  ]);
  expectTrue(result);
  const [caller, silent] = channelsOf(result.files[0]);
  expect(caller?.length).toBe(silent?.length);
  expect(silent?.every((octet) => octet === 0xd5)).toBe(true);
});

test('a short call is not told of', async () => {
  await harness.engine.open(harness.request(sides));
  speak(CALLER, 0, 9000);
  await harness.close();
  expect(told).toEqual([]);
});
