import type { Day } from '../rules/retention.ts';

/** Why a recording is deleted and who wants it. */
export interface DeletionOrder {
  readonly reason: 'retention' | 'erasure' | 'order';
  /** Retention profile, or in one word what else demands it: small letters, digits, dashes. */
  readonly policy: string;
  /** Day on which it became due. */
  readonly due?: Day;
  /** `system`, or who ordered it. */
  readonly actor: string;
  /** For people: why, when it was ordered. */
  readonly why?: string;
}

/** A legal hold over some recordings. Times are epoch milliseconds. */
export interface HoldRow {
  readonly id: string;
  /** Reference of the case. */
  readonly case: string;
  readonly reason: string;
  readonly actor: string;
  readonly placedAt: number;
  /** As its entries have the case, which its release repeats; of an earlier version the plain SHA-256 of the reference. */
  readonly caseHash: string;
  readonly releasedAt?: number;
  readonly releasedBy?: string;
  readonly releaseReason?: string;
}

/** Changes that belong to retention, inside one transaction of the log. */
export interface RetentionWriter {
  beginDeletion(recording: string, order: DeletionOrder, at: number): Promise<void>;
  /** State `expired`: what is left is the id, the times, the entries and the copies with the time of their removal; no person. */
  expireRecording(recording: string, at: number): Promise<void>;
  putHold(hold: HoldRow, recordings: readonly string[]): Promise<void>;
  releaseHold(
    id: string,
    release: { readonly at: number; readonly actor: string; readonly reason: string },
  ): Promise<void>;
  setRetainUntil(recording: string, until: Day): Promise<void>;
}
