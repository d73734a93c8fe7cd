import type { AnnouncedRow, MarkRow } from '../jobs/log-records.ts';
import type { LegVerdict } from '../media/verdict.ts';
import type { DeliveryRow, FileRow, RecordingRow, RecordingState, StepRow } from '../jobs/ports.ts';

/** A recording as the list shows it: without the capture's statistics. */
export type ListedRecording = Omit<RecordingRow, 'capture'>;

/** Where a page of the list ended; the next one begins behind it. */
export type ListPosition = Pick<RecordingRow, 'startedAt' | 'id'>;

/** Everything the log says about one recording. */
export interface RecordingDetails {
  readonly recording: RecordingRow;
  readonly files: readonly FileRow[];
  readonly deliveries: readonly DeliveryRow[];
  /** Once sealed. */
  readonly verdicts?: readonly LegVerdict[];
  /** In order of time. */
  readonly steps: readonly StepRow[];
  /** Other recordings of the same call. */
  readonly related?: readonly {
    readonly id: string;
    readonly startedAt: number;
    readonly fileName?: string;
    /** What both carry. */
    readonly sharedId: string;
  }[];
  /** What was heard in its call, oldest first. */
  readonly announcements?: readonly AnnouncedRow[];
  /** Its timeline, in order. */
  readonly marks?: readonly MarkRow[];
}

/** What the pages need from the database; `store/recording-queries.ts` fits. Every method may reject while the database is away. */
export interface RecordingQueries {
  /** Newest start first; with `before`, only what comes behind it. */
  listNewest(limit: number, before?: ListPosition): Promise<readonly ListedRecording[]>;
  findRecording(id: string): Promise<RecordingDetails | undefined>;
  /** States without a recording may be missing. */
  countByState(): Promise<Readonly<Partial<Record<RecordingState, number>>>>;
}
