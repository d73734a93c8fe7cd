import { NumberPlan } from './number-plan.ts';
import type { Confidence } from './derived.ts';
import type { Sides } from './parties.ts';
import type { DerivedFields } from './vendors/profile.ts';

export type CallDirection = 'in' | 'out' | 'internal' | 'unknown';

export interface Direction {
  readonly direction: CallDirection;
  readonly directionSource: string;
  readonly directionConfidence?: Confidence;
  readonly directionRule?: string;
}

const NOT_SIGNALLED: Direction = { direction: 'unknown', directionSource: 'not signalled' };

/**
 * Which way a call went (siprec-interop.md 5.2): as its type says relative to the recorded user, else by the numbers that
 * belong to the operator. Never throws; patterns that cannot be read belong to nobody.
 */
export function decideDirection(
  { direction, unordered }: DerivedFields,
  sides: Pick<Sides, 'caller' | 'callee'>,
  ownNumbers: readonly string[],
): Direction {
  if (direction !== undefined)
    return {
      direction: direction.value,
      directionSource: direction.source,
      directionConfidence: direction.confidence,
      directionRule: direction.rule,
    };
  const plan = planOf(ownNumbers);
  const { caller, callee } = sides;
  if (plan === undefined || caller.number === undefined || callee.number === undefined) return NOT_SIGNALLED;
  const [ourCaller, ourCallee] = [plan.includes(caller.number), plan.includes(callee.number)];
  const place = (ours: boolean): string => (ours ? 'internal' : 'external');
  const found = wayOf(ourCaller, ourCallee);
  const known = unordered !== true || found === 'internal';
  return {
    direction: known ? found : 'unknown',
    directionSource: `number plan: caller ${place(ourCaller)}, callee ${place(ourCallee)}${known ? '' : '; who called is not signalled'}`,
    directionConfidence: weaker(caller.confidence, callee.confidence),
    directionRule: '5.2-2',
  };
}

function wayOf(caller: boolean, callee: boolean): CallDirection {
  if (caller) return callee ? 'internal' : 'out';
  return callee ? 'in' : 'unknown';
}

const ORDER: readonly Confidence[] = ['low', 'medium', 'high'];

const weaker = (one: Confidence, other: Confidence): Confidence =>
  ORDER.indexOf(one) < ORDER.indexOf(other) ? one : other;

const plans = new WeakMap<readonly string[], NumberPlan>();

/** A trunk's patterns are read once: they are asked for with every request of a call. */
function planOf(patterns: readonly string[]): NumberPlan | undefined {
  if (patterns.length === 0) return undefined;
  const known = plans.get(patterns);
  if (known !== undefined) return known;
  try {
    const plan = new NumberPlan(patterns);
    plans.set(patterns, plan);
    return plan;
  } catch {
    return undefined;
  }
}
