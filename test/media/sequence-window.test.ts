import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { sequenceDistance, timestampDistance } from '../../src/media/sequence.ts';
import { SequenceWindow } from '../../src/media/sequence-window.ts';

describe('distances go the short way round', () => {
  test.each([
    [0, 1, 1],
    [65_535, 0, 1],
    [0, 65_535, -1],
    [0, 32_767, 32_767],
    [0, 32_768, -32_768],
    [40_000, 10_000, -30_000],
  ])('from sequence number %i to %i: %i', (from, to, distance) => {
    expect(sequenceDistance(from, to)).toBe(distance);
  });

  test.each([
    [0, 160, 160],
    [4_294_967_200, 64, 160],
    [64, 4_294_967_200, -160],
    [3_000_000_000, 3_000_000_000, 0],
  ])('from timestamp %i to %i: %i', (from, to, distance) => {
    expect(timestampDistance(from, to)).toBe(distance);
  });
});

describe('SequenceWindow', () => {
  test.each([
    ['in order', [10, 11, 12], ['next', 'next', 'next'], [3, 3]],
    ['with a hole', [10, 13], ['next', 'next'], [4, 2]],
    ['with a hole filled later', [10, 12, 11], ['next', 'next', 'old'], [3, 3]],
    ['twice', [10, 11, 10, 11], ['next', 'next', 'duplicate', 'duplicate'], [2, 2]],
    ['over the wrap', [65_534, 1, 65_535, 0, 65_534], ['next', 'next', 'old', 'old', 'duplicate'], [4, 4]],
    ['from before the first', [10, 8], ['next', 'old'], [3, 2]],
    ['from before the first over the wrap', [0, 65_535], ['next', 'old'], [2, 2]],
    ['older than is remembered', [5000, 2952], ['next', 'beyond'], [1, 1]],
    ['as old as is remembered', [5000, 2953], ['next', 'old'], [2048, 2]],
    ['one stray far ahead', [10, 9000, 11], ['next', 'wild', 'next'], [2, 2]],
    ['anew from far ahead', [10, 9000, 9001, 9002], ['next', 'wild', 'restart', 'next'], [3, 3]],
    ['anew from far behind', [50_000, 20_000, 20_001], ['next', 'beyond', 'restart'], [2, 2]],
    ['after a dropout of a minute', [10, 3010], ['next', 'next'], [3001, 2]],
  ])('takes numbers %s', (_name, numbers, verdicts, [expected, received]) => {
    const window = new SequenceWindow();
    expect(numbers.map((number) => window.accept(number))).toEqual(verdicts);
    expect(window).toMatchObject({ expected, received });
  });

  test('agrees with a set of all numbers, whatever the order', () => {
    const step = fc.integer({ min: -600, max: 700 });
    fc.assert(
      fc.property(fc.nat(0xffff), fc.array(step, { maxLength: 300 }), (start, steps) => {
        const window = new SequenceWindow();
        const seen = new Set<number>();
        let highest = 0;
        for (const offset of [0, ...steps]) {
          const number = seen.size === 0 ? 0 : highest + offset;
          const verdict = window.accept((start + number + 0x100000) & 0xffff);
          if (seen.has(number)) expect(verdict).toBe('duplicate');
          else expect(verdict).toBe(number >= highest ? 'next' : 'old');
          seen.add(number);
          highest = Math.max(highest, number);
        }
        expect(window.received).toBe(seen.size);
        expect(window.expected).toBe(highest - Math.min(...seen) + 1);
      }),
    );
  });
});
