import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { GAP_LIMIT } from '../../src/media/capture.ts';
import { Coverage } from '../../src/media/coverage.ts';

/** Packets of 160 samples, number n at n * 160. */
const next = (coverage: Coverage, number: number, comparable = true): void => {
  coverage.extend(number * 160, number * 160 + 160, number, comparable);
};
const straggler = (coverage: Coverage, number: number): readonly { from: number; to: number }[] =>
  coverage.fill(number * 160, number * 160 + 160, number);

describe('Coverage', () => {
  test('is whole up to the first gap that may still be filled, once its first sample is settled', () => {
    const coverage = new Coverage();
    for (const number of [100, 101, 103]) next(coverage, number, number > 100);
    expect(coverage.whole).toBe(0);
    coverage.settle(100 * 160);
    expect(coverage.whole).toBe(0);
    coverage.settle(101 * 160);
    expect(coverage.whole).toBe(102 * 160);
    straggler(coverage, 102);
    expect(coverage.whole).toBe(104 * 160);
    // What the client paused nobody fills.
    coverage.pause(104 * 160, 110 * 160);
    expect(coverage.whole).toBe(110 * 160);
    next(coverage, 112, false);
    expect(coverage.whole).toBe(110 * 160);
    coverage.settle(112 * 160);
    expect(coverage.whole).toBe(113 * 160);
  });

  test('has no gap where packets follow each other', () => {
    const coverage = new Coverage();
    for (const number of [5, 6, 7]) next(coverage, number, number > 5);
    coverage.finish(8 * 160, 16_000);
    expect(coverage).toMatchObject({ firstSample: 800, end: 1280, gaps: [], gapCount: 0 });
  });

  test('tells loss from silence by the sequence numbers', () => {
    const coverage = new Coverage();
    next(coverage, 0, false);
    next(coverage, 3);
    coverage.extend(1600, 1760, 4, true);
    coverage.settle(1600);
    expect(coverage.gaps).toEqual([
      { from: 160, to: 480, cause: 'lost', packets: 2 },
      { from: 640, to: 1600, cause: 'silent', packets: 0 },
    ]);
  });

  test('splits a gap around a straggler and counts on each side what is missing there', () => {
    const coverage = new Coverage();
    next(coverage, 0, false);
    next(coverage, 6);
    expect(straggler(coverage, 2)).toEqual([{ from: 320, to: 480 }]);
    expect(straggler(coverage, 2)).toEqual([]);
    coverage.settle(Infinity);
    expect(coverage.gaps).toEqual([
      { from: 160, to: 320, cause: 'lost', packets: 1 },
      { from: 480, to: 960, cause: 'lost', packets: 3 },
    ]);
  });

  test('forgets a gap that was filled, and keeps one that is settled', () => {
    const coverage = new Coverage();
    next(coverage, 0, false);
    next(coverage, 2);
    next(coverage, 4);
    coverage.settle(320);
    expect(straggler(coverage, 1)).toEqual([]);
    expect(straggler(coverage, 3)).toHaveLength(1);
    coverage.settle(Infinity);
    expect(coverage.gaps).toEqual([{ from: 160, to: 320, cause: 'lost', packets: 1 }]);
  });

  test('takes stragglers from before the first packet, and leaves a hole between', () => {
    const coverage = new Coverage();
    next(coverage, 5, false);
    expect(straggler(coverage, 2)).toHaveLength(1);
    coverage.settle(Infinity);
    expect(coverage.firstSample).toBe(320);
    expect(coverage.gaps).toEqual([{ from: 480, to: 800, cause: 'lost', packets: 2 }]);
  });

  test('does not miss numbers that were no audio, in their turn or late', () => {
    const coverage = new Coverage();
    next(coverage, 0, false);
    coverage.skip();
    coverage.skip();
    next(coverage, 4);
    coverage.skipOld(3);
    coverage.settle(Infinity);
    expect(coverage.gaps).toEqual([{ from: 160, to: 640, cause: 'silent', packets: 0 }]);
  });

  test('compares no numbers of different sources', () => {
    const coverage = new Coverage();
    next(coverage, 0, false);
    coverage.extend(320, 480, 9999, false);
    coverage.settle(Infinity);
    expect(coverage.gaps).toEqual([{ from: 160, to: 320, cause: 'silent', packets: 0 }]);
  });

  test('lets nothing into a pause', () => {
    const coverage = new Coverage();
    next(coverage, 0, false);
    coverage.pause(320, 640);
    expect(coverage.end).toBe(640);
    expect(straggler(coverage, 2)).toEqual([]);
    coverage.settle(Infinity);
    expect(coverage.gaps).toEqual([
      { from: 160, to: 320, cause: 'silent', packets: 0 },
      { from: 320, to: 640, cause: 'paused', packets: 0 },
    ]);
  });

  test.each([
    ['short', 16_160, 0],
    ['long', 16_161, 1],
  ])('takes a %s silence at the end for what it is', (_name, total, count) => {
    const coverage = new Coverage();
    next(coverage, 0, false);
    coverage.finish(total, 16_000);
    expect(coverage.gapCount).toBe(count);
  });

  test('lists so many gaps and counts the others', () => {
    const coverage = new Coverage();
    for (let number = 0; number < 700; number += 2) next(coverage, number, number > 0);
    coverage.settle(Infinity);
    expect(coverage.gaps).toHaveLength(GAP_LIMIT);
    expect(coverage.gapCount).toBe(349);
  });

  test('covers each sample exactly once, whatever comes in whatever order', () => {
    const piece = fc.record({ from: fc.nat(3000), length: fc.integer({ min: 1, max: 400 }) });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const coverage = new Coverage();
        const covered = new Set<number>();
        let twice = 0;
        const cover = (from: number, to: number): void => {
          for (let position = from; position < to; position++) {
            if (covered.has(position)) twice++;
            covered.add(position);
          }
        };
        pieces.forEach(({ from, length }, number) => {
          const { end } = coverage;
          if (from < end)
            for (const span of coverage.fill(from, Math.min(from + length, end), number))
              cover(span.from, span.to);
          if (from + length <= end) return;
          cover(Math.max(from, end), from + length);
          coverage.extend(Math.max(from, end), from + length, number, true);
        });
        coverage.settle(Infinity);
        const holes = new Set(
          coverage.gaps.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, at) => from + at)),
        );
        expect(twice).toBe(0);
        const wrong: number[] = [];
        for (let position = coverage.firstSample ?? 0; position < coverage.end; position++)
          if (holes.has(position) === covered.has(position)) wrong.push(position);
        expect(wrong).toEqual([]);
      }),
    );
  });
});
