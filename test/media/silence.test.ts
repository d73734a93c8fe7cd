import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { aLine, EngineHarness } from './engine-harness.ts';

const PORT = 20_000;
let harness: EngineHarness;

beforeEach(async () => {
  harness = await EngineHarness.create();
});

afterEach(async () => {
  await harness.dispose();
});

test('a capture tells how long it has heard nothing, from its start or from the last packet on', async () => {
  await harness.engine.open(harness.request([aLine(0, 'mixed')]));
  harness.advanceTo(5000);
  expect(await harness.engine.silence('rec1')).toBe(5000);
  harness.stream(PORT, 5000, 50);
  expect(await harness.engine.silence('rec1')).toBe(0);
  harness.advanceTo(65_000);
  const silent = await harness.engine.silence('rec1');
  expect(silent).toBeGreaterThanOrEqual(59_000);
  expect(silent).toBeLessThanOrEqual(60_000);
});

test('somebody who sets the clock does not make it silent', async () => {
  await harness.engine.open(harness.request([aLine(0, 'mixed')]));
  harness.stream(PORT, 0, 50);
  harness.advanceTo(2000);
  harness.clockSet = 3_600_000;
  expect(await harness.engine.silence('rec1')).toBeLessThanOrEqual(2000);
});

test('a capture nobody knows has no silence', () => {
  expect(() => harness.engine.silence('other')).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
});
