import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';

/** How long, and how strictly, the archive itself is to keep a copy from being changed or removed. */
export interface Retention {
  /** Epoch milliseconds. */
  readonly until: number;
  /** `governance` can be lifted by somebody with a special right there, `compliance` by nobody. */
  readonly mode: 'governance' | 'compliance';
}

/** One file on its way to an archive. `path` is relative to the destination's root, with `/`. */
export interface Upload {
  readonly path: string;
  readonly size: number;
  /** Hex. */
  readonly sha256: string;
  /** The octets from `from` on, 0 by default; may be called several times. */
  open(from?: number): Readable;
  /** Where the octets are on this machine, when they are a file of it. */
  readonly file?: string;
  /** The octets themselves, when they are few and in memory anyway. */
  readonly octets?: Buffer;
  /** Set together with the copy where the destination can lock; elsewhere it is left out, see `Capabilities.lock`. */
  readonly retention?: Retention;
  readonly hold?: boolean;
}

/** Octets read from a file by one request: each of them wakes a thread. */
const BLOCK = 256 * 1024;

/** `open` of an Upload that is a file of this machine. */
export const openingOf =
  (file: string): Upload['open'] =>
  (start = 0) =>
    createReadStream(file, { start, highWaterMark: BLOCK });

/** What a destination can say about a stored copy. */
export interface StoredCopy {
  /** Where it is, for people: a path or URL without credentials. */
  readonly location: string;
  /** How the copy was proved: by reading it back or by the server's own checksum. */
  readonly proof: 'read-back' | 'server-checksum';
  /** The checksum that proved it, for example `sha256:<hex>` or `quickxor:<base64>`. */
  readonly checksum: string;
  /** The server's id of this version, where it keeps several. */
  readonly version?: string;
  /** What the server has locked, where it can. */
  readonly retention?: Retention;
}

/** A file in an archive; without `version` its newest one is meant. */
export interface CopyReference {
  readonly path: string;
  readonly version?: string;
}

export interface StoredFile extends CopyReference {
  readonly size: number;
  /** Epoch milliseconds, by the server's clock. */
  readonly modifiedAt?: number;
  readonly retention?: Retention;
  readonly hold?: boolean;
}

/** What the server behind a destination can do; found out by asking and trying, not by its name. */
export interface Capabilities {
  /** Keeps copies itself: `setRetention` and `setHold` work, or uploads carry a label. `none`: only its administrator can. */
  readonly lock: 'none' | 'object-lock' | 'label';
  /** A file can be stored so that one already there is never replaced, whoever else writes at the same moment. */
  readonly atomicCreate: boolean;
  /** What protects the way there; `none` also for a folder, whose way is the operator's. */
  readonly encryption: 'none' | 'tls' | 'ssh' | 'smb3';
  /** The server's own checksum proves copies; otherwise they are read back. */
  readonly serverChecksum: boolean;
  /** More that an administrator should know, a sentence each. */
  readonly remarks: readonly string[];
}

/**
 * Somewhere finished recordings are copied to. Every kind passes `test/delivery/conformance.ts`.
 *
 * Whatever fails rejects with PermanentUploadError when only a person can help, and with another error when it may pass by itself.
 * An aborted call rejects with the latter and leaves nothing half behind under a final name.
 */
export interface Destination {
  readonly name: string;
  /**
   * Stores the file under `upload.path`: temporary name, made durable, renamed without overwriting, copy proved by hash.
   * Repeating a completed put with the same bytes succeeds; other bytes there are the fault `name-taken`.
   */
  put(upload: Upload, signal: AbortSignal): Promise<StoredCopy>;
  /**
   * Stores several files as `put` does, in one go: no file of a stage has its name before those of the stages before it have theirs, and are
   * durable. Resolves with one copy for each of them, in order; rejects with the first failure, whatever was stored until then. Repeating it is
   * as harmless. Left out where nothing is gained by it.
   */
  putStages?:
    | ((stages: readonly (readonly Upload[])[], signal: AbortSignal) => Promise<readonly StoredCopy[]>)
    | undefined;
  /**
   * Stores a file that only ever grows (the entry files of the log). Replaces a shorter file whose bytes are a prefix of the new
   * ones; a longer one that begins with the new bytes is left alone; anything else is the fault `name-taken`.
   */
  extend(upload: Upload, signal: AbortSignal): Promise<StoredCopy>;
  /** The octets of a stored file; undefined when there is none. What fails later comes as the stream's error. */
  open(copy: CopyReference, signal: AbortSignal): Promise<Readable | undefined>;
  /** Undefined when there is certainly no such file; not being able to look rejects. */
  stat(copy: CopyReference, signal: AbortSignal): Promise<StoredFile | undefined>;
  /** The files directly in a folder, unfinished ones left out; empty when there is no such folder. */
  list(folder: string, signal: AbortSignal): Promise<readonly StoredFile[]>;
  /**
   * Removes a file, where the server keeps versions this one for good. False when there was none. A lock or hold there that
   * forbids it is the fault `locked`.
   */
  remove(copy: CopyReference, signal: AbortSignal): Promise<boolean>;
  /** Locks until then; later only, never earlier. Fault `unsupported` where `Capabilities.lock` is not `object-lock`. */
  setRetention(copy: CopyReference, retention: Retention, signal: AbortSignal): Promise<void>;
  /** Keeps the file whatever its retention says, until taken back. Fault `unsupported` as above. */
  setHold(copy: CopyReference, on: boolean, signal: AbortSignal): Promise<void>;
  capabilities(signal: AbortSignal): Promise<Capabilities>;
  /** Ends connections and child processes. May be called twice. */
  close(): Promise<void>;
}

/**
 * Why only a person can help: the server does not know or let us (`credentials`), is not the one it should be (`identity`), has no more
 * room for us (`quota`), has other bytes under the name (`name-taken`), refused to lock (`lock-refused`), keeps a file that is to be
 * removed (`locked`), cannot do that at all (`unsupported`); or the path cannot be stored (`unusable-path`), the file in the spool is
 * not the sealed one (`source-changed`), the settings do not fit (`configuration`).
 */
export type PermanentFault =
  | 'credentials'
  | 'identity'
  | 'quota'
  | 'name-taken'
  | 'lock-refused'
  | 'locked'
  | 'unsupported'
  | 'unusable-path'
  | 'source-changed'
  | 'configuration';

/** Thrown when trying again cannot help until a person has done something. */
export class PermanentUploadError extends Error {
  override readonly name = 'PermanentUploadError';
  readonly fault: PermanentFault;

  constructor(fault: PermanentFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}

const OF_RECORDING: ReadonlySet<PermanentFault> = new Set([
  'name-taken',
  'lock-refused',
  'locked',
  'unsupported',
  'unusable-path',
  'source-changed',
]);

/** Whether an error is the fault of what was to be stored, so that other recordings may well arrive. */
export const isOfRecording = (error: unknown): boolean =>
  error instanceof PermanentUploadError && OF_RECORDING.has(error.fault);
