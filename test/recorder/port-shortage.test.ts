import { expect, test } from '@jest/globals';
import { PortShortage } from '../../src/recorder/port-shortage.ts';

test('a shortage of ports lasts from the first refusal until a call has its ports, or nobody was refused for a while', () => {
  let now = 1000;
  const shortage = new PortShortage(() => now);
  expect(shortage.since).toBeUndefined();
  shortage.refused();
  now = 9000;
  shortage.refused();
  expect(shortage.since).toBe(1000);
  shortage.served();
  expect(shortage.since).toBeUndefined();
  shortage.refused();
  now = 24_000;
  expect(shortage.since).toBe(9000);
  now = 24_001;
  expect(shortage.since).toBeUndefined();
  shortage.refused();
  expect(shortage.since).toBe(24_001);
});
