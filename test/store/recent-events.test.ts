import { describe, expect, test } from '@jest/globals';
import { RecentEvents } from '../../src/store/recent-events.ts';

const json = (step: string): string =>
  JSON.stringify({ type: 'noted', recording: 'r', at: 1, step, detail: 'x'.repeat(50) });

function holding(most: number, sequences: readonly number[]): RecentEvents {
  const recent = new RecentEvents(most);
  for (const sequence of sequences) recent.add(sequence, json(String(sequence)));
  return recent;
}

const numbers = (recent: RecentEvents, after: number, limit = 100): readonly number[] | undefined =>
  recent.after(after, limit)?.map(({ sequence }) => sequence);

describe('recent events', () => {
  test('come in order, after a number, no more than asked for', () => {
    const recent = holding(10_000, [5, 6, 7, 9]);
    expect(numbers(recent, 4)).toEqual([5, 6, 7, 9]);
    expect(numbers(recent, 6)).toEqual([7, 9]);
    expect(numbers(recent, 4, 2)).toEqual([5, 6]);
    expect(numbers(recent, 9)).toEqual([]);
    expect(recent.after(8, 1)).toEqual([{ sequence: 9, event: JSON.parse(json('9')) as unknown }]);
  });

  test('are not told when an earlier one may be missing', () => {
    expect(numbers(holding(10_000, [5, 6]), 3)).toBeUndefined();
    expect(numbers(new RecentEvents(10_000), 0)).toBeUndefined();
  });

  test('leave, the oldest first, when there are too many', () => {
    const recent = holding(5 * json('0').length, [1, 2, 3, 4, 5, 6, 7, 8]);
    expect(numbers(recent, 0)).toBeUndefined();
    expect(numbers(recent, 7)).toEqual([8]);
    expect(numbers(holding(0, [1, 2]), 1)).toBeUndefined();
  });

  test('are forgotten once nobody asks for them', () => {
    const recent = holding(10_000, [1, 2, 3]);
    recent.forget(2);
    expect(numbers(recent, 1)).toBeUndefined();
    expect(numbers(recent, 2)).toEqual([3]);
    recent.forget(3);
    expect(numbers(recent, 3)).toBeUndefined();
  });
});
