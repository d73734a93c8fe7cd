import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { aLine, EngineHarness, START } from './engine-harness.ts';
import { octets } from './rtp-builder.ts';
import { channelsOf } from './wav-checks.ts';

const sides = [aLine(0, 'caller'), aLine(1, 'callee')];
const CALLER = 20_000;

let harness: EngineHarness;
let folder: string;

beforeEach(async () => {
  harness = await EngineHarness.create();
  folder = await mkdtemp(join(tmpdir(), 'succession-'));
});

afterEach(async () => {
  await harness.dispose();
  await rm(folder, { recursive: true });
});

const next = (lines = sides, id = 'rec2') => ({ id, folder, bind: '127.0.0.1', lines });

test('a capture that succeeds another takes its ports, and each packet is in one of the two', async () => {
  await harness.engine.open(harness.request(sides));
  harness.stream(CALLER, 0, 50, { clock: 0 });
  // One packet that the kernel still has when the change comes: it belongs to the first.
  harness.receiver.inKernel = () => {
    harness.receiver.inKernel = () => undefined;
    harness.stream(CALLER, 1000, 1, { sequence: 51, clock: 8000 });
  };
  harness.advanceTo(1010);
  const opened = await harness.engine.succeed('rec1', next());
  expect(opened).toEqual({
    startedAt: START + 1010,
    lines: [
      { line: 0, port: 20_000 },
      { line: 1, port: 20_002 },
    ],
  });
  harness.stream(CALLER, 1020, 50, { sequence: 52, clock: 8160 });
  const first = await harness.close('rec1');
  const second = await harness.close('rec2');
  expect(first.endedAt).toBe(second.startedAt);
  expect(first.legs[0]).toMatchObject({ received: 51, lost: 0 });
  expect(second.legs[0]).toMatchObject({ received: 50, lost: 0, firstSample: 80 });
  const heard = [channelsOf(first.files[0])[0], channelsOf(second.files[0])[0]] as [Buffer, Buffer];
  expect(heard[0].subarray(0, 8160)).toEqual(octets(0, 8160));
  expect(heard[1].subarray(80, 8080)).toEqual(octets(8160, 8000));
  expect(harness.givenBack.sort()).toEqual([20_000, 20_002]);
});

test('a chain of successions ends with every port given back once', async () => {
  await harness.engine.open(harness.request(sides));
  for (const [before, after] of [
    ['rec1', 'rec2'],
    ['rec2', 'rec3'],
  ] as const) {
    const made = await mkdtemp(join(folder, 'x'));
    await harness.engine.succeed(before, { ...next(sides, after), folder: made });
    harness.stream(CALLER, harness.elapsed + 20, 5, { clock: harness.elapsed * 8 });
  }
  for (const id of ['rec1', 'rec2', 'rec3']) await harness.close(id);
  expect(harness.givenBack.sort()).toEqual([20_000, 20_002]);
  expect(harness.receiver.sinks.size).toBe(0);
});

test.each([
  ['other lines', [aLine(0, 'caller')]],
  ['a line nobody has', [...sides, aLine(2, 'extra')]],
])('a successor with %s is refused, and the first goes on', async (_name, lines) => {
  await harness.engine.open(harness.request(sides));
  await expect(harness.engine.succeed('rec1', next(lines))).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  harness.stream(CALLER, 20, 5);
  expect((await harness.close()).legs[0]).toMatchObject({ received: 5 });
});

test('a capture that has ended is not succeeded', async () => {
  await harness.engine.open(harness.request(sides));
  const closing = harness.close();
  await expect(harness.engine.succeed('rec1', next())).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  await closing;
});
