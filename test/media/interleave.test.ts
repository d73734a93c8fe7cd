import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { interleave, type Channel } from '../../src/media/interleave.ts';
import { LegLane } from '../../src/media/leg-lane.ts';

const SILENCE = 0xd5;

/** A lane with octets that depend on their position, and what each position of it reads as. */
function aLane(line: number, base: number, from: number, count: number): [LegLane, (at: number) => number] {
  const lane = new LegLane(line, 'PCMA', base);
  const octets = Buffer.from(Array.from({ length: count }, (_none, index) => (index * 7 + line) & 0x7f));
  lane.ring.put(from, octets, 0, count);
  return [lane, (at) => octets[at - from] ?? SILENCE];
}

test('brings one or two channels into file order, silent before, between and after what they hold', () => {
  const span = fc.record({ base: fc.nat(3000), ahead: fc.nat(50_000), count: fc.nat(3000) });
  fc.assert(
    fc.property(
      fc.array(fc.option(span, { nil: undefined }), { minLength: 1, maxLength: 2 }),
      fc.nat(40_000),
      fc.nat(20_000),
      (spans, from, count) => {
        const lanes = spans.map((each, line): [Channel, (at: number) => number] =>
          each === undefined
            ? [undefined, () => SILENCE]
            : aLane(line, each.base, each.base + each.ahead, each.count),
        );
        const found = interleave(
          lanes.map(([lane]) => lane),
          SILENCE,
          from,
          from + count,
        );
        const expected = Buffer.alloc(count * lanes.length);
        for (let frame = 0; frame < count; frame++)
          lanes.forEach(([, octetAt], channel) => {
            expected[frame * lanes.length + channel] = octetAt(from + frame);
          });
        expect(found.subarray(0, expected.length).equals(expected)).toBe(true);
      },
    ),
    { numRuns: 200 },
  );
});
