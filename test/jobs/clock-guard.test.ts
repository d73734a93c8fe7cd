import { expect, test } from '@jest/globals';
import { clockFault, type ClockFacts } from '../../src/jobs/clock-guard.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.parse('2031-11-20T08:00:00Z');

/** A recorder that was started an hour before `START` plus `after`, with a clock that is right. */
const facts = (after: number, more: Partial<ClockFacts> = {}): ClockFacts => ({
  now: START + after,
  monotonic: 500 + after,
  began: { now: START, monotonic: 500 },
  lastAlive: START - HOUR,
  newestEntry: START - HOUR,
  synced: true,
  demand: 'synced',
  confirmed: false,
  ...more,
});

test('a clock that goes as it should may delete', () => {
  expect(clockFault(facts(40 * DAY))).toBeUndefined();
  expect(clockFault(facts(DAY, { now: START + DAY + 5000 }))).toBeUndefined();
  expect(clockFault(facts(DAY, { lastAlive: undefined, newestEntry: undefined }))).toBeUndefined();
});

test.each([
  ['a jump forward', facts(HOUR, { now: START + 400 * DAY }), /jumped by 34556400 s/],
  ['a jump back', facts(DAY, { now: START + HOUR }), /jumped by -82800 s/],
  ['a clock behind the log', facts(HOUR, { newestEntry: START + DAY }), /behind the newest entry/],
  [
    'a start years after the last sign of life',
    facts(HOUR, { lastAlive: START - 400 * DAY }),
    /off for more/,
  ],
  ['a clock nobody disciplines', facts(HOUR, { synced: false }), /not synchronised/],
])('%s deletes nothing', (_name, doubtful, why) => {
  expect(clockFault(doubtful)).toMatch(why);
});

test('a person can vouch for the clock after a long pause, but not for one that jumps or runs behind the log', () => {
  const long = { lastAlive: START - 400 * DAY, synced: false, confirmed: true };
  expect(clockFault(facts(HOUR, long))).toBeUndefined();
  expect(clockFault(facts(HOUR, { ...long, now: START + 400 * DAY }))).toMatch(/jumped/);
  expect(clockFault(facts(HOUR, { ...long, newestEntry: START + DAY }))).toMatch(/behind/);
});

test('an operator may do without discipline of the clock', () => {
  expect(clockFault(facts(HOUR, { synced: false, demand: 'any' }))).toBeUndefined();
});
