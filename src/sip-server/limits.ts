/** What a peer may ask of the server before it is refused. */
export interface SipServerLimits {
  /** Bytes of one message on TCP (a datagram ends at 64 KiB by itself). */
  readonly messageBytes: number;
  readonly headerCount: number;
  /** Open TCP connections, together and from one address. */
  readonly connections: number;
  readonly connectionsPerAddress: number;
  /** A TCP connection without traffic and without a dialog is closed after this time. */
  readonly idleSeconds: number;
  /** Server transactions alive at once; beyond, new requests get 503. */
  readonly pendingTransactions: number;
}

export const DEFAULT_LIMITS: SipServerLimits = {
  messageBytes: 262_144,
  headerCount: 256,
  connections: 10_000,
  connectionsPerAddress: 2_000,
  idleSeconds: 600,
  pendingTransactions: 50_000,
};
