import { guarded } from './log.ts';
import type { Shared } from './shared.ts';
import { transactionTimeout } from './timers.ts';

/** A 2xx to INVITE on its way: repeated on every transport until the ACK comes (RFC 3261 §13.3.1.4). */
export class UnacknowledgedOk {
  readonly cseq: number;
  readonly txnId: string;
  #after: number;
  #resendTimer: NodeJS.Timeout | undefined;
  readonly #endTimer: NodeJS.Timeout;

  constructor(
    sent: { cseq: number; txnId: string; resend: () => void; giveUp: () => void },
    shared: Pick<Shared, 'timers' | 'log' | 'tally'>,
  ) {
    this.cseq = sent.cseq;
    this.txnId = sent.txnId;
    const { timers, log, tally } = shared;
    this.#after = timers.t1;
    const again = (): void => {
      guarded(log, 'repeating a 2xx', () => {
        tally.retransmissions += 1;
        sent.resend();
        this.#after = Math.min(2 * this.#after, timers.t2);
        this.#resendTimer = setTimeout(again, this.#after);
      });
    };
    this.#resendTimer = setTimeout(again, this.#after);
    this.#endTimer = setTimeout(() => {
      this.stop();
      guarded(log, 'ACK timeout', sent.giveUp);
    }, transactionTimeout(timers));
  }

  stop(): void {
    clearTimeout(this.#resendTimer);
    clearTimeout(this.#endTimer);
  }
}
