import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TRACE_NAME } from './trace-files.ts';
import { decodeTraces, type TracedMessage } from './trace-record.ts';

export interface TraceWindow {
  /** Epoch milliseconds; both ends included. */
  readonly from: number;
  readonly to: number;
}

/**
 * The messages of some calls in the folders of traces, in order of time. Files that are being written or removed meanwhile are
 * read as far as they are there; without any folder there are no messages.
 */
export async function readTraces(
  folders: readonly string[],
  callIds: ReadonlySet<string>,
  window: TraceWindow = { from: 0, to: Infinity },
): Promise<readonly TracedMessage[]> {
  const found: TracedMessage[] = [];
  const files = await Promise.all(folders.map((folder) => filesWithin(folder, window)));
  for (const path of files.flat()) {
    const file = await readFile(path).catch(() => Buffer.alloc(0));
    // Most files hold nothing of a call.
    if (![...callIds].some((callId) => file.includes(callId, 0, 'latin1'))) continue;
    found.push(...[...decodeTraces(file)].filter(({ callId }) => callIds.has(callId)));
  }
  return found.toSorted((a, b) => a.at - b.at);
}

async function filesWithin(folder: string, { from, to }: TraceWindow): Promise<readonly string[]> {
  const names = await readdir(folder).catch(() => []);
  const paths: string[] = [];
  for (const name of names.sort()) {
    const begun = Number(TRACE_NAME.exec(name)?.[1] ?? NaN);
    if (Number.isNaN(begun) || begun > to + 60_000) continue;
    const path = join(folder, name);
    const changed = await stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    );
    if (changed >= from) paths.push(path);
  }
  return paths;
}
