import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { CapturedFile, CaptureResult } from '../../src/media/capture.ts';
import { aLine, EngineHarness, START } from './engine-harness.ts';
import { octets } from './rtp-builder.ts';

let harness: EngineHarness;

beforeEach(async () => {
  harness = await EngineHarness.create();
});

afterEach(async () => {
  await harness.dispose();
});

const sides = [aLine(0, 'caller'), aLine(1, 'callee')];

/** Reads the file back and checks what holds for every finished file. */
async function audioOf(file: CapturedFile): Promise<Buffer> {
  const bytes = await readFile(file.path);
  expect(bytes.length).toBe(file.bytes);
  const audio = bytes.subarray(file.audioOffset, file.audioOffset + file.samples * file.channelLines.length);
  expect(bytes.readUInt32LE(4)).toBe(bytes.length - 8);
  expect(bytes.readUInt32LE(46)).toBe(file.samples);
  expect(bytes.readUInt32LE(54)).toBe(audio.length);
  expect(createHash('sha256').update(audio).digest('hex')).toBe(file.audioSha256);
  return audio;
}

const channel = (audio: Buffer, of: number, index: number): Buffer =>
  Buffer.from(audio.filter((_, at) => at % of === index));

/** The channel as it should be: silence with pieces in it. */
function expected(samples: number, silence: number, pieces: readonly (readonly [number, Buffer])[]): Buffer {
  const audio = Buffer.alloc(samples, silence);
  for (const [position, piece] of pieces) piece.copy(audio, position);
  return audio;
}

const names = (result: CaptureResult): string[] => result.files.map((file) => basename(file.path));

/** `count` packets of 20 ms from time `from`; the audio is `octets` of the sender's own clock. */
function stream(
  port: number,
  from: number,
  count: number,
  options: { type?: number; sequence?: number; clock?: number; ssrc?: number; salt?: number } = {},
): void {
  const { type = 8, sequence = 1, clock = 0, ssrc = 1, salt = 0 } = options;
  for (let index = 0; index < count; index++)
    harness.send(port, from + index * 20, {
      payloadType: type,
      sequenceNumber: sequence + index,
      timestamp: clock + index * 160,
      ssrc,
      payload: octets(clock + index * 160, 160, salt),
    });
}

describe('a call of two legs', () => {
  test('becomes one stereo file, each octet where it was sent on one wall clock', async () => {
    const { lines, startedAt } = await harness.engine.open(harness.request(sides));
    expect(startedAt).toBe(START);
    expect(lines).toEqual([
      { line: 0, port: 20_000 },
      { line: 1, port: 20_002 },
    ]);
    for (let index = 0; index < 300; index++) {
      harness.send(20_000, 40 + index * 20, {
        sequenceNumber: index,
        timestamp: 5000 + index * 160,
        ssrc: 1,
        payload: octets(index * 160, 160),
      });
      if (index >= 50)
        harness.send(20_002, 45 + index * 20, {
          sequenceNumber: 7 + index,
          timestamp: index * 160,
          ssrc: 1,
          payload: octets(index * 160, 160, 1),
        });
    }
    harness.advanceTo(6100);
    const result = await harness.engine.close('rec1', harness.wall);

    expect(names(result)).toEqual(['audio.wav.part']);
    const [file] = result.files;
    expect(file).toMatchObject({
      suffix: '',
      codec: 'PCMA',
      channelLines: [0, 1],
      channelRoles: ['caller', 'callee'],
      samples: 48_800,
    });
    const audio = await audioOf(file as CapturedFile);
    expect(channel(audio, 2, 0)).toEqual(expected(48_800, 0xd5, [[320, octets(0, 48_000)]]));
    expect(channel(audio, 2, 1)).toEqual(expected(48_800, 0xd5, [[8360, octets(8000, 40_000, 1)]]));
    expect(result).toMatchObject({ startedAt: START, endedAt: START + 6100 });
    expect(result.legs[0]).toMatchObject({
      codecs: ['PCMA'],
      ssrcs: ['00000001'],
      sources: ['192.0.2.1:4000'],
      firstSample: 320,
      expected: 300,
      received: 300,
      lost: 0,
      duplicate: 0,
      octets: 48_000,
      gaps: [],
      gapCount: 0,
    });
    expect(harness.givenBack).toEqual([20_000, 20_002]);
    expect(await readdir(harness.folder)).toEqual(['audio.wav.part']);
  });

  test('without any audio leaves no file', async () => {
    await harness.engine.open(harness.request(sides));
    harness.advanceTo(3000);
    const result = await harness.engine.close('rec1', harness.wall);
    expect(result.files).toEqual([]);
    expect(await readdir(harness.folder)).toEqual([]);
  });

  test('in which one leg never sends keeps a silent channel for it', async () => {
    await harness.engine.open(harness.request(sides));
    stream(20_002, 0, 50);
    const result = await harness.engine.close('rec1', harness.wall + 20);
    const audio = await audioOf(result.files[0] as CapturedFile);
    expect(channel(audio, 2, 0)).toEqual(Buffer.alloc(8000, 0xd5));
    expect(channel(audio, 2, 1)).toEqual(octets(0, 8000));
  });
});
