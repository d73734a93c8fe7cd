import { join } from 'node:path';
import type { NumberedEvent } from '../jobs/ports.ts';
import type { JournalDisk, JournalFile } from './journal-disk.ts';
import { decodeLine, scanFile, type FileScan, type LinePlace } from './journal-line.ts';
import { codeOf, StoreError } from './store-error.ts';

/** One file of the journal: its name states the first number it may hold. */
export interface Segment {
  readonly path: string;
  readonly first: number;
  /** Good, acknowledged lines in order. */
  readonly places: LinePlace[];
  /** Octets up to the end of the last complete line. */
  size: number;
}

const NAME = /^([0-9]{16})\.log$/;

export const segmentPath = (folder: string, first: number): string =>
  join(folder, `${String(first).padStart(16, '0')}.log`);

/** First number by file name, or undefined for files that are not the journal's. */
const firstOf = (name: string): number | undefined => {
  const digits = NAME.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
};

/** More lines than any one file holds: the numbers of a file that cannot be read are passed over, and its name with them. */
const MOST_LINES = 10_000_000;

/** What start-up found in the folder. */
export interface OpenedSegments {
  readonly segments: Segment[];
  readonly next: number;
  /** One sentence for each thing that was not as it should be. */
  readonly damage: string[];
  /** Whether the last file ends with its last good line, so that one may go on writing there. */
  readonly lastIsClean: boolean;
}

/** Reads every file of the journal. Rejects only when the folder itself cannot be read. */
export async function openSegments(folder: string, disk: JournalDisk): Promise<OpenedSegments> {
  const firsts = (await disk.list(folder)).flatMap((name) => firstOf(name) ?? []).sort((a, b) => a - b);
  const damage: string[] = [];
  const segments: Segment[] = [];
  let next = 1;
  let lastIsClean = false;
  for (const [position, first] of firsts.entries()) {
    const path = segmentPath(folder, first);
    next = Math.max(next, first);
    let bytes: Buffer;
    try {
      bytes = await disk.readWhole(path);
    } catch (error) {
      damage.push(`${path} cannot be read: ${String(error)}`);
      next = Math.min(first + MOST_LINES, firsts[position + 1] ?? Infinity);
      lastIsClean = false;
      continue;
    }
    const scan = scanFile(bytes);
    for (const { offset, length } of scan.damaged)
      damage.push(`${path}: ${length} octets at ${offset} are damaged and were passed over`);
    const places = withoutSuperseded(scan.places, next, firsts[position + 1]);
    if (places.length < scan.places.length)
      damage.push(
        `${path}: ${scan.places.length - places.length} lines were never acknowledged and were passed over`,
      );
    segments.push({ path, first, places, size: scan.end });
    next = Math.min(nextAfter(scan, places, next), firsts[position + 1] ?? Infinity);
    lastIsClean =
      scan.end === bytes.length || (await setTornTailAside(path, { bytes, end: scan.end, damage }, disk));
  }
  return { segments, next, damage, lastIsClean };
}

/**
 * The number after the last one that may have been given. Damaged and torn lines at the end used theirs too: giving one again
 * could hide an event behind the database's cursor.
 */
function nextAfter(scan: FileScan, places: readonly LinePlace[], from: number): number {
  const last = places.at(-1);
  const lost =
    scan.damaged.filter(({ offset }) => offset > (last?.offset ?? -1)).length + (scan.torn ? 1 : 0);
  return Math.max(from, (last?.sequence ?? 0) + 1) + lost;
}

/** A file that was given up after a failed write may hold lines whose numbers the next file gave again. */
const withoutSuperseded = (places: readonly LinePlace[], from: number, until = Infinity): LinePlace[] =>
  places.filter(({ sequence }) => sequence >= from && sequence < until);

/** Never fails: a tail that cannot be moved stays, and writing goes on in a new file. */
async function setTornTailAside(
  path: string,
  torn: { readonly bytes: Buffer; readonly end: number; readonly damage: string[] },
  disk: JournalDisk,
): Promise<boolean> {
  const tail = torn.bytes.subarray(torn.end);
  try {
    await disk.keep(`${path}.${torn.end}.torn`, tail);
    const file = await disk.open(path, 'existing');
    try {
      await file.truncate(torn.end);
      await file.datasync();
    } finally {
      await file.close();
    }
    torn.damage.push(`${path}: the last ${tail.length} octets were torn and are kept beside it as .torn`);
    return true;
  } catch (error) {
    torn.damage.push(
      `${path}: the last ${tail.length} octets are torn and could not be set aside: ${String(error)}`,
    );
    return false;
  }
}

/** At most this many octets are read at once, unless a single line is longer. */
const READ_LIMIT = 8 * 1024 * 1024;

export interface SegmentRead {
  readonly events: readonly NumberedEvent[];
  /** Everything up to this number was looked at. */
  readonly through: number;
}

/** Events of one file after `sequence`, at most `limit`; what became damaged since start-up is told to `onDamage`. */
export async function readSegment(
  segment: Segment,
  range: { readonly after: number; readonly limit: number },
  disk: JournalDisk,
  onDamage: (text: string) => void,
): Promise<SegmentRead> {
  const wanted = withinReadLimit(
    segment.places.slice(indexAfter(segment.places, range.after)).slice(0, range.limit),
  );
  const start = wanted[0]?.offset;
  const last = wanted.at(-1);
  if (start === undefined || last === undefined) return { events: [], through: range.after };
  const bytes = await readPart(segment.path, { start, end: last.offset + last.length }, disk);
  const events = wanted.flatMap(({ sequence, offset, length }) => {
    const found = decodeLine(bytes.subarray(offset - start, offset - start + length - 1));
    if (found?.sequence === sequence) return found;
    onDamage(`${segment.path}: event ${sequence} at ${offset} can no longer be read`);
    return [];
  });
  return { events, through: last.sequence };
}

/** Index of the first line whose number is greater. */
function indexAfter(places: readonly LinePlace[], sequence: number): number {
  let low = 0;
  let high = places.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((places[middle]?.sequence ?? 0) > sequence) high = middle;
    else low = middle + 1;
  }
  return low;
}

function withinReadLimit(places: readonly LinePlace[]): readonly LinePlace[] {
  const start = places[0]?.offset ?? 0;
  const count = places.findIndex(({ offset, length }) => offset + length - start > READ_LIMIT);
  return count === -1 ? places : places.slice(0, Math.max(1, count));
}

/** Fewer octets than asked for when the file is shorter by now, none when it is gone. */
async function readPart(
  path: string,
  part: { readonly start: number; readonly end: number },
  disk: JournalDisk,
): Promise<Buffer> {
  try {
    const file = await disk.open(path, 'existing');
    try {
      return await readUpTo(file, part.start, part.end);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return Buffer.alloc(0);
    throw new StoreError('DISK', `${path} cannot be read`, { cause: error });
  }
}

async function readUpTo(file: JournalFile, start: number, end: number): Promise<Buffer> {
  const read: Buffer[] = [];
  for (let at = start; at < end;) {
    const bytes = await file.read(end - at, at);
    if (bytes.length === 0) break;
    read.push(bytes);
    at += bytes.length;
  }
  return Buffer.concat(read);
}
