import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { aLine, EngineHarness } from './engine-harness.ts';
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

describe('a timestamp that does not fit', () => {
  test('is anchored anew at its arrival when it jumps with continuous sequence numbers', async () => {
    await harness.engine.open(harness.request([aLine(0, 'mixed')]));
    harness.stream(CALLER, 0, 50);
    harness.stream(CALLER, 1000, 50, { sequence: 51, clock: 3_000_000_000 });
    const result = await harness.close();
    const [mono] = channelsOf(result.files[0]);
    expectSameAudio(mono, Buffer.concat([octets(0, 8000), octets(3_000_000_000, 8000)]));
    expect(result.legs[0]).toMatchObject({ lost: 0, gapCount: 0, rejected: 0 });
  });

  test('never lays new audio over old when it jumps back a little', async () => {
    await harness.engine.open(harness.request([aLine(0, 'mixed')]));
    harness.stream(CALLER, 0, 100);
    // 1 s back: not far enough for a jump, so it names covered positions.
    harness.stream(CALLER, 2000, 1, { sequence: 101, clock: 100 * 160 - 8000, salt: 9 });
    harness.stream(CALLER, 2020, 10, { sequence: 102, clock: 101 * 160 });
    const result = await harness.close();
    expectSameAudio(
      channelsOf(result.files[0])[0],
      silenceWith(17_760, A, [
        [0, octets(0, 16_000)],
        [16_160, octets(16_160, 1600)],
      ]),
    );
    expect(result.legs[0]).toMatchObject({ rejected: 1, octets: 17_600, gapCount: 1 });
  });

  test('of a sender that begins anew without a new SSRC costs one packet', async () => {
    await harness.engine.open(harness.request([aLine(0, 'mixed')]));
    harness.stream(CALLER, 0, 100, { sequence: 30_000, clock: 777_777 });
    harness.stream(CALLER, 2000, 100, { sequence: 1, clock: 0xf0000000 });
    const result = await harness.close();
    expectSameAudio(
      channelsOf(result.files[0])[0],
      silenceWith(32_000, A, [
        [0, octets(777_777, 16_000)],
        [16_160, octets(0xf0000000 + 160, 15_840)],
      ]),
    );
    expect(result.legs[0]).toMatchObject({ expected: 199, received: 199, lost: 0, rejected: 0, late: 1 });
  });

  test('because somebody set the clock changes nothing', async () => {
    await harness.engine.open(harness.request(sides));
    harness.stream(CALLER, 0, 100);
    harness.clockSet = -3_600_000;
    harness.stream(CALLER, 2000, 100, { sequence: 101, clock: 16_000 });
    harness.clockSet = 7_200_000;
    harness.advanceTo(4000);
    harness.stream(CALLEE, 4020, 100, { salt: 1 });
    const result = await harness.close();
    const [left, right] = channelsOf(result.files[0]);
    expectSameAudio(left, silenceWith(48_160, A, [[0, octets(0, 32_000)]]));
    expectSameAudio(right, silenceWith(48_160, A, [[32_160, octets(0, 16_000, 1)]]));
  });
});

test('a sender ahead of the clock is kept in order, up to a minute', async () => {
  await harness.engine.open(harness.request([aLine(0, 'mixed')]));
  harness.stream(CALLER, 0, 4000, { pace: 1 });
  harness.advanceTo(30_000);
  const result = await harness.close();
  const [leg] = result.legs;
  // 65.536 s fit before the oldest sample that may still change, which 4 s of tolerance let advance by less than 2 s.
  expect(leg?.octets).toBe(4000 * 160 - (leg?.rejected ?? 0) * 160);
  expect(leg?.rejected).toBeGreaterThan(500);
  expect(leg?.octets).toBeGreaterThan(60 * 8000);
  expectSameAudio(channelsOf(result.files[0])[0]?.subarray(0, leg?.octets), octets(0, leg?.octets ?? 0));
});

test('a thread that is held up for three seconds moves nothing', async () => {
  await harness.engine.open(harness.request(sides));
  harness.stream(CALLER, 0, 100);
  harness.stream(CALLEE, 2000, 1, { salt: 1 });
  // The kernel stamped the packets in time; they are taken one sweep late, after a tick that says how late it is.
  harness.holdUp(5000);
  for (let index = 0; index < 150; index++) {
    harness.deliverStamped(CALLER, 2000 + index * 20, 101 + index, 0);
    harness.deliverStamped(CALLEE, 2020 + index * 20, 2 + index, 1);
  }
  const result = await harness.close();
  const [left, right] = channelsOf(result.files[0]);
  expectSameAudio(left, silenceWith(40_160, A, [[0, octets(0, 40_000)]]));
  expectSameAudio(right, silenceWith(40_160, A, [[16_000, octets(0, 151 * 160, 1)]]));
  expect(result.legs.map((leg) => leg.gapCount)).toEqual([0, 0]);
});

test('a burst after a stall of the network stands where it was sent', async () => {
  await harness.engine.open(harness.request([aLine(0, 'mixed')]));
  harness.stream(CALLER, 0, 100);
  harness.stream(CALLER, 4000, 100, { sequence: 101, clock: 16_000, pace: 0 });
  harness.stream(CALLER, 4020, 50, { sequence: 201, clock: 32_000 });
  const result = await harness.close();
  expectSameAudio(channelsOf(result.files[0])[0]?.subarray(0, 40_000), octets(0, 40_000));
  expect(result.legs[0]).toMatchObject({ gapCount: 0, late: 0 });
});
