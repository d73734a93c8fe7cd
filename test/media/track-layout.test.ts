import { readdir } from 'node:fs/promises';
import { basename } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { CaptureResult } from '../../src/media/capture.ts';
import { aLine, EngineHarness, START } from './engine-harness.ts';
import { octets } from './rtp-builder.ts';
import { channelsOf, expectSameAudio, silenceWith } from './wav-checks.ts';

const CALLER = 20_000;
const CALLEE = 20_002;
const A = 0xd5;
const U = 0xff;
const sides = [aLine(0, 'caller'), aLine(1, 'callee')];

let harness: EngineHarness;

beforeEach(async () => {
  harness = await EngineHarness.create();
});

afterEach(async () => {
  await harness.dispose();
});

const names = (result: CaptureResult): string[] => result.files.map((file) => basename(file.path));

describe('two laws', () => {
  test.each([
    ['at once', 0],
    ['after the file has been begun', 8000],
  ])('on the two legs give a mono file each, %s', async (_when, later) => {
    await harness.engine.open(harness.request(sides));
    harness.stream(CALLER, 0, 1 + later / 20);
    harness.stream(CALLEE, later, 50, { type: 0, salt: 1 });
    const result = await harness.close();
    expect(names(result)).toEqual(['caller.wav.part', 'callee.wav.part']);
    expect(result.files).toMatchObject([
      { suffix: 'caller', codec: 'PCMA', channelLines: [0] },
      { suffix: 'callee', codec: 'PCMU', channelLines: [1] },
    ]);
    const total = later * 8 + 8000;
    expectSameAudio(channelsOf(result.files[0])[0], silenceWith(total, A, [[0, octets(0, 160 + later * 8)]]));
    expectSameAudio(channelsOf(result.files[1])[0], silenceWith(total, U, [[later * 8, octets(0, 8000, 1)]]));
    expect((await readdir(harness.folder)).sort()).toEqual(['callee.wav.part', 'caller.wav.part']);
  });

  test('of one leg in turn give an additional file, and changing back returns to the first (SDP-16)', async () => {
    await harness.engine.open(harness.request(sides));
    harness.stream(CALLEE, 0, 1, { salt: 3 });
    harness.stream(CALLER, 20, 199, { clock: 160 });
    harness.stream(CALLER, 4000, 100, { sequence: 200, clock: 32_000, type: 0 });
    harness.stream(CALLER, 6000, 100, { sequence: 300, clock: 48_000 });
    const result = await harness.close();
    expect(names(result)).toEqual(['audio.wav.part', 'caller-pcmu.wav.part']);
    expectSameAudio(
      channelsOf(result.files[0])[0],
      silenceWith(64_000, A, [
        [160, octets(160, 31_840)],
        [48_000, octets(48_000, 16_000)],
      ]),
    );
    expectSameAudio(
      channelsOf(result.files[1])[0],
      silenceWith(64_000, U, [[32_000, octets(32_000, 16_000)]]),
    );
    expect(result.legs[0]).toMatchObject({ codecs: ['PCMA', 'PCMU'], gapCount: 0 });
  });
});

test('every line that is no side has a file of its own', async () => {
  const { lines } = await harness.engine.open(harness.request([aLine(0, 'mixed'), aLine(2, 'extra')]));
  const more = await harness.engine.change({ id: 'rec1', lines: [aLine(3, 'extra')], at: START });
  expect(more.lines).toEqual([...lines, { line: 3, port: 20_004 }]);
  for (const port of [20_000, 20_002, 20_004]) harness.stream(port, harness.elapsed + 20, 5);
  const result = await harness.close();
  expect(result.files.map((file) => [file.suffix, file.channelLines, file.channelRoles])).toEqual([
    ['', [0], ['mixed']],
    ['line2', [2], ['extra']],
    ['line3', [3], ['extra']],
  ]);
});
