/** The timers of RFC 3261 table 4 in milliseconds, and three of our own. */
export interface SipTimers {
  /** Round trip estimate; the first retransmission interval. */
  readonly t1: number;
  /** Longest retransmission interval of non-INVITE requests and of responses to INVITE. */
  readonly t2: number;
  /** How long a message stays in the network. */
  readonly t4: number;
  /** A request the application leaves unanswered this long is given up. */
  readonly applicationSilence: number;
  /** How long a TCP connection may take to open. */
  readonly connect: number;
  /** How long dialogs wait for another application when theirs has gone. */
  readonly orphan: number;
  /** One second of Expires and Session-Expires; tests shorten it. */
  readonly second: number;
}

export const DEFAULT_TIMERS: SipTimers = {
  t1: 500,
  t2: 4_000,
  t4: 5_000,
  applicationSilence: 64_000,
  connect: 5_000,
  orphan: 600_000,
  second: 1_000,
};

/** 64·T1: the end of timers B, F, H, J and L (RFC 3261 §17, RFC 6026 §7). */
export const transactionTimeout = (timers: SipTimers): number => 64 * timers.t1;
