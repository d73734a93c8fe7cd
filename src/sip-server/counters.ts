/** Running totals since the start. */
export interface Tally {
  requests: number;
  responses: number;
  /** Repeated requests answered or absorbed by their transaction, and our own repetitions. */
  retransmissions: number;
  malformed: number;
  /** Messages nobody waits for: stray responses and ACKs, keep-alives on UDP, datagrams in flight when we close. */
  dropped: number;
  /** Connections refused by a limit. */
  refusedConnections: number;
  /** TLS handshakes that failed or took too long. */
  failedHandshakes: number;
  /** New requests and unreadable messages beyond their source's rate. */
  rateLimited: number;
}

/** The totals and how many of each thing are alive now. */
export interface SipServerCounters extends Readonly<Tally> {
  readonly connections: number;
  /** TLS handshakes under way. */
  readonly handshakes: number;
  readonly applications: number;
  readonly serverTransactions: number;
  readonly clientTransactions: number;
  readonly dialogs: number;
}

export const newTally = (): Tally => ({
  requests: 0,
  responses: 0,
  retransmissions: 0,
  malformed: 0,
  dropped: 0,
  refusedConnections: 0,
  failedHandshakes: 0,
  rateLimited: 0,
});
