import type { Day } from '../rules/retention.ts';
import type { RecordingRow } from './ports.ts';
import type { DeletionOrder, HoldRow } from './retention-orders.ts';

/** A recording with what is known of its deletion. */
export interface DeletableRow extends RecordingRow {
  /** Set from the moment the deletion began. */
  readonly deletion?: DeletionOrder;
}

/** One run of the deletion job. */
export interface DeletionRun {
  readonly day: Day;
  readonly at: number;
  /** `done`, or why nothing was deleted. */
  readonly outcome: string;
  readonly due: number;
  readonly deleted: number;
  /** Begun, but an archive still refuses. */
  readonly pending: number;
}

/** What deletion and holds ask of the log; `store/retention-store.ts` fits. Every method rejects with StoreError. */
export interface RetentionStore {
  /** Delivered everywhere, last day to keep before `day`, no hold in force, no deletion begun; oldest first, `limit` at most. */
  due(day: Day, limit: number): Promise<readonly DeletableRow[]>;
  /** How many are due, and how many of those past their day a hold keeps. */
  countDue(day: Day): Promise<{ readonly due: number; readonly held: number }>;
  /** Deletions that have begun and are not finished. */
  begun(): Promise<readonly DeletableRow[]>;
  recording(id: string): Promise<DeletableRow | undefined>;
  /** Holds in force over a recording. */
  holdsOver(recording: string): Promise<readonly HoldRow[]>;
  /** All holds, newest first, with the number of their recordings. */
  holds(): Promise<readonly (HoldRow & { readonly recordings: number })[]>;
  hold(id: string): Promise<HoldRow | undefined>;
  heldBy(hold: string): Promise<readonly string[]>;
  lastRun(): Promise<DeletionRun | undefined>;
  putRun(run: DeletionRun): Promise<void>;
}
