import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  certificatePath,
  checkpointPath,
  entryFilePath,
  ENTRIES_PER_FILE,
  formatEntryFile,
  genesisPath,
  issuerPath,
} from '../evidence/layout.ts';
import type { Destination, Upload } from './destination.ts';
import type { LogStore } from './ports.ts';

export interface ExportDeps {
  readonly store: LogStore;
  /** Logs of this node, oldest epoch first; all but the newest are finished. */
  readonly origins: () => readonly string[];
  /** All certificates of this node, PEM: what is checked needs those of former keys too. */
  readonly certificates: () => readonly string[];
  /** Those of the authorities that issued any of them. */
  readonly issuers: () => readonly string[];
  /** Whether the destination may be written to: it was found not to know more than we do (evidence.md 1.1, 5). */
  readonly mayExport?: (destination: Destination, signal: AbortSignal) => Promise<boolean>;
}

/** Further files of a log read at once. */
const FILES_AT_ONCE = 100;

interface Turn {
  readonly running: Promise<void>;
  waiting: Promise<void> | undefined;
}

/** Exports to one destination one after the other: two of them at once would race on the growing entry file. */
const turns = new WeakMap<Destination, Turn>();

/**
 * Brings a destination's `evidence/` folder up to the log: certificate, genesis, entry files, further files, then checkpoints, so that
 * a checkpoint never speaks of entries that are not there. Only what was committed leaves (evidence.md 1.5, export order). Whoever
 * asks while one waits for its turn shares it.
 */
export function exportEvidence(
  destination: Destination,
  deps: ExportDeps,
  signal: AbortSignal,
): Promise<void> {
  const turn = turns.get(destination);
  if (turn?.waiting !== undefined) return turn.waiting;
  const before = turn?.running.catch(() => undefined) ?? Promise.resolve();
  const run = before.then(() => {
    // From here on what is asked for may come too late for this run.
    turns.set(destination, { running: run, waiting: undefined });
    return bringUpAll(destination, deps, signal);
  });
  if (turn === undefined) turns.set(destination, { running: run, waiting: run });
  else turn.waiting = run;
  return run;
}

async function bringUpAll(destination: Destination, deps: ExportDeps, signal: AbortSignal): Promise<void> {
  if (deps.mayExport !== undefined && !(await deps.mayExport(destination, signal))) return;
  for (const origin of deps.origins()) await bringUp(destination, { ...deps, origin }, signal);
}

interface OneLog extends ExportDeps {
  readonly origin: string;
}

async function bringUp(destination: Destination, deps: OneLog, signal: AbortSignal): Promise<void> {
  const { store, origin } = deps;
  const done = await store.exportState(destination.name, origin);
  const head = await store.head(origin);
  if (head === undefined) return;
  // Checkpoints are read first: each is covered by the entries read after it.
  const checkpoints = await store.checkpoints(origin, done.checkpoint);
  if (done.entries === 0) {
    for (const pem of deps.issuers())
      await destination.put(uploadOf(issuerPath(origin, pem), Buffer.from(pem)), signal);
    for (const pem of deps.certificates())
      await destination.put(uploadOf(certificatePath(origin, pem), Buffer.from(pem)), signal);
  }
  const entries =
    head.size > done.entries
      ? await exportEntries(destination, deps, { from: done.entries, signal })
      : done.entries;
  const files = await exportFiles(destination, deps, { after: done.files, signal });
  let newest = done.checkpoint;
  for (const { size, text, signature, nextSignature } of checkpoints) {
    await destination.put(uploadOf(checkpointPath(origin, size, 'txt'), text), signal);
    await destination.put(uploadOf(checkpointPath(origin, size, 'sig'), signature), signal);
    if (nextSignature !== undefined)
      await destination.put(uploadOf(checkpointPath(origin, size, 'new.sig'), nextSignature), signal);
    newest = size;
  }
  if (entries > done.entries || newest > done.checkpoint || files > done.files)
    await store.write((log) =>
      log.setExport(destination.name, origin, { entries, checkpoint: newest, files }),
    );
}

/** Time stamps, cosignatures, key rolls and the like; returns the id of the newest. */
async function exportFiles(
  destination: Destination,
  { store, origin }: OneLog,
  { after, signal }: { readonly after: number; readonly signal: AbortSignal },
): Promise<number> {
  let newest = after;
  for (;;) {
    const files = await store.evidence.files(origin, newest, FILES_AT_ONCE);
    for (const { id, path, bytes } of files) {
      await destination.put(uploadOf(path, bytes), signal);
      newest = id;
    }
    if (files.length < FILES_AT_ONCE) return newest;
  }
}

/** Rewrites every entry file that gained entries; returns the number of entries the destination now has. */
async function exportEntries(
  destination: Destination,
  deps: OneLog,
  { from, signal }: { readonly from: number; readonly signal: AbortSignal },
): Promise<number> {
  let first = Math.floor(from / ENTRIES_PER_FILE) * ENTRIES_PER_FILE;
  for (;;) {
    const entries = await deps.store.entries(deps.origin, first, ENTRIES_PER_FILE);
    if (entries.length === 0) return first;
    const bytes = entries.map((entry) => entry.bytes);
    if (first === 0 && from === 0 && bytes[0] !== undefined)
      await destination.put(uploadOf(genesisPath(deps.origin), bytes[0]), signal);
    await destination.extend(uploadOf(entryFilePath(deps.origin, first), formatEntryFile(bytes)), signal);
    first += entries.length;
    if (entries.length < ENTRIES_PER_FILE) return first;
  }
}

const uploadOf = (path: string, bytes: Buffer): Upload => ({
  path,
  size: bytes.length,
  sha256: createHash('sha256').update(bytes).digest('hex'),
  open: (from = 0) => Readable.from([bytes.subarray(from)]),
  octets: bytes,
});
