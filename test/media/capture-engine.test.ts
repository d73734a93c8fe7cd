import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { nodeDisk } from '../../src/media/audio-disk.ts';
import type { CaptureRequest, CaptureResult } from '../../src/media/capture.ts';
import { WriteBehind } from '../../src/media/write-behind.ts';
import { aLine, EngineHarness, START } from './engine-harness.ts';
import { octets } from './rtp-builder.ts';
import { channelsOf, expectSameAudio, silenceWith } from './wav-checks.ts';

const CALLER = 20_000;
const CALLEE = 20_002;
const A = 0xd5;
const sides = [aLine(0, 'caller'), aLine(1, 'callee')];

let harness: EngineHarness;

beforeEach(async () => {
  harness = await EngineHarness.create();
});

afterEach(async () => {
  await harness.dispose();
});

const names = (result: CaptureResult): string[] => result.files.map((file) => basename(file.path));

describe('a call of two legs', () => {
  test('becomes one stereo file, each octet where it was sent on one wall clock', async () => {
    const { lines, startedAt } = await harness.engine.open(harness.request(sides));
    expect(startedAt).toBe(START);
    expect(lines).toEqual([
      { line: 0, port: CALLER },
      { line: 1, port: CALLEE },
    ]);
    for (let index = 0; index < 300; index++) {
      harness.stream(CALLER, 40 + index * 20, 1, { sequence: index, clock: 5000 + index * 160 });
      // The same SSRC on both legs is normal: a leg is known by its port.
      if (index >= 50)
        harness.stream(CALLEE, 45 + index * 20, 1, { sequence: 7 + index, clock: index * 160, salt: 1 });
    }
    harness.advanceTo(6100);
    const result = await harness.close();

    expect(names(result)).toEqual(['audio.wav.part']);
    const [file] = result.files;
    expect(file).toMatchObject({ suffix: '', codec: 'PCMA', channelLines: [0, 1], samples: 48_800 });
    expect(file?.channelRoles).toEqual(['caller', 'callee']);
    const [left, right] = channelsOf(file);
    expectSameAudio(left, silenceWith(48_800, A, [[320, octets(5000, 48_000)]]));
    expectSameAudio(right, silenceWith(48_800, A, [[8360, octets(8000, 40_000, 1)]]));
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
      jitter: 0,
      gaps: [],
      gapCount: 0,
    });
    expect(harness.givenBack).toEqual([CALLER, CALLEE]);
    expect(harness.receiver.drained).toBe(2);
    expect(await readdir(harness.folder)).toEqual(['audio.wav.part']);
  });

  test('without any audio leaves no file', async () => {
    await harness.engine.open(harness.request(sides));
    harness.advanceTo(3000);
    const result = await harness.close();
    expect(result.files).toEqual([]);
    expect(await readdir(harness.folder)).toEqual([]);
  });

  test.each([
    ['at once', () => nodeDisk],
    ['behind the thread', () => new WriteBehind()],
  ])('has no folder before its first audio, where the disk is written %s', async (_how, disk) => {
    await harness.dispose();
    harness = await EngineHarness.create(disk());
    const inSpool = (id: string): CaptureRequest => ({
      ...harness.request(sides, id),
      folder: join(harness.folder, id),
    });
    await harness.engine.open(inSpool('silent'));
    await harness.engine.open(inSpool('heard'));
    harness.stream(CALLEE + 2, 0, 50);
    harness.advanceTo(3000);
    const silent = await harness.close('silent');
    const heard = await harness.close('heard');
    expect(await readdir(harness.folder)).toEqual(['heard']);
    expect(await readdir(join(harness.folder, 'heard'))).toEqual(['audio.wav.part']);
    expect([silent.untouched, heard.untouched]).toEqual([true, undefined]);
    expect(heard.files[0]?.samples).toBeGreaterThanOrEqual(8000);
  });

  test('in which one leg never sends keeps a silent channel for it', async () => {
    await harness.engine.open(harness.request(sides));
    harness.stream(CALLEE, 0, 50);
    const [left, right] = channelsOf((await harness.close()).files[0]);
    expectSameAudio(left, Buffer.alloc(8000, A));
    expectSameAudio(right, octets(0, 8000));
  });

  test('lasts until the last sample when that is after the end', async () => {
    await harness.engine.open(harness.request(sides));
    harness.stream(CALLER, 0, 50);
    const ending = harness.engine.close('rec1', START + 500);
    const result = await ending;
    expect(result.files[0]?.samples).toBe(8000);
    expect(result.endedAt).toBe(START + 500);
  });

  test('takes packets that are in flight when it ends', async () => {
    await harness.engine.open(harness.request(sides));
    harness.stream(CALLER, 0, 50);
    const at = harness.wall;
    harness.receiver.inKernel = () => {
      harness.stream(CALLER, 1000, 2, { sequence: 51, clock: 8000 });
      harness.receiver.inKernel = () => undefined;
    };
    const ending = harness.engine.close('rec1', at);
    const again = harness.engine.close('rec1', at + 5);
    const { files, legs } = await ending;
    expectSameAudio(channelsOf(files[0])[0], octets(0, 8320));
    expect(legs[0]).toMatchObject({ received: 52 });
    expect(await again).toBe(await ending);
    await expect(harness.close()).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });
});

describe('a leg', () => {
  test('keeps its timeline over the wrap of sequence number and timestamp', async () => {
    await harness.engine.open(harness.request([aLine(0, 'mixed')]));
    harness.stream(CALLER, 0, 200, { sequence: 0xffff - 99, clock: 2 ** 32 - 100 * 160 });
    const result = await harness.close();
    expectSameAudio(channelsOf(result.files[0])[0], octets(2 ** 32 - 100 * 160, 32_000));
    expect(result.legs[0]).toMatchObject({ expected: 200, received: 200, gapCount: 0 });
  });

  test('goes on at the arrival after a change of SSRC, and takes a straggler of the old one', async () => {
    await harness.engine.open(harness.request([aLine(0, 'mixed')]));
    harness.stream(CALLER, 0, 49);
    harness.stream(CALLER, 1500, 1, { ssrc: 2, sequence: 9, clock: 99, salt: 2 });
    harness.stream(CALLER, 1505, 1, { sequence: 50, clock: 49 * 160 });
    harness.stream(CALLER, 1520, 49, { ssrc: 2, sequence: 10, clock: 259, salt: 2 });
    const result = await harness.close();
    expectSameAudio(
      channelsOf(result.files[0])[0],
      silenceWith(20_000, A, [
        [0, octets(0, 8000)],
        [12_000, octets(99, 8000, 2)],
      ]),
    );
    expect(result.legs[0]).toMatchObject({
      ssrcs: ['00000001', '00000002'],
      expected: 100,
      received: 100,
      gaps: [{ from: 8000, to: 12_000, cause: 'silent', packets: 0 }],
    });
  });

  test('on which two sources send at once records one of them whole', async () => {
    await harness.engine.open(harness.request([aLine(0, 'mixed')]));
    for (let index = 0; index < 100; index++) {
      harness.stream(CALLER, index * 20, 1, { sequence: index, clock: index * 160 });
      if (index >= 50)
        harness.stream(CALLER, index * 20 + 3, 1, { ssrc: 2, sequence: index, clock: index * 160, salt: 5 });
    }
    const result = await harness.close();
    expect(result.legs[0]).toMatchObject({ received: 150, rejected: 49, octets: 101 * 160 });
    expect(result.files[0]?.samples).toBe(101 * 160);
  });

  test('counts events, noise and unknown payloads and takes none of them for audio (RTP-14)', async () => {
    await harness.engine.open(harness.request([aLine(0, 'mixed')]));
    harness.stream(CALLER, 0, 10);
    harness.stream(CALLER, 200, 3, { sequence: 11, clock: 1600, type: 101 });
    harness.stream(CALLER, 260, 1, { sequence: 14, clock: 2080, type: 13 });
    harness.stream(CALLER, 280, 1, { sequence: 15, clock: 2240, type: 97 });
    harness.stream(CALLER, 300, 5, { sequence: 16, clock: 2400 });
    // RTCP on the same port, another source with an unknown payload, and no RTP at all.
    harness.stream(CALLER, 380, 1, { type: 72, ssrc: 7 });
    harness.stream(CALLER, 380, 1, { type: 97, ssrc: 8 });
    harness.receiver.deliver(CALLER, harness.wall, Buffer.from('hello'));
    harness.advanceTo(400);
    const result = await harness.close();
    // What nobody announced is kept beside the audio, as it came (RTP-9).
    expect(result.files.map(({ suffix }) => suffix)).toEqual(['', 'mixed-rtp']);
    expectSameAudio(
      channelsOf(result.files[0])[0],
      silenceWith(3200, A, [
        [0, octets(0, 1600)],
        [2400, octets(2400, 800)],
      ]),
    );
    expect(result.legs[0]).toMatchObject({
      ssrcs: ['00000001'],
      telephoneEvents: 3,
      comfortNoise: 1,
      rejected: 3,
      expected: 20,
      lost: 0,
      gaps: [{ from: 1600, to: 2400, cause: 'silent', packets: 0 }],
    });
  });

  test('makes no file of packets without payload', async () => {
    await harness.engine.open(harness.request(sides));
    for (let index = 0; index < 20; index++)
      harness.send(CALLER, index * 20, {
        sequenceNumber: index,
        timestamp: index * 160,
        payload: Buffer.alloc(0),
      });
    harness.advanceTo(2000);
    expect(await readdir(harness.folder)).toEqual([]);
    harness.stream(CALLEE, 2000, 5);
    const result = await harness.close();
    expect(result.files).toMatchObject([{ codec: 'PCMA', samples: 16_800 }]);
    expect(result.legs[0]).toMatchObject({ received: 20, octets: 0, rejected: 0, codecs: [] });
  });

  test('takes the static payload numbers though the answer names others', async () => {
    const line = { ...aLine(0, 'mixed'), formats: [{ payloadType: 96, encoding: 'PCMA', clockRate: 8000 }] };
    await harness.engine.open(harness.request([line]));
    harness.stream(CALLER, 0, 10, { type: 0 });
    expect((await harness.close()).files[0]).toMatchObject({ codec: 'PCMU', samples: 1600 });
  });

  test('lists a loss and its place (RTP-7)', async () => {
    await harness.engine.open(harness.request([aLine(0, 'mixed')]));
    harness.stream(CALLER, 0, 10);
    harness.stream(CALLER, 240, 200, { sequence: 13, clock: 12 * 160 });
    const result = await harness.close();
    expect(result.legs[0]).toMatchObject({
      expected: 212,
      lost: 2,
      gaps: [{ from: 1600, to: 1920, cause: 'lost', packets: 2 }],
    });
  });

  test('lists every further address its packets came from', async () => {
    await harness.engine.open(harness.request([aLine(0, 'mixed')]));
    for (const source of ['192.0.2.1:4000', '192.0.2.2:4000', '192.0.2.1:4000', '[2001:db8::1]:9'])
      harness.send(CALLER, harness.elapsed + 20, { sequenceNumber: harness.elapsed }, source);
    const result = await harness.close();
    expect(result.legs[0]?.sources).toEqual(['192.0.2.1:4000', '192.0.2.2:4000', '[2001:db8::1]:9']);
  });

  test('places a packet 1.9 s behind and counts one that is 2.1 s behind', async () => {
    await harness.engine.open(harness.request([aLine(0, 'mixed')]));
    harness.stream(CALLER, 0, 10);
    harness.stream(CALLER, 240, 86, { sequence: 13, clock: 12 * 160 });
    harness.stream(CALLER, 2100, 1, { sequence: 11, clock: 1600 });
    harness.stream(CALLER, 2320, 1, { sequence: 12, clock: 1760 });
    const result = await harness.close();
    expectSameAudio(
      channelsOf(result.files[0])[0]?.subarray(0, 2000),
      silenceWith(2000, A, [
        [0, octets(0, 1760)],
        [1920, octets(1920, 80)],
      ]),
    );
    expect(result.legs[0]).toMatchObject({ reordered: 1, late: 1, lost: 0, received: 98 });
  });
});

describe('a paused line', () => {
  test('is silent, counted and listed, and goes on at the arrival (RTP-12, PAUSE-1)', async () => {
    await harness.engine.open(harness.request([aLine(0, 'mixed')]));
    harness.stream(CALLER, 0, 50);
    await harness.engine.change({ id: 'rec1', lines: [aLine(0, 'mixed', false)], at: harness.wall + 20 });
    harness.stream(CALLER, 1000, 50, { sequence: 51, clock: 8000 });
    await harness.engine.change({ id: 'rec1', lines: [aLine(0, 'mixed')], at: harness.wall + 20 });
    harness.stream(CALLER, 2000, 50, { sequence: 101, clock: 16_000 });
    const result = await harness.close();
    expectSameAudio(
      channelsOf(result.files[0])[0],
      silenceWith(24_000, A, [
        [0, octets(0, 8000)],
        [16_000, octets(16_000, 8000)],
      ]),
    );
    expect(result.legs[0]).toMatchObject({
      whilePaused: 50,
      received: 150,
      lost: 0,
      gaps: [{ from: 8000, to: 16_000, cause: 'paused', packets: 0 }],
    });
  });

  test('that is never resumed is paused until the end', async () => {
    await harness.engine.open(harness.request([aLine(0, 'caller'), aLine(1, 'callee', false)]));
    harness.stream(CALLER, 0, 50);
    harness.stream(CALLEE, 1000, 10);
    const result = await harness.close();
    expect(result.legs[1]).toMatchObject({
      octets: 0,
      whilePaused: 10,
      gaps: [{ from: 0, cause: 'paused', packets: 0 }],
    });
  });
});

describe('opening', () => {
  test('passes over ports that others use', async () => {
    harness.receiver.taken.add(CALLER).add(CALLEE);
    const { lines } = await harness.engine.open(harness.request([aLine(0, 'mixed')]));
    expect(lines).toEqual([{ line: 0, port: 20_004 }]);
    expect(harness.givenBack).toEqual([CALLER, CALLEE]);
  });

  test('gives everything back when there are too few ports', async () => {
    harness.lastPort = CALLER;
    await expect(harness.engine.open(harness.request(sides))).rejects.toMatchObject({ code: 'NO_PORTS' });
    expect(harness.givenBack).toEqual([CALLER]);
    expect(harness.receiver.sinks.size).toBe(0);
  });

  test.each([
    ['a folder that is not there', { folder: '/nonexistent/folder' }, 'DISK'],
    ['a line named twice', { lines: [aLine(0, 'caller'), aLine(0, 'callee')] }, 'BAD_REQUEST'],
    [
      'a payload number out of range',
      {
        lines: [{ ...aLine(0, 'mixed'), formats: [{ payloadType: 128, encoding: 'PCMA', clockRate: 8000 }] }],
      },
      'BAD_REQUEST',
    ],
  ])('refuses %s', async (_name, part, code) => {
    await expect(harness.engine.open({ ...harness.request(sides), ...part })).rejects.toMatchObject({ code });
  });

  test('refuses an id that is running, and everything after the stop', async () => {
    await harness.engine.open(harness.request(sides));
    await expect(harness.engine.open(harness.request(sides))).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    await harness.engine.stop();
    await harness.engine.stop();
    await expect(harness.engine.open(harness.request(sides))).rejects.toMatchObject({ code: 'STOPPED' });
  });
});

test('stopping closes what runs, and the totals remember it', async () => {
  await harness.engine.open(harness.request(sides));
  harness.stream(CALLER, 0, 50);
  expect(await harness.engine.totals()).toMatchObject({ captures: 1, packets: 50, octets: 8000, lost: 0 });
  await harness.engine.stop();
  expect(await harness.engine.totals()).toMatchObject({
    captures: 1,
    packets: 50,
    octets: 8000,
    rejected: 0,
  });
  expect(await readdir(harness.folder)).toEqual(['audio.wav.part']);
});

test('a call that ends while a port is being opened leaves no socket behind', async () => {
  await harness.engine.open(harness.request([aLine(0, 'caller')]));
  const changing = harness.engine.change({ id: 'rec1', lines: [aLine(1, 'callee')], at: START });
  const ending = harness.close();
  await expect(changing).rejects.toMatchObject({ code: 'STOPPED' });
  await ending;
  expect(harness.receiver.sinks.size).toBe(0);
  expect(harness.givenBack).toContain(CALLEE);
});
