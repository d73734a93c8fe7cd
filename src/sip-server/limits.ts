/** What a peer may ask of the server before it is refused. */
export interface SipServerLimits {
  /** Bytes of one message on TCP (a datagram ends at 64 KiB by itself). */
  readonly messageBytes: number;
  readonly headerCount: number;
  /** Open TCP and TLS connections, together and from one address. */
  readonly connections: number;
  readonly connectionsPerAddress: number;
  /** New connections from one address in a second. */
  readonly connectionsPerSecond: number;
  /** TLS handshakes under way at once, and how long one may take. */
  readonly handshakes: number;
  readonly handshakeSeconds: number;
  /** A connection that has not brought one message or keep-alive after this time is closed, however many octets trickle in. */
  readonly firstMessageSeconds: number;
  /** A connection without traffic and without a dialog is closed after this time. */
  readonly idleSeconds: number;
  /** Requests unanswered at once; beyond, new ones get 503, but for those of dialogs. */
  readonly pendingTransactions: number;
  /** Answered requests remembered, so that they are known when they come again; the oldest are forgotten before their time. */
  readonly finishedTransactions: number;
  /**
   * Requests from one address in a second that begin something new or cannot be read. What belongs to a dialog or transaction
   * there is never counts.
   */
  readonly messagesPerSecond: number;
}

export const DEFAULT_LIMITS: SipServerLimits = {
  messageBytes: 262_144,
  headerCount: 256,
  connections: 10_000,
  connectionsPerAddress: 2_000,
  connectionsPerSecond: 500,
  handshakes: 500,
  handshakeSeconds: 10,
  firstMessageSeconds: 60,
  idleSeconds: 600,
  pendingTransactions: 50_000,
  // Two a call: at 300 calls a second over UDP all have their 32 s (RFC 3261 table 4).
  finishedTransactions: 20_000,
  messagesPerSecond: 5_000,
};
