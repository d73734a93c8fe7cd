import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { Destination } from './destination.ts';
import { JobError } from './job-error.ts';
import type { FileRow } from './log-records.ts';
import type { CopyRow, LogStore, SealFiles } from './ports.ts';

export interface FetchDeps {
  readonly store: Pick<LogStore, 'copies'>;
  readonly files: Pick<SealFiles, 'path'>;
  readonly destinations: ReadonlyMap<string, Destination>;
}

/** Octets of a file, both ends included; a range that goes beyond the file is cut by whoever asks. */
export interface OctetRange {
  readonly first: number;
  readonly last: number;
}

export interface FetchedFile {
  /** Where the octets come from: `spool`, or a destination's name. */
  readonly from: string;
  readonly stream: Readable;
}

/**
 * A file of a sealed recording as it was sealed, from the spool while it is there, otherwise from the first archive that has it. A whole file is
 * proved on its way: other octets than the sealed ones end the stream with JobError ALTERED instead of its last part. Undefined when the file
 * is nowhere to be had; the reasons are told to `onFault`, one for each archive.
 */
export async function fetchFile(
  file: FileRow,
  deps: FetchDeps,
  options: {
    readonly range?: OctetRange | undefined;
    readonly signal: AbortSignal;
    readonly onFault?: (fault: string) => void;
  },
): Promise<FetchedFile | undefined> {
  const { range, signal, onFault = () => undefined } = options;
  const path = deps.files.path(file.recording, file.name);
  const there = await stat(path).catch(() => undefined);
  if (there?.size === file.bytes) {
    const part = range === undefined ? {} : { start: range.first, end: range.last };
    return handedOut(createReadStream(path, part), 'spool', file, range);
  }
  for (const copy of await deps.store.copies(file.recording)) {
    if (copy.name !== file.name || copy.removedAt !== undefined) continue;
    const stream = await openCopy(copy, deps, signal).catch((error: unknown) => {
      onFault(`${copy.destination}: ${String(error)}`);
      return null;
    });
    if (stream === undefined) onFault(`${copy.destination}: is not there`);
    if (stream === undefined || stream === null) continue;
    const part = range === undefined ? stream : Readable.from(partOf(stream, range));
    return handedOut(part, copy.destination, file, range);
  }
  return undefined;
}

async function openCopy(
  { destination, path, version }: CopyRow,
  { destinations }: FetchDeps,
  signal: AbortSignal,
): Promise<Readable | undefined> {
  const archive = destinations.get(destination);
  return archive?.open({ path, ...(version !== undefined && { version }) }, signal);
}

const handedOut = (
  stream: Readable,
  from: string,
  file: FileRow,
  range: OctetRange | undefined,
): FetchedFile => ({
  from,
  stream: range === undefined ? Readable.from(proved(stream, file), { objectMode: false }) : stream,
});

/** Holds one part back until the hash is known: a reader never has all octets of an altered file. */
async function* proved(source: AsyncIterable<Buffer>, file: FileRow): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  let held: Buffer | undefined;
  for await (const part of source) {
    if (held !== undefined) yield held;
    hash.update(part);
    held = part;
  }
  if (hash.digest('hex') !== file.sha256)
    throw new JobError('ALTERED', `${file.name} is not what was sealed`);
  if (held !== undefined) yield held;
}

/** Archives are read from the beginning: not every kind can begin elsewhere. */
async function* partOf(source: Readable, { first, last }: OctetRange): AsyncGenerator<Buffer> {
  let at = 0;
  for await (const part of source as AsyncIterable<Buffer>) {
    const end = at + part.length;
    if (end > first) yield part.subarray(Math.max(first - at, 0), Math.min(last + 1 - at, part.length));
    at = end;
    if (at > last) break;
  }
}
