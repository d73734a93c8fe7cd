import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { SealsFirst } from '../../src/jobs/seals-first.ts';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

const { signal } = new AbortController();

/** Milliseconds after which a delivery may begin, looked at every ten; undefined when it may not within two seconds. */
async function waitOf(first: SealsFirst, within: AbortSignal = signal): Promise<number | undefined> {
  let passed = false;
  void first.pass(within).then(() => {
    passed = true;
  });
  for (let ms = 0; ms <= 2000; ms += 10) {
    await Promise.resolve();
    await Promise.resolve();
    if (passed) return ms;
    jest.advanceTimersByTime(10);
  }
  return undefined;
}

const withDue = (count: number): SealsFirst => {
  const first = new SealsFirst();
  for (let at = 0; at < count; at++) first.due(`rec-${at}`);
  return first;
};

test('deliveries begin at once while no or few recordings wait for their seals', async () => {
  expect(await waitOf(withDue(0))).toBe(0);
  expect(await waitOf(withDue(3))).toBe(0);
});

test('a delivery waits while many do, and goes when they have become few', async () => {
  const first = withDue(5);
  setTimeout(() => {
    first.over('rec-0');
  }, 100);
  setTimeout(() => {
    first.over('rec-1');
  }, 300);
  expect(await waitOf(first)).toBe(300);
});

test('it waits a second at most, however many there are', async () => {
  expect(await waitOf(withDue(500))).toBe(1000);
});

test('what is asked for twice counts once, and no more when it is over', async () => {
  const first = withDue(3);
  first.due('rec-0');
  expect(await waitOf(first)).toBe(0);
  first.due('rec-3');
  expect(await waitOf(first)).toBe(1000);
  first.over('rec-3');
  first.over('rec-3');
  expect(await waitOf(first)).toBe(0);
});

test('a stop does not wait, and leaves nothing with the signal or the clock', async () => {
  const stop = new AbortController();
  const first = withDue(9);
  setTimeout(() => {
    stop.abort();
  }, 50);
  expect(await waitOf(first, stop.signal)).toBe(50);
  expect(await waitOf(first, stop.signal)).toBe(0);
  expect(jest.getTimerCount()).toBe(0);
});

test('all who wait go together', async () => {
  const first = withDue(4);
  const passes = [first.pass(signal), first.pass(signal), first.pass(signal)];
  first.over('rec-2');
  await Promise.all(passes);
  expect(jest.getTimerCount()).toBe(0);
});
