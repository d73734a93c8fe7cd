import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { START, aLine, EngineHarness } from './engine-harness.ts';
import { octets } from './rtp-builder.ts';
import { channelsOf, expectSameAudio } from './wav-checks.ts';

const NEAR = 20_000;
const FAR = 20_002;
const sides = [aLine(0, 'caller'), aLine(1, 'callee')];

let harness: EngineHarness;

beforeEach(async () => {
  harness = await EngineHarness.create();
});

afterEach(async () => {
  await harness.dispose();
});

const drop = (line: number): ReturnType<EngineHarness['engine']['change']> =>
  harness.engine.change({ id: harness.request([]).id, lines: [], gone: [line], at: harness.wall });

describe('a line that nobody will send on after all', () => {
  test('leaves a mono file of the other side, also of what was written as stereo before, and gives its port back', async () => {
    await harness.engine.open(harness.request(sides));
    harness.stream(NEAR, 0, 250);
    expect((await drop(1)).lines).toEqual([{ line: 0, port: NEAR }]);
    expect(harness.givenBack).toEqual([FAR]);
    expect([...harness.receiver.sinks.keys()]).toEqual([NEAR]);
    harness.stream(NEAR, 5000, 50, { sequence: 251, clock: 40_000 });
    const result = await harness.close();
    expect(result.files).toHaveLength(1);
    const [file] = result.files;
    expect(file).toMatchObject({ suffix: 'caller', channelLines: [0], channelRoles: ['caller'] });
    const channels = channelsOf(file);
    expect(channels).toHaveLength(1);
    expectSameAudio(channels[0], Buffer.concat([octets(0, 40_000), octets(40_000, 8000)]));
    const bytes = readFileSync(file?.path ?? '');
    expect(createHash('sha256').update(bytes.subarray(file?.audioOffset)).digest('hex')).toBe(
      file?.audioSha256,
    );
    expect(result.legs.map(({ line, received }) => [line, received])).toEqual([[0, 300]]);
  });

  test('before the first packet leaves no trace of a second channel', async () => {
    await harness.engine.open(harness.request(sides));
    await drop(0);
    harness.stream(FAR, 100, 50);
    const result = await harness.close();
    expect(result.files.map(({ suffix, channelRoles }) => [suffix, channelRoles])).toEqual([
      ['callee', ['callee']],
    ]);
    expect(result.startedAt).toBe(START);
  });

  test('that is not known changes nothing', async () => {
    await harness.engine.open(harness.request(sides));
    harness.stream(NEAR, 0, 10);
    expect((await drop(7)).lines).toHaveLength(2);
    expect((await harness.close()).files[0]?.channelLines).toEqual([0, 1]);
  });
});
