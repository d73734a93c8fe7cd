import type { Readable } from 'node:stream';

/** One file on its way to an archive. `path` is relative to the destination's root, with `/`. */
export interface Upload {
  readonly path: string;
  readonly size: number;
  /** Hex. */
  readonly sha256: string;
  open(): Readable;
}

/** What a destination can say about a stored copy. */
export interface StoredCopy {
  /** Where it is, for people: a path or URL without credentials. */
  readonly location: string;
  /** How the copy was proved: by reading it back or by the server's own checksum. */
  readonly proof: 'read-back' | 'server-checksum';
}

/** Somewhere finished recordings are copied to. Every implementation passes `test/delivery/conformance.ts`. */
export interface Destination {
  readonly name: string;
  /**
   * Stores the file under `upload.path`: temporary name, fsync, rename without overwriting, copy proved by hash.
   * Repeating a completed put with the same bytes succeeds; other bytes there throw PermanentUploadError.
   */
  put(upload: Upload, signal: AbortSignal): Promise<StoredCopy>;
  /**
   * Stores a file that only ever grows (the entry files of the log). Replaces atomically a shorter file whose bytes are a prefix
   * of the new ones; a longer one that begins with the new bytes is left alone; anything else throws PermanentUploadError.
   */
  extend(upload: Upload, signal: AbortSignal): Promise<StoredCopy>;
}

/** Thrown when trying again cannot help: bad credentials, quota, a different file already there. */
export class PermanentUploadError extends Error {
  override readonly name = 'PermanentUploadError';
}
