import type { Tally } from './counters.ts';
import type { SeenMessage } from './flow.ts';
import type { SipServerLimits } from './limits.ts';
import type { Log } from './log.ts';
import type { SourceRates } from './source-rates.ts';
import type { SipTimers } from './timers.ts';

/** What transactions and dialogs need of their surroundings. */
export interface Shared {
  readonly timers: SipTimers;
  readonly limits: SipServerLimits;
  /** How much each source may begin. */
  readonly rates: SourceRates;
  /** Whether a source is forgiven what DLG-6 and DLG-7 of siprec-interop.md list. */
  readonly lenient: (address: string) => boolean;
  readonly log: Log;
  readonly tally: Tally;
  /** Told of every message that comes in or goes out. */
  readonly seen: ((message: SeenMessage) => void) | undefined;
}
