import type { FileHash } from './hash-file.ts';
import type { Keyring } from './keyring.ts';
import type { AudioBeginning } from './segment-check.ts';
import type { CheckedLog } from './verify-log.ts';

/** The files of one recording as they were found. */
export interface RecordingView {
  /** `<rec>`. */
  readonly name: string;
  /** Folder below the archive, '' or ending in a slash. */
  readonly folder: string;
  readonly info: Uint8Array | undefined;
  readonly hashes: Uint8Array | undefined;
  readonly signature: Uint8Array | undefined;
  /** The leaf of the log, and the proof that it is one. */
  readonly entry?: Uint8Array | undefined;
  readonly proof?: Uint8Array | undefined;
  /** SHA-256 of every other file of this name, hex. */
  readonly others: readonly FileHash[];
  /** What the files begin with where the log says something about that. */
  readonly beginnings?: readonly AudioBeginning[];
}

/** What a recording is held against. */
export interface RecordingContext {
  /** By origin. */
  readonly logs: ReadonlyMap<string, CheckedLog>;
  readonly keyring: Keyring;
}
