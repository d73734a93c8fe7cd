import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { aLine, EngineHarness } from './engine-harness.ts';
import { octets } from './rtp-builder.ts';
import { channelsOf, expectSameAudio, silenceWith } from './wav-checks.ts';

const PACKETS = 260;
const FIRST = 1500;

/** What the network does to one packet: `delay` in ms; copies arrive a little later each. */
interface Fate {
  readonly lost: boolean;
  readonly delay: number;
  readonly copies: number;
  /** Arrives when its place is final. Only for packets that others overtake for certain. */
  readonly tooLate: boolean;
}

const fate = fc.record<Fate>({
  lost: fc.integer({ min: 0, max: 9 }).map((roll) => roll === 0),
  delay: fc.oneof(
    { weight: 3, arbitrary: fc.integer({ min: 0, max: 30 }) },
    fc.integer({ min: 0, max: 1200 }),
  ),
  copies: fc.integer({ min: 0, max: 19 }).map((roll) => (roll < 2 ? roll + 1 : 0)),
  tooLate: fc.integer({ min: 0, max: 29 }).map((roll) => roll === 0),
});

interface Delivery {
  readonly index: number;
  readonly at: number;
}

function deliveries(fates: readonly Fate[]): Delivery[] {
  const all: Delivery[] = [];
  fates.forEach(({ lost, delay, copies, tooLate }, index) => {
    if (lost) return;
    const wait = tooLate && index < 60 ? 3500 + (delay % 1000) : delay;
    for (let copy = 0; copy <= copies; copy++) all.push({ index, at: FIRST + index * 20 + wait + copy * 3 });
  });
  return all.sort((one, other) => one.at - other.at);
}

/** The rules of the timeline once more, said as slowly as possible. */
function predict(arrivals: readonly Delivery[]): {
  placed: Map<number, number>;
  counts: Record<'expected' | 'received' | 'lost' | 'late' | 'duplicate' | 'reordered', number>;
} {
  const first = arrivals[0];
  const placed = new Map<number, number>();
  const seen = new Set<number>();
  const counts = { expected: 0, received: 0, lost: 0, late: 0, duplicate: 0, reordered: 0 };
  let highest = first?.index ?? 0;
  for (const { index, at } of arrivals) {
    if (first === undefined) break;
    if (seen.has(index)) {
      counts.duplicate++;
      continue;
    }
    seen.add(index);
    const position = first.at * 8 + (index - first.index) * 160;
    const old = index < highest;
    highest = Math.max(highest, index);
    if (old && position < at * 8 - 16_000) {
      counts.late++;
      continue;
    }
    if (old) counts.reordered++;
    placed.set(index, position);
  }
  counts.received = seen.size;
  counts.expected = seen.size === 0 ? 0 : Math.max(...seen) - Math.min(...seen) + 1;
  counts.lost = counts.expected - counts.received;
  return { placed, counts };
}

test('every octet that came in time stands in its place, everything else is silence, and the counts are exact', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fate, { minLength: PACKETS, maxLength: PACKETS }),
      fc.nat(0xffff),
      fc.nat(0xffffffff),
      async (fates, sequence, clock) => {
        const harness = await EngineHarness.create();
        try {
          const [line] = (await harness.engine.open(harness.request([aLine(0, 'mixed')]))).lines;
          const arrivals = deliveries(fates);
          for (const { index, at } of arrivals)
            harness.send(line?.port ?? 0, at, {
              sequenceNumber: sequence + index,
              timestamp: clock + index * 160,
              payload: octets(index * 160, 160),
            });
          harness.advanceTo(FIRST + PACKETS * 20 + 1500);
          const result = await harness.close();
          const { placed, counts } = predict(arrivals);

          expect(result.legs[0]).toMatchObject({ ...counts, rejected: 0, octets: placed.size * 160 });
          const samples = Math.round((harness.elapsed - 100) * 8);
          const pieces = [...placed].map(
            ([index, position]) => [position, octets(index * 160, 160)] as const,
          );
          expectSameAudio(channelsOf(result.files[0])[0], silenceWith(samples, 0xd5, pieces));

          // The gaps and nothing but the gaps are uncovered between first and last sample.
          const positions = [...placed.values()].sort((one, other) => one - other);
          const holes = positions
            .slice(1)
            .map((position, at) => ({ from: (positions[at] ?? 0) + 160, to: position }))
            .filter(({ from, to }) => to > from);
          const gaps = (result.legs[0]?.gaps ?? []).filter((gap) => gap.from < Math.max(...positions));
          expect(gaps.map(({ from, to }) => ({ from, to }))).toEqual(holes);
          // A late packet did arrive, yet leaves a hole: it counts as missing there.
          const missing = holes.reduce((sum, { from, to }) => sum + (to - from) / 160, 0);
          expect(gaps.reduce((sum, gap) => sum + gap.packets, 0)).toBe(missing);
          expect(gaps.every((gap) => gap.cause === 'lost')).toBe(true);
        } finally {
          await harness.dispose();
        }
      },
    ),
    { numRuns: 60 },
  );
});
