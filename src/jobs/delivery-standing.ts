/** How the deliveries of one destination stand. */
export interface DeliveryStanding {
  readonly destination: string;
  /** Not tried yet, or asked for anew. */
  readonly waiting: number;
  /** Tried without success; they are tried again. */
  readonly failed: number;
  /** Of the failed ones: those where only a person can help. */
  readonly permanent: number;
  /** Since when the oldest of them waits, epoch milliseconds; absent when there is none. */
  readonly oldestSince?: number;
  /** What the newest failure said. */
  readonly lastError?: string;
  /** When that was, epoch milliseconds. */
  readonly lastFailureAt?: number;
}

/** A destination that fails. Times are epoch milliseconds. */
export interface DeliveryTrouble {
  readonly destination: string;
  readonly since: number;
  /** When people were last told; undefined while they could not be. */
  readonly toldAt?: number;
  /** Set when it takes recordings again, while those that waited for it are on their way. */
  readonly recoveringSince?: number;
}
