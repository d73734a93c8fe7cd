import { createHash } from 'node:crypto';
import { fault, note, type Finding } from './finding.ts';
import type { Keyring, NamedBytes } from './keyring.ts';
import type { CheckedLog } from './verify-log.ts';
import { hasState, isSignedBy, readNote } from './verify-logs.ts';

/**
 * What recorders kept of one another that contradicts what they had seen before. Beside the log that it is of, where that is here, it
 * shows which of the two was written anew.
 */
export function verifyForks(logs: readonly CheckedLog[], keyring: Keyring): readonly Finding[] {
  const byOrigin = new Map(logs.map((log) => [log.origin, log]));
  return logs.flatMap((log) => log.forks.flatMap((file) => forkFindings(log, file, { byOrigin, keyring })));
}

function forkFindings(
  { origin: ours }: CheckedLog,
  { file, bytes }: NamedBytes,
  { byOrigin, keyring }: { readonly byOrigin: ReadonlyMap<string, CheckedLog>; readonly keyring: Keyring },
): readonly Finding[] {
  const read = readNote(bytes);
  const hash = createHash('sha256').update(bytes).digest('hex');
  if (read === undefined || !file.endsWith(`.${hash.slice(0, 16)}.note`))
    return [fault('NOTE_INVALID', file, 'is not the signed note that its name says')];
  const { origin, size, root } = read.checkpoint;
  const owner = byOrigin.get(origin);
  if (owner !== undefined && !isSignedBy(read.note, read.checkpoint, { owner, keyring }))
    return [fault('NOTE_INVALID', file, `its checkpoint is not signed by ${origin}`)];
  const kept = note(
    'FORK_KEPT',
    file,
    `a state of ${origin}, ${size} entries, that does not continue what ${ours} had seen of it`,
  );
  if (owner?.hasEntries !== true || hasState(owner, size, root)) return [kept];
  return [
    kept,
    fault(
      'LOG_FORKED',
      owner.folder,
      `its key has signed ${size} entries that are not those of this log: ${file}`,
    ),
  ];
}
