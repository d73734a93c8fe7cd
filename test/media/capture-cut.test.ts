import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { AudioDisk } from '../../src/media/audio-disk.ts';
import { nodeDisk } from '../../src/media/audio-disk.ts';
import type { CaptureLine, CaptureResult } from '../../src/media/capture.ts';
import type { PressedKey } from '../../src/media/capture.ts';
import { WriteBehind } from '../../src/media/write-behind.ts';
import { aLine, EngineHarness, START } from './engine-harness.ts';
import { octets } from './rtp-builder.ts';
import { channelsOf, expectSameAudio } from './wav-checks.ts';

const CALLER = 20_000;
const CALLEE = 20_002;
const sides = [aLine(0, 'caller'), aLine(1, 'callee')];

let harness: EngineHarness;
/** Everything a file was ever cut down from: what lay behind its end the moment before. */
let cutOff: Buffer[];

/** A disk on which one can see what a truncation leaves in blocks that nobody owns. */
const watching: AudioDisk = {
  ...nodeDisk,
  truncate: (fd, length) => {
    const behind = Buffer.alloc(1_000_000);
    cutOff.push(behind.subarray(0, nodeDisk.read(fd, behind, behind.length, length)));
    nodeDisk.truncate(fd, length);
  },
};

beforeEach(async () => {
  cutOff = [];
  harness = await EngineHarness.create(watching);
});

afterEach(async () => {
  await harness.dispose();
});

const cutAt = (ms: number): Promise<CaptureResult> => harness.engine.close('rec1', START + ms, true);

test.each([
  ['in memory still', 4000, 3900],
  ['written already', 6000, 4900],
  ['final and hashed already', 9000, 4020],
])('a cut leaves nothing of what came after it, where that is %s', async (_where, end, at) => {
  await harness.engine.open({ ...harness.request(sides), mayBeCut: true });
  for (let from = 0; from < end; from += 20) {
    harness.stream(CALLER, from, 1, { sequence: from / 20, clock: from * 8 });
    harness.stream(CALLEE, from, 1, { sequence: from / 20, clock: from * 8, salt: 3, ssrc: 2 });
  }
  const result = await cutAt(at);
  expect(result.endedAt).toBe(START + at);
  expect(result.files).toHaveLength(1);
  expect(result.files[0]?.samples).toBe(at * 8);
  const [caller, callee] = channelsOf(result.files[0]);
  expectSameAudio(caller, octets(0, at * 8));
  expectSameAudio(callee, octets(0, at * 8, 3));
  // Silence of A-law and nothing else is what the disk forgets.
  for (const behind of cutOff) expect(behind.every((octet) => octet === 0xd5)).toBe(true);
  expect(result.legs[0]?.levels).toBeDefined();
});

test('a cut goes through a disk that writes behind the back of the receiver', async () => {
  const slow = await EngineHarness.create(new WriteBehind());
  try {
    await slow.engine.open(slow.request(sides));
    for (let from = 0; from < 6000; from += 200) {
      slow.stream(CALLER, from, 10, { sequence: from / 20, clock: from * 8 });
      await new Promise(setImmediate);
    }
    const result = await slow.engine.close('rec1', START + 3000, true);
    expectSameAudio(channelsOf(result.files[0])[0], octets(0, 24_000));
  } finally {
    await slow.dispose();
  }
});

test('an ordinary end keeps what came after its moment', async () => {
  await harness.engine.open(harness.request(sides));
  harness.stream(CALLER, 0, 100);
  const result = await harness.engine.close('rec1', START + 1000);
  expect(result.files[0]?.samples).toBe(16_000);
});

test('a cut of a codec that is kept packet by packet goes back behind what is final', async () => {
  const line: CaptureLine = {
    line: 0,
    role: 'mixed',
    active: true,
    formats: [{ payloadType: 9, encoding: 'G722', clockRate: 8000 }],
  };
  await harness.engine.open({ ...harness.request([line]), mayBeCut: true });
  for (let from = 0; from < 9000; from += 20)
    harness.stream(CALLER, from, 1, { type: 9, sequence: from / 20, clock: from * 8 });
  const result = await cutAt(4100);
  const [file] = result.files;
  const audio = readFileSync(file?.path ?? '').subarray(file?.audioOffset);
  expect(audio.subarray(0, 32_800).equals(octets(0, 32_800))).toBe(true);
  expect(audio.subarray(32_800).every((octet) => !octets(32_800, 8000).subarray(0, 40).includes(octet))).toBe(
    true,
  );
  expect(audio.length).toBe(32_800);
  for (const behind of cutOff) expect(behind.every((octet) => octet === 0)).toBe(true);
});

describe('while keys are pressed that may stop the recording', () => {
  const G722: CaptureLine = {
    line: 0,
    role: 'mixed',
    active: true,
    formats: [
      { payloadType: 9, encoding: 'G722', clockRate: 8000 },
      { payloadType: 101, encoding: 'TELEPHONE-EVENT', clockRate: 8000 },
    ],
  };
  const PRESSED = 3010;
  /** Octets of audio on the disk, by which position they go to: two lines in one file, or one. */
  const onDisk = (): number => {
    const name = readdirSync(harness.folder, { recursive: true, encoding: 'utf8' }).find((each) =>
      each.endsWith('.part'),
    );
    return name === undefined ? 0 : statSync(join(harness.folder, name)).size;
  };
  const pressStar = (): void => {
    const star = { payloadType: 101, sequenceNumber: 150, timestamp: 24_000, ssrc: 1 };
    harness.send(CALLER, PRESSED, { ...star, payload: Buffer.from([10, 10, 0, 0]) });
  };
  /** From one moment to another, in both codecs. */
  const talk = (from: number, to: number, type: number): void => {
    for (let at = from; at < to; at += 20) {
      harness.stream(CALLER, at, 1, { type, sequence: at / 20, clock: at * 8 });
      if (type === 8) harness.stream(CALLEE, at, 1, { sequence: at / 20, clock: at * 8, salt: 3, ssrc: 2 });
    }
  };

  test.each([
    ['G.711', sides, 8, 2],
    ['G.722', [G722], 9, 1],
  ])(
    'nothing said after the first one gets to the disk, and all of it when no other follows: %s',
    async (_codec, lines, type, width) => {
      await harness.engine.open({ ...harness.request(lines), mayBeCut: true, stopKeys: '*1' });
      const most = PRESSED * 8 * width + 200;
      talk(0, 3000, type);
      pressStar();
      talk(3020, 6400, type);
      expect(onDisk()).toBeLessThanOrEqual(most);
      expect(onDisk()).toBeGreaterThan(2000 * 8 * width);
      talk(6400, 9000, type);
      expect(onDisk()).toBeGreaterThan(7400 * 8 * width);
      const { files, legs } = await harness.close();
      expect(legs.map(({ unwritten = 0, late }) => unwritten + late)).toEqual(lines.map(() => 0));
      expect(files[0]?.samples).toBeGreaterThanOrEqual(8980 * 8);
    },
  );

  test.each([
    ['told by the audio', pressStar],
    [
      'told by signalling',
      () => {
        harness.advanceTo(PRESSED);
        void harness.engine.change({ id: 'rec1', lines: [], at: START + PRESSED, key: '*' });
      },
    ],
  ])('a stop finds nothing on the disk to be overwritten: %s', async (_how, press) => {
    await harness.engine.open({ ...harness.request(sides), mayBeCut: true, stopKeys: '*1' });
    talk(0, 3000, 8);
    press();
    talk(3020, 5800, 8);
    const result = await cutAt(PRESSED);
    expect(result.files[0]?.samples).toBe(PRESSED * 8);
    expect(Buffer.concat(cutOff)).toHaveLength(0);
  });

  test('other keys hold nothing back, nor do any where no stop is allowed', async () => {
    await harness.engine.open({ ...harness.request(sides), mayBeCut: true, stopKeys: '#1' });
    talk(0, 3000, 8);
    pressStar();
    talk(3020, 6000, 8);
    expect(onDisk()).toBeGreaterThan(4400 * 16);
  });

  test('where memory is small, no more is held back than there is room for, and nothing is lost', async () => {
    await harness.dispose();
    harness = await EngineHarness.create(watching, { flushSeconds: 5, syncSeconds: 10, bufferSeconds: 5 });
    await harness.engine.open({ ...harness.request(sides), mayBeCut: true, stopKeys: '*1' });
    talk(0, 3000, 8);
    pressStar();
    talk(3020, 16_000, 8);
    const { legs } = await harness.close();
    expect(legs.map(({ unwritten = 0 }) => unwritten)).toEqual([0, 0]);
  });
});

test('RFC 4733: each key is told once, with the moment it was pressed, however its packets come', async () => {
  const keys: PressedKey[] = [];
  harness.engine.onKey((_id, key) => void keys.push(key));
  await harness.engine.open(harness.request(sides));
  const event = (
    elapsed: number,
    sequenceNumber: number,
    timestamp: number,
    payload: readonly number[],
  ): void => {
    harness.send(CALLEE, elapsed, {
      payloadType: 101,
      sequenceNumber,
      timestamp,
      ssrc: 7,
      payload: Buffer.from(payload),
    });
  };
  // The first packet of the star is lost; the end comes three times.
  event(1040, 3, 8000, [10, 10, 0x01, 0x40]);
  for (const again of [0, 1, 2]) event(1060 + again, 4 + again, 8000, [10, 0x8a, 0x01, 0xe0]);
  event(1500, 7, 12_000, [1, 10, 0, 0xa0]);
  event(1520, 8, 12_000, [1, 0x8a]);
  // A second press of the same key, and one that no telephone has.
  event(1700, 9, 13_600, [1, 10, 0, 0]);
  event(1800, 10, 14_400, [16, 10, 0, 0]);
  expect(keys).toEqual([
    { key: '*', at: START + 1000, line: 1 },
    { key: '1', at: START + 1480, line: 1 },
    { key: '1', at: START + 1700, line: 1 },
  ]);
  const { legs } = await harness.close();
  expect(legs[1]?.telephoneEvents).toBe(8);
});
