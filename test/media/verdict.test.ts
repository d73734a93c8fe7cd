import { expect, test } from '@jest/globals';
import type { LegStatistics } from '../../src/media/capture.ts';
import { LevelMeter, LinearMeter } from '../../src/media/levels.ts';
import { judgeLegs } from '../../src/media/verdict.ts';

const aLeg = (change: Partial<LegStatistics> = {}): LegStatistics => ({
  line: 0,
  role: 'caller',
  codecs: ['PCMA'],
  ssrcs: ['00000001'],
  sources: ['192.0.2.1:4000'],
  firstSample: 0,
  expected: 1000,
  received: 1000,
  lost: 0,
  late: 0,
  duplicate: 0,
  reordered: 0,
  whilePaused: 0,
  rejected: 0,
  telephoneEvents: 0,
  comfortNoise: 0,
  octets: 160_000,
  jitter: 1,
  jitterMax: 5,
  gaps: [],
  gapCount: 0,
  levels: { samples: 10_000, sounding: 5000, clipped: 0 },
  ...change,
});

const callee = aLeg({ line: 1, role: 'callee' });
const SILENCE = { samples: 10_000, sounding: 0, clipped: 0 };
const gap = (from: number, to: number, cause: 'lost' | 'silent' | 'paused') => ({
  from,
  to,
  cause,
  packets: 0,
});

const judge = (leg: LegStatistics, other = callee): string => {
  const [verdict] = judgeLegs({ startedAt: 0, endedAt: 20_000, files: [], legs: [leg, other] });
  return [verdict?.word, ...(verdict?.reasons ?? [])].join('; ');
};

test.each<[string, Partial<LegStatistics>, string]>([
  ['a leg without defects', {}, 'good'],
  ['a little loss', { lost: 9 }, 'good'],
  ['loss', { lost: 20 }, 'degraded; 2.0 percent of the packets lost'],
  ['much loss', { lost: 150 }, 'faulty; 15.0 percent of the packets lost'],
  ['a long hole', { gaps: [gap(0, 16_000, 'lost')] }, 'degraded; 2.0 s lost at a stretch'],
  ['a pause of the speaker', { gaps: [gap(0, 90_000, 'silent')] }, 'good'],
  [
    'silence against a speaking partner',
    { levels: SILENCE },
    'faulty; one-way audio: nothing but silence on this leg',
  ],
  [
    'a leg that never sent',
    { codecs: [], firstSample: undefined, levels: { samples: 0, sounding: 0, clipped: 0 } },
    'faulty; one-way audio: nothing came on this leg',
  ],
  ['a leg that was paused throughout', { codecs: [], gaps: [gap(0, 160_000, 'paused')] }, 'good'],
  [
    'clipping',
    { levels: { samples: 10_000, sounding: 9000, clipped: 50 } },
    'degraded; clipped in 0.5 percent of the samples',
  ],
  [
    'audio that stops early',
    { gaps: [gap(80_000, 160_000, 'silent')] },
    'degraded; ended 10.0 s before the call',
  ],
  ['audio that begins late', { firstSample: 64_000 }, 'degraded; began 8.0 s after the call'],
  ['late packets', { late: 30 }, 'degraded; 30 packets late and 0 rejected of 1000'],
  ['much jitter', { jitterMax: 300 }, 'degraded; jitter up to 300 ms'],
  ['changing sources', { ssrcs: ['1', '2', '3', '4'] }, 'degraded; 4 sources after each other'],
])('judges %s', (_what, change, verdict) => {
  expect(judge(aLeg(change))).toBe(verdict);
});

test('judges silence on both sides less hard than on one', () => {
  const quiet = { levels: SILENCE };
  expect(judge(aLeg(quiet), aLeg({ ...quiet, line: 1 }))).toBe('degraded; nothing but silence');
});

test.each([
  ['PCMA', 0xd5, 0xaa],
  ['PCMU', 0xff, 0x80],
] as const)('tells silence, sound and the limit of %s apart, one channel of two', (law, silence, limit) => {
  const meter = new LevelMeter(law);
  const frames = Buffer.alloc(14_000 * 2, limit);
  for (let frame = 0; frame < 14_000; frame++) frames[frame * 2 + 1] = frame < 7000 ? silence : 0x95;
  // In pieces that are no multiple of the stride.
  for (let from = 0; from < 14_000; from += 1000)
    meter.take(frames.subarray(from * 2, (from + 1000) * 2), 1000, 2, 1);
  expect(meter.levels).toEqual({ samples: 2000, sounding: 1000, clipped: 0 });
  const loud = new LevelMeter(law);
  loud.take(frames, 14_000, 2, 0);
  expect(loud.levels).toEqual({ samples: 2000, sounding: 2000, clipped: 2000 });
});

test('levels of linear samples are taken as RTP carries them, one in seven, across packets', () => {
  const meter = new LinearMeter();
  const packet = (value: number): Buffer => {
    const octets = Buffer.alloc(320);
    for (let at = 0; at < 320; at += 2) octets.writeInt16BE(value, at);
    return octets;
  };
  for (const value of [0, 63, -64, 5000, 32_767, -32_768, 12]) meter.take(packet(value));
  // 7 packets of 160 samples: every seventh is 160 in all, 22 or 23 of each packet.
  const { samples, sounding, clipped } = meter.levels;
  expect(samples).toBe(160);
  expect(Math.abs(sounding - 4 * 22.9)).toBeLessThan(3);
  expect(Math.abs(clipped - 2 * 22.9)).toBeLessThan(3);
});
