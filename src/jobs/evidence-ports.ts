import type { ChainHead, CheckpointRow, EntryRow, FileRow } from './log-records.ts';

/** A file of a log's folder that is neither entries nor a checkpoint; exported in the order of `id`. */
export interface EvidenceFile {
  readonly id: number;
  /** Below the destination's root. */
  readonly path: string;
  readonly bytes: Buffer;
}

/** A time stamp to be fetched for an exported checkpoint. */
export interface StampRow {
  readonly origin: string;
  readonly size: number;
  /** Name in the configuration. */
  readonly authority: string;
  /** Epoch milliseconds. */
  readonly dueAt: number;
  readonly doneAt?: number;
}

/** The largest checkpoint of another log that was seen to be consistent with all before. */
export interface WitnessedRow {
  readonly origin: string;
  readonly size: number;
  /** base64 */
  readonly root: string;
  readonly at: number;
}

/** A part that does not work since then (epoch milliseconds). */
export interface OpenOutage {
  readonly cause: string;
  readonly since: number;
}

/** Changes beside the entries themselves, in the transaction of their `LogWriter`. */
export interface EvidenceWriter {
  /** The same bytes under one path twice are fine; other bytes reject with StoreError CONFLICT. */
  putFile(origin: string, path: string, bytes: Buffer): Promise<void>;
  /** Roots of 256 entries each, hex, from tile `first` on; those known already are left alone. */
  putTiles(origin: string, first: number, roots: readonly string[]): Promise<void>;
  /** The checkpoint of this size leaves with the next export. */
  markExported(origin: string, size: number): Promise<void>;
  putStamp(row: StampRow): Promise<void>;
  finishStamp(row: StampRow, at: number): Promise<void>;
  /** Rejects with StoreError CONFLICT when `before` (0: none) is not what is known: two requests may come at once. */
  setWitnessed(row: WitnessedRow, before: number): Promise<void>;
  /** An outage of a part has begun. The same one twice is fine. */
  beginOutage(outage: OpenOutage): Promise<void>;
  /** It is over. */
  endOutage(outage: OpenOutage): Promise<void>;
  /** All that are not over, oldest first; they are forgotten with this. */
  takeOutages(): Promise<readonly OpenOutage[]>;
  /** Puts further files behind those of a sealed recording. */
  addFiles(files: readonly FileRow[]): Promise<void>;
  /** A recording that runs on in another epoch of the log has its `open` entry there. */
  setOpenIndex(recording: string, index: number): Promise<void>;
}

/** What the evidence log asks the database beside its entries. Every method rejects with StoreError while it is away. */
export interface EvidenceStore {
  /** Heads of all logs of this node, by epoch the largest last. */
  heads(prefix: string): Promise<readonly ChainHead[]>;
  /** In order, without a gap from 0. */
  tiles(origin: string): Promise<readonly string[]>;
  /** One of them by its path. */
  file(path: string): Promise<Buffer | undefined>;
  /** The newest checkpoint that left. */
  newestExported(origin: string): Promise<CheckpointRow | undefined>;
  files(origin: string, after: number, limit: number): Promise<readonly EvidenceFile[]>;
  /** Oldest first. */
  waitingStamps(): Promise<readonly StampRow[]>;
  newestStamp(authority: string): Promise<StampRow | undefined>;
  /** The one that came last. */
  newestDone(authority: string): Promise<StampRow | undefined>;
  witnessed(origin: string): Promise<WitnessedRow | undefined>;
  newestOf(origin: string, types: readonly string[]): Promise<EntryRow | undefined>;
  /** The newest `config` entry about this part of the configuration. */
  newestConfig(origin: string, part: string): Promise<EntryRow | undefined>;
  /** Entries of a type that speak of a recording, in all epochs. */
  entriesOf(recording: string, type: string): Promise<readonly EntryRow[]>;
  /** `recording` entries of sealed recordings of this node that have no proof beside them, oldest first. */
  unproved(limit: number): Promise<readonly (EntryRow & { readonly fileName: string })[]>;
}
