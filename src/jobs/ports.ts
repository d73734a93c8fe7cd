import type { Readable } from 'node:stream';
import type {
  AnnouncementChangeEvent,
  AnnouncedEvent,
  CallFacts,
  DeclinedEvent,
  EndReason,
  MembershipEvent,
  RecorderEvent,
  RecordingStatus,
  RulesEvent,
} from '../recorder/events.ts';
import type { AnnouncedRow, ChainHead, CheckpointRow, EntryRow, FileRow, MarkRow } from './log-records.ts';
import type { EvidenceStore, EvidenceWriter } from './evidence-ports.ts';
import type { CapturedFile, CaptureResult, Stopped } from '../media/capture.ts';
import type { LegVerdict } from '../media/verdict.ts';
import type { Decision } from '../rules/decision.ts';
import type { CallDescription } from '../siprec/description.ts';
import type { Kept } from '../rules/retention.ts';
import type { Retention } from './destination.ts';
import type { RetentionWriter } from './retention-orders.ts';

export type { ChainHead, CheckpointRow, EntryRow, FileRow } from './log-records.ts';

/** architecture.md: the states a recording walks through. */
export type RecordingState = 'recording' | 'ended' | 'sealed' | 'delivered' | 'expired' | 'failed';

/** One row of `recordings`, complete. Times are epoch milliseconds. */
export interface RecordingRow {
  readonly id: string;
  readonly state: RecordingState;
  readonly facts: CallFacts;
  readonly description: CallDescription;
  /** Why it is recorded and what is to become of it; absent in recordings of earlier versions. */
  readonly decision?: Decision;
  readonly openedAt: number;
  readonly startedAt: number;
  /** It was recorded while nothing could be signed: since then. */
  readonly keysMissingSince?: number;
  readonly endedAt?: number;
  readonly endReason?: EndReason;
  readonly status?: RecordingStatus;
  readonly failReason?: string;
  /** Somebody ordered its end; what a crash left of it is cut there. */
  readonly stopped?: Stopped;
  /** Set when ended; the seal job reads files and statistics from it. */
  readonly capture?: CaptureResult;
  /** Index of the `open` entry. */
  readonly openIndex?: number;
  /** Index of the `recording` or `failed` entry. */
  readonly entryIndex?: number;
  /** `<rec>`: the common part of the file names; unique. */
  readonly fileName?: string;
  /** Folder below the destination root, filled from the destination's template at seal time is per destination; this is the default one. */
  readonly sealedAt?: number;
  /** Set when sealed. */
  readonly kept?: Kept;
}

/** What became of a playable copy. `made`: it is in the spool; `failed`: there is none, and why. */
export interface RenderRow {
  readonly recording: string;
  readonly outcome: 'made' | 'failed';
  /** The program that made it, or why nothing came of it. */
  readonly detail: string;
  /** Its working file, when made. */
  readonly file?: CapturedFile;
  readonly at: number;
}

export type DeliveryState = 'waiting' | 'delivered' | 'failed';

export interface DeliveryRow {
  readonly recording: string;
  readonly destination: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly updatedAt: number;
  /** True when trying again cannot help without a person. */
  readonly permanent: boolean;
  /** Not tried again before, epoch milliseconds; absent: at once, as far as the destination takes anything. */
  readonly dueAt?: number;
  readonly error?: string;
  readonly location?: string;
}

/** One file of a recording at a destination, as it was proved there. Times are epoch milliseconds. */
export interface CopyRow {
  readonly recording: string;
  readonly destination: string;
  /** Base name. */
  readonly name: string;
  /** Below the destination's root, with `/`. */
  readonly path: string;
  /** For people. */
  readonly location: string;
  readonly checksum: string;
  readonly version?: string;
  /** Until when the destination itself refuses deletion, and how strictly. */
  readonly retention?: Retention;
  /** Set when it was deleted there. */
  readonly removedAt?: number;
}

export interface StepRow {
  readonly recording?: string;
  readonly at: number;
  readonly step: string;
  readonly outcome: 'ok' | 'warning' | 'error';
  readonly detail?: string;
  /** Who did it, where a person or program asked for it. */
  readonly actor?: string;
}

/**
 * Everything a seal will write, decided and signed before the first byte is placed (evidence.md 1.7). Stored in the transaction of its
 * entry, and kept until its files are on disk; after a crash they are written from it byte for byte.
 */
export interface SealIntent {
  readonly recording: string;
  readonly entry: EntryRow;
  readonly headAfter: ChainHead;
  readonly fileName: string;
  /** As the entry states it; earlier versions left it out. */
  readonly status?: RecordingStatus;
  /** Why what is on the disk may not be what was heard, a sentence each. */
  readonly doubts?: readonly string[];
  /** Small files in the order they are written: info, hash, signature. */
  readonly texts: readonly {
    readonly name: string;
    readonly kind: FileRow['kind'];
    readonly bytes: Buffer;
  }[];
  /** Audio: working path now, final base name. */
  readonly audio: readonly {
    readonly from: string;
    readonly name: string;
    /** Default `audio`. */
    readonly kind?: FileRow['kind'];
    readonly bytes: number;
    readonly sha256: string;
  }[];
  readonly verdicts?: readonly LegVerdict[];
  /** What was heard in the call. */
  readonly announced?: readonly Pick<AnnouncedRow, 'id' | 'linkedBy'>[];
  readonly at: number;
  readonly kept?: Kept;
}

/** A recording with what its seal asks of the log. */
export interface Sealable {
  readonly row: RecordingRow;
  /** The unfinished seal. */
  readonly intent?: SealIntent;
  /** Absent while nobody tried. */
  readonly render?: RenderRow;
  /** Whether the log stated some of its audio while it grew. */
  readonly hasSegments: boolean;
  readonly hasMarks: boolean;
  /** Some call has heard something; whether this one has, `announced` says. */
  readonly mayHaveAnnounced: boolean;
}

/** How far a log was exported to a destination. */
export interface ExportState {
  readonly entries: number;
  /** Size of the newest checkpoint there. */
  readonly checkpoint: number;
  /** Id of the newest further file there, see `EvidenceFile`. */
  readonly files: number;
}

/** Changes to the log. All calls made in one `LogStore.write` are one transaction. */
export interface LogWriter {
  readonly evidence: EvidenceWriter;
  /** Deletions, holds and days. */
  readonly retention: RetentionWriter;
  /** Fails when index or prev is taken (UNIQUE), which makes a fork by a second process impossible. Also moves the head. */
  appendEntry(entry: EntryRow, head: ChainHead): Promise<void>;
  /** Index of the recording's `open` entry, seen inside this transaction. Rejects with StoreError when there is none. */
  openIndexOf(id: string): Promise<number>;
  openRecording(row: Omit<RecordingRow, 'state'>): Promise<void>;
  describeRecording(id: string, description: CallDescription): Promise<void>;
  /** Adds a mark to the timeline of a recording, behind those it has. */
  addMark(id: string, mark: MarkRow): Promise<void>;
  /** Nothing of the recording from then on may be kept. */
  stopRecording(id: string, stopped: Stopped): Promise<void>;
  endRecording(
    id: string,
    end: {
      readonly at: number;
      readonly reason: EndReason;
      readonly status: RecordingStatus;
      readonly capture: CaptureResult;
    },
  ): Promise<void>;
  failRecording(
    id: string,
    failure: { readonly at: number; readonly reason: string; readonly entryIndex: number },
  ): Promise<void>;
  /** State `sealed`, with its file rows and one waiting delivery per destination (none twice). */
  sealRecording(
    id: string,
    seal: {
      readonly at: number;
      readonly fileName: string;
      readonly entryIndex: number;
      readonly files: readonly FileRow[];
      readonly destinations: readonly string[];
      /** As it was sealed, where that is not how it ended. */
      readonly status?: RecordingStatus | undefined;
      readonly kept?: Kept | undefined;
      readonly verdicts?: readonly LegVerdict[] | undefined;
      readonly announced?: readonly Pick<AnnouncedRow, 'id' | 'linkedBy'>[] | undefined;
    },
  ): Promise<void>;
  /** A call that the rules kept out, with the index of its entry. */
  addDeclined(declined: DeclinedEvent & { readonly entryIndex: number }): Promise<void>;
  /** Whether the log has this very change already, be it in this transaction: a start states again what may not have been stated before a crash. */
  isStated(change: RulesEvent | MembershipEvent | AnnouncementChangeEvent): Promise<boolean>;
  addRuleSet(change: RulesEvent): Promise<void>;
  /** Begins a span of membership or login, or ends the one that lasts. */
  changeMembership(change: MembershipEvent): Promise<void>;
  /** What a call heard; forgets what nobody needs to know any more. */
  addAnnounced(event: AnnouncedEvent): Promise<void>;
  /** Once a recording; the first outcome counts. */
  putRender(row: RenderRow): Promise<void>;
  setState(id: string, state: RecordingState): Promise<void>;
  setDelivery(row: DeliveryRow): Promise<void>;
  /** Deliveries are done; resolves with those that were not before. */
  putDelivered(
    deliveries: readonly (Pick<DeliveryRow, 'recording' | 'destination'> & { readonly location: string })[],
    at: number,
  ): Promise<readonly Pick<DeliveryRow, 'recording' | 'destination'>[]>;
  /** State `delivered` for those of the recordings that are sealed and have all their deliveries; resolves with these, and with those that were delivered before. */
  completeDeliveries(recordings: readonly string[]): Promise<readonly string[]>;
  /** Writes copies; one that is known is brought up to date. */
  putCopies(copies: readonly CopyRow[]): Promise<void>;
  addStep(step: StepRow): Promise<void>;
  putIntent(intent: SealIntent): Promise<void>;
  dropIntent(recording: string): Promise<void>;
  putCheckpoint(row: CheckpointRow): Promise<void>;
  /** Number of the last journal event whose effects are in the database. */
  setCursor(sequence: number): Promise<void>;
  setExport(destination: string, origin: string, state: ExportState): Promise<void>;
}

/** The database, as the jobs see it. `store/log-store.ts` fits. Every method rejects with StoreError while the database is away. */
export interface LogStore {
  readonly evidence: EvidenceStore;
  write<T>(work: (log: LogWriter) => Promise<T>): Promise<T>;
  cursor(): Promise<number>;
  head(origin: string): Promise<ChainHead | undefined>;
  /** Entries from `from` (inclusive) in order of index, at most `limit`. */
  entries(origin: string, from: number, limit: number): Promise<readonly EntryRow[]>;
  recording(id: string): Promise<RecordingRow | undefined>;
  /** Recordings that are to be sealed, by their ids; those that are not there are left out. */
  sealable(ids: readonly string[]): Promise<ReadonlyMap<string, Sealable>>;
  recordingsInState(state: RecordingState): Promise<readonly RecordingRow[]>;
  files(recording: string): Promise<readonly FileRow[]>;
  deliveries(recording: string): Promise<readonly DeliveryRow[]>;
  /** What was heard in the call of a recording, oldest first. */
  announced(row: RecordingRow): Promise<readonly AnnouncedRow[]>;
  /** The timeline of a recording, in order. */
  marks(recording: string): Promise<readonly MarkRow[]>;
  /** Undefined while nobody tried. */
  render(recording: string): Promise<RenderRow | undefined>;
  /** Of all destinations, deleted ones too. */
  copies(recording: string): Promise<readonly CopyRow[]>;
  /** Deliveries not yet done, oldest first. */
  openDeliveries(): Promise<readonly DeliveryRow[]>;
  /** Those of one destination that may be tried at a time (epoch milliseconds), oldest first. */
  dueDeliveries(destination: string, at: number, limit: number): Promise<readonly DeliveryRow[]>;
  intents(): Promise<readonly SealIntent[]>;
  /** The unfinished seal of a recording. */
  intent(recording: string): Promise<SealIntent | undefined>;
  newestCheckpoint(origin: string): Promise<CheckpointRow | undefined>;
  /** Exported checkpoints larger than `afterSize`, in order of size. */
  checkpoints(origin: string, afterSize: number): Promise<readonly CheckpointRow[]>;
  exportState(destination: string, origin: string): Promise<ExportState>;
}

/** A journal event with its number; numbers are contiguous from 1 over the life of the data directory. */
export interface NumberedEvent {
  readonly sequence: number;
  readonly event: RecorderEvent;
}

/** The durable queue between recorder and database; `store/journal.ts` fits. */
export interface JournalReader {
  /** Events after `sequence`, in order, at most `limit`; includes those of earlier runs. */
  after(sequence: number, limit: number): Promise<readonly NumberedEvent[]>;
  /** The database has seen events up to `sequence`: should files be missing, newer events get higher numbers. */
  reserve(sequence: number): void;
  /** Called (without arguments) whenever new events are on disk. */
  onAppend(listener: () => void): void;
  /** Events up to `sequence` are in the database; their files may be removed. */
  forget(sequence: number): Promise<void>;
}

/** Files of ended recordings; `store/spool.ts` fits. */
export interface FileDigest {
  readonly bytes: number;
  readonly sha256: string;
  readonly audioSha256: string;
  readonly beginnings: readonly (string | undefined)[];
}

export interface SealFiles {
  /**
   * SHA-256 of a whole file, of its part from `audioOffset`, and of the first octets of that part, as many as each of `beginnings` says
   * (undefined where there are fewer), all hex, read once from disk.
   */
  digest(path: string, audioOffset: number, beginnings?: readonly number[]): Promise<FileDigest>;
  /**
   * Creates files once: each whole or not at all; equal bytes there are fine, other bytes reject with StoreError DIFFERENT. Their contents are
   * on disk then, their names after `sync`.
   */
  createOnce(
    recording: string,
    files: readonly { readonly name: string; readonly bytes: Uint8Array }[],
  ): Promise<void>;
  /** Renames finished working files to their final names, fine where that already happened, and makes all names of the folder durable. */
  finish(
    recording: string,
    files: readonly { readonly from: string; readonly name: string }[],
  ): Promise<void>;
  /**
   * Brings a file back from an archive under its final name: whole and with this SHA-256 or not at all, fsynced. Makes the folder where
   * it is gone. Rejects when the octets are others; harmless when the file is there already.
   */
  receive(
    recording: string,
    file: { readonly name: string; readonly sha256: string },
    octets: Readable,
  ): Promise<void>;
  /** fsync of the recording's folder. */
  sync(recording: string): Promise<void>;
  /** Absolute path of a finished file. */
  path(recording: string, name: string): string;
  /** Removes the folder of a recording that is delivered everywhere. */
  discard(recording: string): Promise<void>;
}
