import { expect, test } from '@jest/globals';
import type { RefusedEvent } from '../../src/recorder/events.ts';
import { Refusals } from '../../src/recorder/refusals.ts';

test('a flood of refusals is stated once at once and once a minute, and none is forgotten', async () => {
  const stated: RefusedEvent[] = [];
  let clock = 0;
  const refusals = new Refusals(
    (event) => stated.push(event),
    () => clock,
  );
  for (; clock < 120_000; clock += 10) refusals.add({ reason: '403', detail: 'address not listed' });
  refusals.add({ reason: '488', detail: 'no audio', trunk: 'pbx' });
  await refusals.flush();
  expect(stated.length).toBeLessThan(8);
  expect(stated[0]).toMatchObject({ at: 0, reason: '403', count: 1, windowSeconds: 0 });
  const total = (reason: string): number =>
    stated.filter((event) => event.reason === reason).reduce((sum, { count }) => sum + count, 0);
  expect(total('403')).toBe(12_000);
  expect(total('488')).toBe(1);
});
