import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { SealsFirst } from '../../src/jobs/seals-first.ts';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

const { signal } = new AbortController();

/** A seal that is over at once. */
const sealed = (first: SealsFirst, recording: string): void => {
  void first.sealing(recording, () => Promise.resolve());
};

/** Milliseconds after which a delivery may begin; undefined when it may not within two seconds. */
async function waitOf(first: SealsFirst, within: AbortSignal = signal): Promise<number | undefined> {
  const start = Date.now();
  const passed = first.pass(within).then(() => Date.now() - start);
  await jest.advanceTimersByTimeAsync(2000);
  return Promise.race([passed, Promise.resolve(undefined)]);
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
    sealed(first, 'rec-0');
  }, 100);
  setTimeout(() => {
    sealed(first, 'rec-1');
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
  sealed(first, 'rec-3');
  sealed(first, 'rec-3');
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

test('a seal counts while it is under way, and no more when it has failed', async () => {
  const first = withDue(3);
  let fail = (): void => undefined;
  const failing = first.sealing(
    'rec-3',
    () =>
      new Promise((_resolve, reject) => {
        fail = () => {
          reject(new Error('the database is away'));
        };
      }),
  );
  setTimeout(fail, 700);
  const [wait, outcome] = await Promise.all([waitOf(first), failing.catch(String)]);
  expect([wait, outcome]).toEqual([700, 'Error: the database is away']);
});

test('all who wait go together', async () => {
  const first = withDue(4);
  const passes = [first.pass(signal), first.pass(signal), first.pass(signal)];
  sealed(first, 'rec-2');
  await Promise.all(passes);
  expect(jest.getTimerCount()).toBe(0);
});
