import { buffer } from 'node:stream/consumers';
import { entryHash, parseEntry, type Entry } from '../evidence/entry.ts';
import { EvidenceError } from '../evidence/evidence-error.ts';
import { entryFilePath, ENTRIES_PER_FILE, parseEntryFile } from '../evidence/layout.ts';
import { appendLeaf, leafHash } from '../evidence/merkle.ts';
import { emptyHead } from './chain.ts';
import type { Destination } from './destination.ts';
import type { ChainHead, EntryRow, LogStore } from './ports.ts';

/** An entry behind a head, as it would stand in the database. */
interface Following {
  readonly entry: EntryRow;
  readonly headAfter: ChainHead;
}

/**
 * Whether a destination has entries of the log that the database does not have: behind its newest one, or others in its place. Only
 * entries that link to ours count; anything else that lies there is no log. Rejects when the destination cannot be asked.
 */
export async function isAhead(
  destination: Destination,
  origin: string,
  store: Pick<LogStore, 'head' | 'entries'>,
  signal: AbortSignal,
): Promise<boolean> {
  const head = (await store.head(origin)) ?? emptyHead(origin);
  if ((await followingIn(destination, head, signal)).length > 0) return true;
  const first = head.size - (head.size % ENTRIES_PER_FILE);
  const ours = await store.entries(origin, first, ENTRIES_PER_FILE);
  const theirs = await entriesIn(destination, { origin, index: first }, signal);
  return ours.some(({ bytes, prev, index }, at) => {
    const other = theirs[at];
    return other !== undefined && !other.equals(bytes) && follows(read(other), { origin, size: index, prev });
  });
}

/**
 * After a backup was restored: reads back the entries that the database has lost, as far as a destination has them and they continue
 * ours. They are the end of a log that nothing is appended to any more; with them it is known which recordings were sealed there, and
 * the log can be proved and handed over as before. Resolves with the number of entries.
 */
export async function recallLog(
  origin: string,
  source: Destination,
  store: Pick<LogStore, 'head' | 'write'>,
  signal: AbortSignal,
): Promise<number> {
  const before = (await store.head(origin)) ?? emptyHead(origin);
  let head = before;
  for (;;) {
    const following = await followingIn(source, head, signal);
    const last = following.at(-1);
    if (last === undefined) return head.size - before.size;
    await store.write(async (log) => {
      for (const { entry, headAfter } of following) await log.appendEntry(entry, headAfter);
    });
    head = last.headAfter;
  }
}

/** What a destination has behind a head, in the file in which the next entry would stand. */
async function followingIn(
  destination: Destination,
  from: ChainHead,
  signal: AbortSignal,
): Promise<readonly Following[]> {
  const { origin, size } = from;
  const entries = await entriesIn(destination, { origin, index: size }, signal);
  const following: Following[] = [];
  let head = from;
  for (const bytes of entries.slice(size % ENTRIES_PER_FILE)) {
    const entry = read(bytes);
    if (entry === undefined || !follows(entry, head)) break;
    const index = head.size;
    const hash = entryHash(bytes);
    const row: EntryRow = {
      origin,
      index,
      prev: head.prev,
      hash,
      type: typeOf(entry),
      bytes,
      ...recOf(entry),
    };
    head = {
      ...head,
      size: index + 1,
      prev: hash,
      frontier: appendLeaf(head.frontier, index, leafHash(bytes)),
    };
    following.push({ entry: row, headAfter: head });
  }
  return following;
}

async function entriesIn(
  destination: Destination,
  { origin, index }: { readonly origin: string; readonly index: number },
  signal: AbortSignal,
): Promise<readonly Buffer[]> {
  const stream = await destination.open({ path: entryFilePath(origin, index) }, signal);
  if (stream === undefined) return [];
  const bytes = await buffer(stream);
  try {
    return parseEntryFile(bytes);
  } catch (error) {
    if (error instanceof EvidenceError) return [];
    throw error;
  }
}

function read(bytes: Buffer): Entry | undefined {
  try {
    return parseEntry(bytes);
  } catch (error) {
    if (error instanceof EvidenceError) return undefined;
    throw error;
  }
}

const follows = (
  entry: Entry | undefined,
  { origin, size, prev }: Pick<ChainHead, 'origin' | 'size' | 'prev'>,
): boolean => entry?.header.origin === origin && entry.header.index === size && entry.header.prev === prev;

const typeOf = ({ body }: Entry): string => (body.type === 'unknown' ? body.name : body.type);

const recOf = ({ body }: Entry): { readonly recording?: string } =>
  'rec' in body ? { recording: body.rec } : {};
