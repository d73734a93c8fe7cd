import { expect, test } from '@jest/globals';
import type { Turn } from '../../src/jobs/delivery-lane.ts';
import { OnFoot } from '../../src/service/on-foot.ts';

/** Destinations with so many turns to give; `hanging` answers when it is told to. */
function destinations(turns: Record<string, number>) {
  const begun: string[] = [];
  let answer = (): void => undefined;
  const hanging = new Promise<void>((resolve) => (answer = resolve));
  const lanes = {
    parallel: () => 2,
    turn: async (destination: string): Promise<Turn | undefined> => {
      const left = turns[destination] ?? 0;
      if (left === 0) return undefined;
      turns[destination] = left - 1;
      begun.push(destination);
      if (destination === 'hanging') await hanging;
      return { recording: 'r', ...(destination === 'failing' && { error: new Error('away') }) };
    },
  };
  return {
    begun,
    turns,
    lanes,
    answer: () => {
      answer();
    },
  };
}

const to = (...names: readonly string[]) => names.map((destination) => ({ destination }));

const count = (names: readonly string[], name: string): number =>
  names.filter((each) => each === name).length;
const { signal } = new AbortController();

test('a destination that hangs holds up nobody but itself, and gets no more than it takes at a time', async () => {
  const { begun, turns, lanes, answer } = destinations({ hanging: 5, healthy: 6 });
  const onFoot = new OnFoot(lanes, () => undefined);
  onFoot.begin(to('hanging', 'healthy', 'hanging'), signal);
  await new Promise(setImmediate);
  expect([count(begun, 'hanging'), count(begun, 'healthy')]).toEqual([2, 6]);
  turns['healthy'] = 1;
  onFoot.begin(to('hanging', 'healthy'), signal);
  await new Promise(setImmediate);
  expect([count(begun, 'hanging'), count(begun, 'healthy')]).toEqual([2, 7]);
  answer();
  await onFoot.idle();
  expect(count(begun, 'hanging')).toBe(5);
});

test('what fails is logged, and the next turn taken', async () => {
  const { begun, lanes } = destinations({ failing: 3 });
  const logged: unknown[] = [];
  const onFoot = new OnFoot(lanes, (_level, message, fields) => void logged.push([message, fields]));
  onFoot.begin(to('failing'), signal);
  await onFoot.idle();
  expect(begun).toHaveLength(3);
  expect(logged).toHaveLength(3);
  expect(logged[0]).toEqual([
    'upload failed',
    { destination: 'failing', recording: 'r', error: 'Error: away' },
  ]);
});

test('none begins after the signal, or when what is due cannot be found out', async () => {
  const stop = new AbortController();
  let turns = 0;
  const lanes = {
    parallel: () => 1,
    turn: (destination: string): Promise<Turn | undefined> => {
      if (++turns === 3) stop.abort();
      return destination === 'unknown'
        ? Promise.reject(new Error('the database is away'))
        : Promise.resolve({ recording: 'r' });
    },
  };
  const onFoot = new OnFoot(lanes, () => undefined);
  onFoot.begin(to('archive'), stop.signal);
  await onFoot.idle();
  expect(turns).toBe(3);
  onFoot.begin(to('unknown'), signal);
  await onFoot.idle();
  expect(turns).toBe(4);
});
