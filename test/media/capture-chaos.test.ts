import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { aLine, EngineHarness } from './engine-harness.ts';
import { octets } from './rtp-builder.ts';
import { channelsOf } from './wav-checks.ts';

/** A step of a sender, a network and an operator who keep to no rule. */
interface Step {
  readonly leg: 0 | 1;
  readonly wait: number;
  readonly type: number;
  readonly ssrc: number;
  /** Added to the last sequence number and timestamp. */
  readonly sequence: number;
  readonly clock: number;
  readonly length: number;
  readonly event: 'none' | 'pause' | 'resume' | 'clock' | 'garbage';
}

const anywhere = fc.integer({ min: -0x80000000, max: 0x7fffffff });

const step = fc.record<Step>({
  leg: fc.constantFrom(0, 1),
  wait: fc.oneof({ weight: 5, arbitrary: fc.nat(40) }, fc.nat(3000)),
  type: fc.oneof({ weight: 6, arbitrary: fc.constant(8) }, fc.constantFrom(0, 8, 13, 97, 101, 72)),
  ssrc: fc.oneof({ weight: 6, arbitrary: fc.constant(1) }, fc.nat(3)),
  sequence: fc.oneof({ weight: 8, arbitrary: fc.constant(1) }, fc.integer({ min: -5, max: 5 }), anywhere),
  clock: fc.oneof(
    { weight: 8, arbitrary: fc.constant(160) },
    fc.integer({ min: -800, max: 800 }),
    fc.integer({ min: -40_000, max: 40_000 }),
    anywhere,
  ),
  length: fc.oneof({ weight: 6, arbitrary: fc.constant(160) }, fc.nat(1200)),
  event: fc.oneof(
    { weight: 30, arbitrary: fc.constant<Step['event']>('none') },
    fc.constantFrom<Step['event'][]>('pause', 'resume', 'clock', 'garbage'),
  ),
});

async function play(harness: EngineHarness, steps: readonly Step[]): Promise<void> {
  const sequences = [0, 0];
  const clocks = [0, 0];
  for (const { leg, wait, type, ssrc, sequence, clock, length, event } of steps) {
    const port = 20_000 + 2 * leg;
    harness.advanceTo(harness.elapsed + wait);
    if (event === 'clock') harness.clockSet += sequence;
    if (event === 'garbage') harness.receiver.deliver(port, harness.wall, octets(0, length % 60));
    if (event === 'pause' || event === 'resume') {
      const line = aLine(leg, leg === 0 ? 'caller' : 'callee', event === 'resume');
      await harness.engine.change({ id: 'rec1', lines: [line], at: harness.wall });
    }
    sequences[leg] = (sequences[leg] ?? 0) + sequence;
    clocks[leg] = (clocks[leg] ?? 0) + clock;
    harness.send(port, harness.elapsed, {
      payloadType: type,
      sequenceNumber: sequences[leg],
      timestamp: clocks[leg],
      ssrc,
      payload: octets(0, length),
    });
  }
}

test('whatever arrives, each octet taken stands in a file exactly once, and every file is right', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 200 }), async (steps) => {
      const harness = await EngineHarness.create();
      try {
        await harness.engine.open(harness.request([aLine(0, 'caller'), aLine(1, 'callee')]));
        await play(harness, steps);
        const { files, legs } = await harness.close();

        const heard = new Map([
          [0, 0],
          [1, 0],
        ]);
        const audio = files.filter(({ extension = 'wav' }) => extension === 'wav');
        for (const file of audio)
          channelsOf(file).forEach((channel, index) => {
            const line = file.channelLines[index] ?? NaN;
            // `octets` never gives a silence octet, so everything up to 200 is audio.
            const sounding = channel.reduce((count, octet) => (octet <= 200 ? count + 1 : count), 0);
            heard.set(line, (heard.get(line) ?? NaN) + sounding);
          });
        for (const leg of legs) {
          expect(heard.get(leg.line)).toBe(leg.octets);
          expect(leg.lost).toBeGreaterThanOrEqual(0);
          expect(leg.expected).toBe(leg.received + leg.lost);
          leg.gaps.forEach((gap, index) => {
            expect(gap.to).toBeGreaterThan(gap.from);
            expect(gap.from).toBeGreaterThanOrEqual(leg.gaps[index - 1]?.to ?? 0);
            expect(Number.isInteger(gap.packets)).toBe(true);
          });
        }
        expect(new Set(audio.map((file) => file.samples)).size).toBeLessThanOrEqual(1);
        expect(harness.failures).toEqual([]);
      } finally {
        await harness.dispose();
      }
    }),
    { numRuns: 60 },
  );
});
