import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { planStream, rtpHeader } from '../../src/client/rtp-plan.ts';

const START = { sequence: 65_534, timestamp: 0xffff_ff60 };

test('packets carry 160 octets each, the last one the rest', () => {
  const { packets } = planStream(400, START, 50);
  expect(packets.map(({ due, from, to }) => [due, from, to])).toEqual([
    [50, 0, 160],
    [70, 160, 320],
    [90, 320, 400],
  ]);
});

test('sequence and timestamp wrap', () => {
  const { packets } = planStream(480, START, 0);
  expect(packets.map(({ sequence, timestamp }) => [sequence, timestamp])).toEqual([
    [65_534, 0xffff_ff60],
    [65_535, 0],
    [0, 160],
  ]);
});

test('faults are counted, repeatable by seed, and spare the first and the last packet', () => {
  const probability = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(
      fc.nat(20_000),
      fc.record({ loss: probability, duplicate: probability, reorder: probability, seed: fc.nat() }),
      (octets, impairment) => {
        const plan = planStream(octets, START, 0, impairment);
        const count = Math.ceil(octets / 160);
        const distinct = new Set(plan.packets.map(({ from }) => from));
        expect(plan).toEqual(planStream(octets, START, 0, impairment));
        expect(distinct.size).toBe(count - plan.lost);
        expect(plan.packets).toHaveLength(count - plan.lost + plan.duplicated);
        if (count > 0) expect([distinct.has(0), distinct.has((count - 1) * 160)]).toEqual([true, true]);
      },
    ),
    { numRuns: 50 },
  );
});

test('a reordered packet comes after its successors', () => {
  const { packets, reordered } = planStream(160 * 100, START, 0, { reorder: 0.2, seed: 3 });
  const order = packets.map(({ from }) => from);
  const backwards = order.filter((from, index) => index > 0 && from < (order[index - 1] ?? 0));
  expect(reordered).toBeGreaterThan(5);
  expect(backwards.length).toBeGreaterThan(0);
});

test('the header is the fixed one of RFC 3550', () => {
  expect(rtpHeader({ sequence: 1, timestamp: 160 }, 8, 0xdeadbeef, true).toString('hex')).toBe(
    '80880001000000a0deadbeef',
  );
});
