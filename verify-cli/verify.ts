import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fault, note, type Finding } from '../src/evidence/finding.ts';
import { parseHashFile, type FileHash } from '../src/evidence/hash-file.ts';
import { Keyring, type NamedBytes } from '../src/evidence/keyring.ts';
import { HASH_ENDING } from '../src/evidence/recording-files.ts';
import { verifyCompleteness } from '../src/evidence/verify-completeness.ts';
import type { CheckedLog } from '../src/evidence/verify-log.ts';
import { verifyRecording, type CheckedRecording } from '../src/evidence/verify-recording.ts';
import { messageOf, openArchive, UnreadableError, type Archive, type RecordingFiles } from './archive.ts';
import type { Arguments } from './arguments.ts';
import { inParallel } from './in-parallel.ts';
import { readLogs } from './read-log.ts';
import { readRecording } from './read-recording.ts';

interface Unreadable {
  readonly file: string;
  readonly detail: string;
}

/** Everything a verification found out. */
export interface Verification {
  readonly archive: Archive;
  readonly keyring: Keyring;
  readonly logs: readonly CheckedLog[];
  readonly recordings: readonly CheckedRecording[];
  readonly findings: readonly Finding[];
  readonly unreadable: readonly Unreadable[];
}

/** Recordings examined at the same time. */
const PARALLEL = 8;

/** Verifies what the arguments name; `onProgress` hears after every recording. Throws UnreadableError when nothing can be said. */
export async function verify(
  { path, certificates }: Arguments,
  onProgress: (done: number, total: number) => void,
): Promise<Verification> {
  const keyring = await openKeyring(certificates);
  const archive = await openArchive(path);
  const logs = await readLogs(archive.root, keyring);
  const unreadable: Unreadable[] = [];
  const context = { logs: new Map(logs.map((log) => [log.origin, log])), keyring };
  let done = 0;
  const checked = await inParallel(archive.recordings, PARALLEL, async (files) => {
    const result = await examine(files).catch((error: unknown) => {
      unreadable.push({ file: `${files.folder}${files.name}`, detail: messageOf(error) });
      return undefined;
    });
    done += 1;
    onProgress(done, archive.recordings.length);
    return result;
  });
  const recordings = checked.filter((recording) => recording !== undefined);
  const scope = {
    extent: archive.extent === 'archive' ? ('archive' as const) : ('part' as const),
    elsewhere: withUnreadable(archive, recordings),
  };
  const findings = [
    ...logs.flatMap((log) => log.findings),
    ...recordings.flatMap((recording) => recording.findings),
    ...(await ownersOfAltered(archive, recordings)),
    ...logs.flatMap((log) => verifyCompleteness(log, recordings, scope)),
    ...archive.foreign.map((file) => note('FOREIGN_FILE', file, 'belongs to no recording, not examined')),
  ];
  return { archive, keyring, logs, recordings, findings, unreadable };

  async function examine(files: RecordingFiles): Promise<CheckedRecording> {
    return verifyRecording(await readRecording(archive.root, files), context);
  }
}

async function openKeyring(files: readonly string[]): Promise<Keyring> {
  try {
    const trusted: NamedBytes[] = [];
    for (const file of files) trusted.push({ file, bytes: await readFile(file) });
    return new Keyring(trusted);
  } catch (error) {
    throw new UnreadableError(`--cert: ${messageOf(error)}`);
  }
}

/** A recording that is there but could not be read, or not be placed, is not missing. */
function withUnreadable(
  archive: Archive,
  recordings: readonly CheckedRecording[],
): ReadonlyMap<string, string> {
  const placed = new Set(
    recordings.filter(({ index }) => index !== undefined).map(({ folder, name }) => `${folder}${name}`),
  );
  const others = archive.recordings.filter(({ folder, name }) => !placed.has(`${folder}${name}`));
  return new Map([
    ...archive.elsewhere,
    ...others.map(({ folder, name }) => [name.slice(-8), `${folder}${name}`] as const),
  ]);
}

/** Whose content altered files have: files of two recordings may have been exchanged. */
async function ownersOfAltered(
  archive: Archive,
  recordings: readonly CheckedRecording[],
): Promise<readonly Finding[]> {
  const altered = new Map(
    recordings.flatMap((recording) =>
      recording.altered.map(({ name, sha256 }) => [sha256, `${recording.folder}${name}`]),
    ),
  );
  if (altered.size === 0) return [];
  const findings: Finding[] = [];
  for (const { folder, name, files } of archive.recordings) {
    if (!files.includes(`${name}${HASH_ENDING}`)) continue;
    for (const { name: owner, sha256 } of listed(
      await readFile(join(archive.root, folder, `${name}${HASH_ENDING}`)),
    )) {
      const file = altered.get(sha256);
      if (file !== undefined) findings.push(fault('SWAPPED', file, `has the content of ${folder}${owner}`));
    }
  }
  return findings;
}

function listed(bytes: Uint8Array): readonly FileHash[] {
  try {
    return parseHashFile(bytes);
  } catch {
    return [];
  }
}
