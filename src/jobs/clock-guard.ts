/** What is known of the clock when recordings are to be deleted. Wall-clock times are epoch milliseconds. */
export interface ClockFacts {
  readonly now: number;
  /** Milliseconds of the monotonic clock, which nobody can set. */
  readonly monotonic: number;
  /** Both clocks when this process began. */
  readonly began: { readonly now: number; readonly monotonic: number };
  /** When the process before this one was last known to be alive. */
  readonly lastAlive: number | undefined;
  /** Time of the newest entry in the evidence log. */
  readonly newestEntry: number | undefined;
  /** Whether the system clock is disciplined. */
  readonly synced: boolean;
  /** `any`: the operator vouches for a clock that the kernel does not know to be disciplined. */
  readonly demand: 'synced' | 'any';
  /** Somebody looked at the clock during this run of the process and said that it is right. */
  readonly confirmed: boolean;
}

/** The wall clock may go this much differently from the monotonic one, a leap and slewing included. */
const DRIFT = 60_000;
/** Longer than this nobody leaves a recorder off; a gap this long is rather a wrong clock. */
const LONGEST_OFF = 30 * 24 * 3_600_000;

/**
 * Why nothing may be deleted now; undefined when the clock can be trusted. A clock that is wrong by years would delete years of recordings, so
 * every doubt stops the job: deleting a day later harms nobody.
 */
export function clockFault(facts: ClockFacts): string | undefined {
  const { now, monotonic, began, lastAlive, newestEntry } = facts;
  const jump = now - began.now - (monotonic - began.monotonic);
  if (Math.abs(jump) > DRIFT)
    return `the clock jumped by ${Math.round(jump / 1000)} s since the recorder was started`;
  if (newestEntry !== undefined && now < newestEntry - DRIFT)
    return 'the clock is behind the newest entry of the evidence log';
  if (facts.confirmed) return undefined;
  if (lastAlive !== undefined && began.now - lastAlive > LONGEST_OFF)
    return 'the recorder was off for more than 30 days, or the clock is wrong: look, and then: sealtape retention confirm-clock';
  if (!facts.synced && facts.demand === 'synced')
    return 'the system clock is not synchronised (retention.clock: any would not ask)';
  return undefined;
}
