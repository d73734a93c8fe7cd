import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { Upload } from '../jobs/destination.ts';
import { codeOf, DeliveryError, permanent } from './delivery-error.ts';

/** What is read by one request: large, because each of them wakes a thread. */
const BLOCK = 1024 * 1024;
/** So much is brought to the disk at once at the most: between two signs of progress a slow disk needs seconds, not minutes. */
const SYNC_EVERY = 64 * 1024 * 1024;

export interface CopyWatch {
  readonly signal: AbortSignal;
  /** Called whenever octets have moved. */
  readonly onProgress?: () => void;
}

/** SHA-256, hex, of the first `length` octets of a file; undefined when it is shorter. */
export async function hashOfBeginning(
  path: string,
  length: number,
  { signal, onProgress }: CopyWatch,
): Promise<string | undefined> {
  const hash = createHash('sha256');
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(BLOCK, length)));
    for (let at = 0; at < length;) {
      signal.throwIfAborted();
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, length - at), at);
      if (bytesRead === 0) return undefined;
      hash.update(buffer.subarray(0, bytesRead));
      at += bytesRead;
      onProgress?.();
    }
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}

/**
 * Writes an upload to a new file, fsynced, and proves both sides of the copy by reading it back: the source is what the upload says
 * (PermanentUploadError SOURCE_CHANGED otherwise), and what is read back is the source (NOT_PROVED). Returns the hash of the
 * first `prefix` octets.
 */
export async function writeProvedCopy(
  upload: Upload,
  path: string,
  options: CopyWatch & { readonly prefix?: number },
): Promise<string> {
  const { signal, prefix = 0, onProgress } = options;
  const file = await open(path, 'wx', 0o640);
  // A file can be read once more if need be; what comes through a feed is hashed on the way.
  const source = upload.file === undefined ? provedSource(upload, signal) : readSource(upload, signal);
  let written: { readonly bytes: number; readonly prefixSha256: string };
  try {
    written = await copyInto(file, source, { prefix, onProgress });
    await file.sync();
  } finally {
    await file.close();
  }
  signal.throwIfAborted();
  if (written.bytes === upload.size && (await hashOfBeginning(path, upload.size, options)) === upload.sha256)
    return written.prefixSha256;
  if (upload.file !== undefined)
    for await (const part of provedSource(upload, signal)) if (part.length > 0) onProgress?.();
  throw new DeliveryError('NOT_PROVED', `${path}: what is read back is not what was written`);
}

async function copyInto(
  file: FileHandle,
  source: AsyncIterable<Buffer>,
  { prefix, onProgress }: { readonly prefix: number; readonly onProgress: (() => void) | undefined },
) {
  const beginning = createHash('sha256');
  let bytes = 0;
  let synced = 0;
  for await (const part of source) {
    if (bytes < prefix) beginning.update(part.subarray(0, prefix - bytes));
    await writeAll(file, part, bytes);
    bytes += part.length;
    if (bytes - synced >= SYNC_EVERY) {
      await file.datasync();
      synced = bytes;
    }
    onProgress?.();
  }
  return { bytes, prefixSha256: beginning.digest('hex') };
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.length;)
    at += (await file.write(bytes, at, bytes.length - at, position + at)).bytesWritten;
}

/** Errors while reading are the source's, not the destination's: they must not mark an archive as broken. */
export async function* readSource(upload: Upload, signal: AbortSignal): AsyncIterable<Buffer> {
  if (upload.octets !== undefined) yield upload.octets;
  else if (upload.file !== undefined && upload.size < BLOCK) yield await readWhole(upload.file, upload);
  else yield* readOn(upload, signal);
}

/** A file in one piece; should it have grown, one octet more than it should have. */
async function readWhole(path: string, { size, path: to }: Upload): Promise<Buffer> {
  try {
    const file = await open(path, 'r');
    try {
      const octets = Buffer.allocUnsafe(size + 1);
      let bytes = 0;
      for (let got = -1; got !== 0 && bytes < octets.length; bytes += got)
        got = (await file.read(octets, bytes, octets.length - bytes, bytes)).bytesRead;
      return octets.subarray(0, bytes);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw unreadable(to, error);
  }
}

const unreadable = (path: string, error: unknown): DeliveryError =>
  new DeliveryError('SOURCE_UNREADABLE', `${path}: ${codeOf(error)} ${String(error)}`, { cause: error });

async function* readOn(upload: Upload, signal: AbortSignal): AsyncIterable<Buffer> {
  const source: Readable = upload.open();
  const stop = (): void => {
    source.destroy(signal.reason as Error);
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    signal.throwIfAborted();
    for await (const part of source) yield part as Buffer;
  } catch (error) {
    if (signal.aborted) throw new DeliveryError('ABORTED', upload.path, { cause: error });
    throw unreadable(upload.path, error);
  } finally {
    signal.removeEventListener('abort', stop);
    source.destroy();
  }
}

/**
 * The octets of an upload, proved on the way: PermanentUploadError SOURCE_CHANGED comes before more than `size` octets, and at the end
 * when they are not the sealed ones.
 */
export async function* provedSource(upload: Upload, signal: AbortSignal): AsyncIterable<Buffer> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const part of readSource(upload, signal)) {
    bytes += part.length;
    if (bytes > upload.size) break;
    hash.update(part);
    yield part;
  }
  if (bytes !== upload.size || hash.digest('hex') !== upload.sha256)
    throw permanent('SOURCE_CHANGED', `the file for ${upload.path} is no longer the one that was sealed`);
}
