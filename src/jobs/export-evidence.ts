import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  certificatePath,
  checkpointPath,
  entryFilePath,
  ENTRIES_PER_FILE,
  formatEntryFile,
  genesisPath,
} from '../evidence/layout.ts';
import type { Destination, Upload } from './destination.ts';
import type { LogStore } from './ports.ts';

export interface ExportDeps {
  readonly store: LogStore;
  readonly origin: string;
  readonly certificatePem: string;
}

/** Exports to one destination one after the other: two of them at once would race on the growing entry file. */
const running = new WeakMap<Destination, Promise<unknown>>();

/**
 * Brings a destination's `evidence/` folder up to the log: certificate, genesis, entry files, then checkpoints, so that a
 * checkpoint never speaks of entries that are not there. Only what was committed leaves (evidence.md 1.5, export order).
 */
export function exportEvidence(
  destination: Destination,
  deps: ExportDeps,
  signal: AbortSignal,
): Promise<void> {
  const before = running.get(destination) ?? Promise.resolve();
  const run = before.then(() => bringUp(destination, deps, signal));
  running.set(
    destination,
    run.catch(() => undefined),
  );
  return run;
}

async function bringUp(destination: Destination, deps: ExportDeps, signal: AbortSignal): Promise<void> {
  const { store, origin } = deps;
  const done = await store.exportState(destination.name, origin);
  const head = await store.head(origin);
  if (head === undefined) return;
  // Checkpoints are read first: each is covered by the entries read after it.
  const checkpoints = await store.checkpoints(origin, done.checkpoint);
  if (done.entries === 0) {
    const certificate = Buffer.from(deps.certificatePem);
    await destination.put(uploadOf(certificatePath(origin, deps.certificatePem), certificate), signal);
  }
  const entries =
    head.size > done.entries
      ? await exportEntries(destination, deps, { from: done.entries, signal })
      : done.entries;
  let newest = done.checkpoint;
  for (const { size, text, signature } of checkpoints) {
    await destination.put(uploadOf(checkpointPath(origin, size, 'txt'), text), signal);
    await destination.put(uploadOf(checkpointPath(origin, size, 'sig'), signature), signal);
    newest = size;
  }
  if (entries > done.entries || newest > done.checkpoint)
    await store.write((log) => log.setExport(destination.name, origin, entries, newest));
}

/** Rewrites every entry file that gained entries; returns the number of entries the destination now has. */
async function exportEntries(
  destination: Destination,
  deps: ExportDeps,
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
});
