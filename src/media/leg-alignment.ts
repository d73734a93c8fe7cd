import { CLOCK_RATE } from './capture.ts';

/** Less than 10 ms is nothing a listener notices, and what senders round to. */
const NOTICED = CLOCK_RATE / 100;
/** Clocks that are said to be further apart than any network delays are not the same clock, whatever they call themselves: 2 s. */
const BELIEVED = 2 * CLOCK_RATE;

/** What the reports of a leg's sender say: by how much its audio stands behind the sender's clock, and whose clock that is. */
export interface SenderClock {
  /** Position of a moment less the sender's time of it, in ticks from the start of the capture. */
  readonly delay: number;
  readonly name: string | undefined;
  readonly host: string;
}

/** A leg as far as its place beside others matters. */
export interface AlignableLeg {
  /** Undefined where there was no report yet, or no audio. */
  senderClock(): SenderClock | undefined;
  /** Moves all that was recorded by so many positions (negative: to an earlier place), as far as it can; returns how far. */
  move(by: number): number;
  /** Tells by how much the audio stands too late, which the next gap takes up. */
  setLate(ticks: number): void;
}

/**
 * Brings legs whose senders share a clock onto one timeline: their packets may have been under way for different times, and the
 * sender's reports say when they were made (RFC 3550 §6.4.1). The leg that came fastest stands right. One that stands later is moved while
 * nothing of it is final, else its next gap is made shorter; where it has no room before it, the others are moved behind it.
 */
export function alignLegs(legs: readonly AlignableLeg[]): void {
  const known = withOneClock(legs);
  const latest = latestOf(known);
  if (latest !== undefined && latest.late >= NOTICED) {
    const rest = latest.late + latest.leg.move(-latest.late);
    const others = rest < NOTICED ? [] : known.filter(({ leg }) => leg !== latest.leg);
    for (const { leg } of others) leg.move(rest);
  }
  for (const { leg, late } of lateness(known)) leg.setLate(late >= NOTICED ? late : 0);
}

interface ClockedLeg {
  readonly leg: AlignableLeg;
  readonly clock: SenderClock;
}

/** The legs that have the clock of the first one that has any; none where they are too far apart to be believed. */
function withOneClock(legs: readonly AlignableLeg[]): readonly ClockedLeg[] {
  const clocked = legs.flatMap((leg) => {
    const clock = leg.senderClock();
    return clock === undefined ? [] : [{ leg, clock }];
  });
  const [first] = clocked;
  const known = clocked.filter(({ clock }) => first !== undefined && isSame(first.clock, clock));
  return (latestOf(known)?.late ?? 0) > BELIEVED ? [] : known;
}

const isSame = (one: SenderClock, other: SenderClock): boolean =>
  one.host === other.host || (one.name !== undefined && one.name === other.name);

function lateness(known: readonly ClockedLeg[]): { readonly leg: AlignableLeg; readonly late: number }[] {
  const delays = known.map(({ leg }) => leg.senderClock()?.delay ?? 0);
  const least = Math.min(...delays);
  return known.map(({ leg }, at) => ({ leg, late: Math.round((delays[at] ?? least) - least) }));
}

const latestOf = (
  known: readonly ClockedLeg[],
): { readonly leg: AlignableLeg; readonly late: number } | undefined =>
  lateness(known).sort((one, other) => other.late - one.late)[0];
