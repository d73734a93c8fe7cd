import { CLOCK_RATE, type CaptureResult, type Gap, type LegStatistics, type LineRole } from './capture.ts';

/** `good`: as it should be. `degraded`: usable, with defects. `faulty`: a person must look at it. */
export type VerdictWord = 'good' | 'degraded' | 'faulty';

export interface LegVerdict {
  readonly line: number;
  readonly role: LineRole;
  readonly word: VerdictWord;
  /** What speaks against it, worst first; empty when good. */
  readonly reasons: readonly string[];
}

interface Finding {
  readonly word: Exclude<VerdictWord, 'good'>;
  readonly reason: string;
}

/** What is judged: the leg, and the call around it, lengths in ticks. */
interface Judged {
  readonly leg: LegStatistics;
  readonly total: number;
  readonly othersSound: boolean;
}

// docs/media.md has these limits in words.
const LOSS = { degraded: 0.01, faulty: 0.1 };
const UNORDERLY = 0.01;
const LOST_GAP = { degraded: CLOCK_RATE, faulty: 10 * CLOCK_RATE };
const JITTER_MS = 200;
const EDGE = 5 * CLOCK_RATE;
const SOURCES = 3;
const CLIPPED_SHARE = 0.001;
/** Shorter legs say nothing about silence. */
const WORTH_JUDGING = 3 * CLOCK_RATE;

/** Judges every leg of a finished capture (issue: one word, with the reason). Pure; the same capture is always judged alike. */
export function judgeLegs(capture: CaptureResult): readonly LegVerdict[] {
  const length = ((capture.endedAt - capture.startedAt) * CLOCK_RATE) / 1000;
  const total = Math.max(length, ...capture.files.map(({ samples }) => samples));
  return capture.legs.map((leg) => {
    const others = capture.legs.filter(({ line }) => line !== leg.line);
    return judge({ leg, total, othersSound: others.some(sounds) });
  });
}

function judge(judged: Judged): LegVerdict {
  const { line, role } = judged.leg;
  const findings = CHECKS.flatMap((check) => check(judged) ?? []);
  const faulty = findings.filter(({ word }) => word === 'faulty');
  const degraded = findings.filter(({ word }) => word === 'degraded');
  const word = faulty.length > 0 ? 'faulty' : degraded.length > 0 ? 'degraded' : 'good';
  return { line, role, word, reasons: [...faulty, ...degraded].map(({ reason }) => reason) };
}

const CHECKS: readonly ((judged: Judged) => Finding | undefined)[] = [
  checkHeard,
  checkLoss,
  checkLostGap,
  checkOrder,
  checkEdges,
  checkLevels,
  checkJitter,
  checkSources,
];

/** Whether there is any sound on a leg; unknown levels count as sound. */
const sounds = (leg: LegStatistics): boolean =>
  leg.codecs.length > 0 && (leg.levels === undefined || leg.levels.samples === 0 || leg.levels.sounding > 0);

const pausedTicks = ({ gaps }: LegStatistics): number =>
  gaps.filter(({ cause }) => cause === 'paused').reduce((sum, { from, to }) => sum + to - from, 0);

/** A leg that never sent, or sent nothing but silence. */
function checkHeard({ leg, total, othersSound }: Judged): Finding | undefined {
  const expected = total - pausedTicks(leg);
  if (expected < WORTH_JUDGING) return undefined;
  if (leg.codecs.length === 0)
    return {
      word: 'faulty',
      reason: othersSound ? 'one-way audio: nothing came on this leg' : 'nothing came',
    };
  if (sounds(leg)) return undefined;
  return othersSound
    ? { word: 'faulty', reason: 'one-way audio: nothing but silence on this leg' }
    : { word: 'degraded', reason: 'nothing but silence' };
}

function checkLoss({ leg }: Judged): Finding | undefined {
  const share = leg.expected === 0 ? 0 : leg.lost / leg.expected;
  if (share < LOSS.degraded) return undefined;
  return {
    word: share < LOSS.faulty ? 'degraded' : 'faulty',
    reason: `${percent(share)} of the packets lost`,
  };
}

function checkLostGap({ leg }: Judged): Finding | undefined {
  const longest = leg.gaps
    .filter(isLost)
    .reduce<Gap | undefined>(
      (most, gap) => (most && lengthOf(most) >= lengthOf(gap) ? most : gap),
      undefined,
    );
  if (longest === undefined || (lengthOf(longest) < LOST_GAP.degraded && longest.cause !== 'disk'))
    return undefined;
  const word = lengthOf(longest) < LOST_GAP.faulty ? 'degraded' : 'faulty';
  const why = longest.cause === 'disk' ? ', because the disk did not take it' : '';
  return { word, reason: `${seconds(lengthOf(longest))} lost at a stretch${why}` };
}

const isLost = ({ cause }: Gap): boolean => cause === 'lost' || cause === 'disk';
const lengthOf = ({ from, to }: Gap): number => to - from;

function checkOrder({ leg }: Judged): Finding | undefined {
  const { received, late, rejected } = leg;
  const share = received === 0 ? 0 : (late + rejected) / received;
  return share < UNORDERLY
    ? undefined
    : { word: 'degraded', reason: `${late} packets late and ${rejected} rejected of ${received}` };
}

/** The audio of a leg against the length of the call as it was signalled. */
function checkEdges({ leg, total }: Judged): Finding | undefined {
  const { firstSample } = leg;
  if (firstSample === undefined) return undefined;
  const gapAt = (edge: (gap: Gap) => boolean): number => {
    const gap = leg.gaps.find(edge);
    return gap === undefined ? 0 : gap.to - gap.from;
  };
  const pausedBefore = leg.gaps
    .filter(({ cause, to }) => cause === 'paused' && to <= firstSample)
    .reduce((sum, { from, to }) => sum + to - from, 0);
  if (firstSample - pausedBefore > EDGE)
    return { word: 'degraded', reason: `began ${seconds(firstSample)} after the call` };
  const tail = gapAt(({ to, cause }) => cause !== 'paused' && total - to < CLOCK_RATE / 2);
  return tail > EDGE ? { word: 'degraded', reason: `ended ${seconds(tail)} before the call` } : undefined;
}

function checkLevels({ leg }: Judged): Finding | undefined {
  const { levels } = leg;
  if (levels === undefined || levels.samples === 0) return undefined;
  const share = levels.clipped / levels.samples;
  return share < CLIPPED_SHARE
    ? undefined
    : { word: 'degraded', reason: `clipped in ${percent(share)} of the samples` };
}

function checkJitter({ leg }: Judged): Finding | undefined {
  if (leg.jitterMax <= JITTER_MS) return undefined;
  return { word: 'degraded', reason: `jitter up to ${Math.round(leg.jitterMax)} ms` };
}

function checkSources({ leg }: Judged): Finding | undefined {
  if (leg.ssrcs.length <= SOURCES) return undefined;
  return { word: 'degraded', reason: `${leg.ssrcs.length} sources after each other` };
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} percent`;
const seconds = (ticks: number): string => `${(ticks / CLOCK_RATE).toFixed(1)} s`;
