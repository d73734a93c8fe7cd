import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkCertified, usesOf } from '../src/evidence/certificate-check.ts';
import { fault, note, type Finding } from '../src/evidence/finding.ts';
import { parseHashFile, type FileHash } from '../src/evidence/hash-file.ts';
import { HASH_ENDING } from '../src/evidence/recording-files.ts';
import { verifyCompleteness } from '../src/evidence/verify-completeness.ts';
import type { CheckedLog, Trust } from '../src/evidence/verify-log.ts';
import { verifyForks } from '../src/evidence/verify-forks.ts';
import { verifyGenesis, verifyLogs, verifySince, type CheckedSince } from '../src/evidence/verify-logs.ts';
import { verifyRecording, type CheckedRecording } from '../src/evidence/verify-recording.ts';
import { messageOf, openArchive, type Archive, type RecordingFiles } from './archive.ts';
import type { Arguments } from './arguments.ts';
import { inParallel } from './in-parallel.ts';
import { readLog } from './read-log.ts';
import { readRecording } from './read-recording.ts';
import { readKept, readTrust } from './read-trust.ts';
import type { ReadRecording } from './reading-threads.ts';

interface Unreadable {
  readonly file: string;
  readonly detail: string;
}

/** Everything a verification found out. */
export interface Verification {
  readonly archive: Archive;
  readonly trust: Trust;
  readonly logs: readonly CheckedLog[];
  readonly since: readonly CheckedSince[];
  readonly recordings: readonly CheckedRecording[];
  readonly findings: readonly Finding[];
  readonly unreadable: readonly Unreadable[];
}

export interface VerifyOptions {
  /** Hears after every recording. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Reads recordings elsewhere than in this thread, `parallel` at a time. */
  readonly reader?: { readonly read: ReadRecording; readonly size: number };
}

/** Recordings examined at the same time in this thread. */
const PARALLEL = 8;

/** Verifies what the arguments name. Throws UnreadableError when nothing can be said. */
export async function verify(given: Arguments, options: VerifyOptions = {}): Promise<Verification> {
  const trust = await readTrust(given);
  const kept = await readKept(given);
  const archive = await openArchive(given.path);
  for (const file of archive.certificates)
    trust.keyring.addFromBundle({ file, bytes: await readFile(join(archive.root, file)) });
  const logs: CheckedLog[] = [];
  for (const folder of archive.logs) logs.push(await readLog(archive, folder, trust));
  const unreadable: Unreadable[] = [];
  const recordings = await examineAll(archive, { logs, trust, unreadable, options });
  const scope = {
    extent: archive.extent === 'archive' ? ('archive' as const) : ('part' as const),
    elsewhere: withUnreadable(archive, recordings),
  };
  const since = kept.map((each) => verifySince(each, logs));
  const findings = [
    ...logs.flatMap((log) => log.findings),
    ...verifyLogs(logs, trust.keyring),
    ...verifyForks(logs, trust.keyring),
    ...verifyGenesis(trust.genesis, logs),
    ...since.flatMap((each) => each.findings),
    ...recordings.flatMap((recording) => recording.findings),
    ...checkCertified(usesOf(recordings.flatMap(({ keyed }) => keyed ?? [])), trust.keyring),
    ...(await ownersOfAltered(archive, recordings)),
    ...logs.flatMap((log) => verifyCompleteness(log, recordings, scope)),
    ...foreignNotes(archive.foreign),
  ];
  return { archive, trust, logs, since, recordings, findings, unreadable };
}

async function examineAll(
  archive: Archive,
  {
    logs,
    trust,
    unreadable,
    options,
  }: {
    readonly logs: readonly CheckedLog[];
    readonly trust: Trust;
    readonly unreadable: Unreadable[];
    readonly options: VerifyOptions;
  },
): Promise<readonly CheckedRecording[]> {
  const { read, size } = options.reader ?? { read: readRecording, size: PARALLEL };
  const context = { logs: new Map(logs.map((log) => [log.origin, log])), keyring: trust.keyring };
  const beginnings = beginningsOf(logs);
  let done = 0;
  const checked = await inParallel(archive.recordings, size, async (files: RecordingFiles) => {
    const wanted = beginnings.get(files.name.slice(-8));
    const reading = wanted === undefined ? files : { ...files, beginnings: wanted };
    const view = await read(archive.root, reading).catch((error: unknown) => {
      unreadable.push({ file: `${files.folder}${files.name}`, detail: messageOf(error) });
      return undefined;
    });
    done += 1;
    options.onProgress?.(done, archive.recordings.length);
    return view === undefined ? undefined : verifyRecording(view, context);
  });
  return checked.filter((recording) => recording !== undefined);
}

/** What is to be hashed of recordings beside their files, by the last eight digits of their names. */
function beginningsOf(
  logs: readonly CheckedLog[],
): ReadonlyMap<string, NonNullable<RecordingFiles['beginnings']>> {
  const found = new Map<string, NonNullable<RecordingFiles['beginnings']>>();
  for (const { segments } of logs)
    for (const [rec, entries] of segments) {
      const ends = entries.map(({ body: { file, bytes } }) => ({ file, bytes }));
      found.set(rec.slice(-8), [...(found.get(rec.slice(-8)) ?? []), ...ends]);
    }
  return found;
}

/** More files than this that belong to no recording are only counted. */
const FOREIGN_NAMED = 20;

function foreignNotes(files: readonly string[]): readonly Finding[] {
  const named = files.slice(0, FOREIGN_NAMED);
  const notes = named.map((file) => note('FOREIGN_FILE', file, 'belongs to no recording, not examined'));
  if (files.length === named.length) return notes;
  const detail = `${files.length - named.length} more files belong to no recording, not examined`;
  return [...notes, note('FOREIGN_FILE', '…', detail)];
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
