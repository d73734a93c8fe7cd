import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { SealedEntry } from './call-check.ts';
import { EvidenceError } from './evidence-error.ts';
import { fault, note, type Finding } from './finding.ts';
import { parseHashFile, type FileHash } from './hash-file.ts';
import { parseInfo } from './info.ts';
import type { KeyMoment } from './key-check.ts';
import type { Keyring } from './keyring.ts';
import type { RecordingContext, RecordingView } from './recording-view.ts';
import { HASH_ENDING, INFO_ENDING, isAudioOf, recordingOf, SIGNATURE_ENDING } from './recording-files.ts';
import { compareLeaf, verifyProof, type FoundEntry } from './verify-proof.ts';
import { compareSegments } from './segment-check.ts';
import { verifySignature } from './signature.ts';
import type { CheckedLog } from './verify-log.ts';

/** A recording after its verification. */
export interface CheckedRecording {
  readonly name: string;
  readonly folder: string;
  readonly origin: string | undefined;
  /** Index of its entry, when one was found that is its own. */
  readonly index: number | undefined;
  /** The recording's UUID, when its entry was found. */
  readonly rec: string | undefined;
  /** Size of the signed checkpoint that its proof leads to. */
  readonly provedBy: number | undefined;
  /** Of a recording whose log is not here: what its proof shows of the key. */
  readonly keyed: (KeyMoment & { readonly key: string }) | undefined;
  readonly previous: { readonly name: string; readonly index: number } | undefined;
  /** Files whose content is not what is listed. */
  readonly altered: readonly FileHash[];
  readonly findings: readonly Finding[];
}

type Info = ReadonlyMap<string, string>;

/** Verifies one recording against its own files, the keys and the log. */
export function verifyRecording(view: RecordingView, { logs, keyring }: RecordingContext): CheckedRecording {
  const findings: Finding[] = [];
  const listed = readHashes(view, findings);
  const altered = compareFiles(view, listed, findings);
  const info = readInfo(view, findings);
  const log = logs.get(info?.get('Log-Origin') ?? '');
  const proved = verifyProof(view, { logs, keyring });
  findings.push(...proved.findings);
  const sealed = findEntry(view, info, { logs, log, proved: proved.entry, findings });
  findings.push(...compareLeaf(view, sealed));
  checkSignature(view, sealed?.key ?? keyIn(info), { keyring, findings });
  findings.push(...sayUnsigned(view, info));
  if (sealed !== undefined && info !== undefined) compareInfo(view, info, { sealed, findings });
  const rec = sealed?.body.rec;
  findings.push(...compareSegments(view, rec, logs.values()));
  return {
    name: view.name,
    folder: view.folder,
    origin: sealed?.origin ?? log?.origin,
    index: sealed?.index,
    rec,
    provedBy: proved.size,
    keyed: keyedBy(sealed, proved.time),
    previous: previousIn(info),
    altered,
    findings,
  };
}

function keyedBy(sealed: FoundEntry | undefined, time: string | undefined): CheckedRecording['keyed'] {
  if (sealed?.whole !== false || time === undefined) return undefined;
  return { key: sealed.key, index: sealed.index, file: sealed.file, time };
}

/** Between its end and its seal nothing but the recorder's own journal spoke for such a recording: whoever judges it should know. */
function sayUnsigned(view: RecordingView, info: Info | undefined): readonly Finding[] {
  const since = info?.get('Recorded-Without-Keys');
  if (since === undefined) return [];
  return [
    note('SEALED_LATE', `${view.folder}${view.name}`, `was recorded while nothing could be signed: ${since}`),
  ];
}

function previousIn(info: Info | undefined): CheckedRecording['previous'] {
  const name = info?.get('Previous-Recording') ?? '-';
  return name === '-' ? undefined : { name, index: Number(info?.get('Previous-Index')) };
}

function readHashes(view: RecordingView, findings: Finding[]): readonly FileHash[] | undefined {
  const file = `${view.folder}${view.name}${HASH_ENDING}`;
  if (view.hashes === undefined) {
    findings.push(fault('FILE_MISSING', file, 'is missing'));
    return undefined;
  }
  try {
    const listed = parseHashFile(view.hashes);
    const infos = listed.filter(({ name }) => name === `${view.name}${INFO_ENDING}`);
    const audio = listed.filter(({ name }) => isAudioOf(view.name, name));
    if (infos.length === 1 && audio.length >= 1 && audio.length + 1 === listed.length) return listed;
    const names = listed.map(({ name }) => name).join(', ');
    if (!listed.some(({ name }) => recordingOf(name) === view.name))
      findings.push(fault('SWAPPED', file, `is the list of another recording: ${names}`));
    else
      findings.push(
        fault(
          'HASH_FILE_INVALID',
          file,
          `should list the info file and the audio of this recording, lists ${names}`,
        ),
      );
    return listed;
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    findings.push(fault('HASH_FILE_INVALID', file, error.message));
    return undefined;
  }
}

/** Returns the files whose content is not what is listed. */
function compareFiles(
  view: RecordingView,
  listed: readonly FileHash[] | undefined,
  findings: Finding[],
): readonly FileHash[] {
  const present = [...view.others];
  if (view.info !== undefined)
    present.push({ name: `${view.name}${INFO_ENDING}`, sha256: sha256(view.info) });
  const altered: FileHash[] = [];
  for (const found of present) {
    const expected = listed?.find(({ name }) => name === found.name);
    const file = `${view.folder}${found.name}`;
    if (listed !== undefined && expected === undefined)
      findings.push(fault('FILE_NOT_LISTED', file, 'is not in the list that was signed'));
    else if (expected !== undefined && expected.sha256 !== found.sha256) {
      findings.push(fault('FILE_ALTERED', file, 'is not what was hashed and signed'));
      altered.push(found);
    }
  }
  for (const { name } of listed ?? [])
    if (!present.some((found) => found.name === name))
      findings.push(fault('FILE_MISSING', `${view.folder}${name}`, 'is listed and missing'));
  return altered;
}

function readInfo(view: RecordingView, findings: Finding[]): Info | undefined {
  if (view.info === undefined) return undefined;
  try {
    return new Map(parseInfo(view.info));
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    findings.push(fault('INFO_INVALID', `${view.folder}${view.name}${INFO_ENDING}`, error.message));
    return undefined;
  }
}

interface EntrySearch {
  readonly logs: RecordingContext['logs'];
  readonly log: CheckedLog | undefined;
  /** The entry that lies beside the recording, if it was proved. */
  readonly proved: FoundEntry | undefined;
  readonly findings: Finding[];
}

/** The entry with the index that the info file names; where that is another recording's, the entry that has this list's hash. */
function findEntry(view: RecordingView, info: Info | undefined, at: EntrySearch): FoundEntry | undefined {
  const index = info?.get('Log-Index');
  const hash = view.hashes === undefined ? undefined : sha256(view.hashes);
  const found = candidate(hash, index, at);
  if (found === undefined) {
    at.findings.push(fault('NOT_IN_LOG', `${view.folder}${view.name}`, whyNotInLog(at.log, index)));
    return undefined;
  }
  compareEntry(view, found, { hash, findings: at.findings });
  if (view.info === undefined && view.hashes === undefined && view.others.length === 0)
    at.findings.push(
      fault(
        'RECORDING_MISSING',
        `${view.folder}${view.name}`,
        `entry ${found.index}: recording ${found.body.rec} is not in the archive, only its entry and proof are`,
      ),
    );
  if (found.whole && info !== undefined && found.index !== Number(index))
    at.findings.push(
      fault(
        'SWAPPED',
        `${view.folder}${view.name}${HASH_ENDING}`,
        `is that of entry ${found.index}, the info file names ${index ?? 'none'}`,
      ),
    );
  return found;
}

function candidate(
  hash: string | undefined,
  index: string | undefined,
  { logs, log, proved }: EntrySearch,
): FoundEntry | undefined {
  if (proved !== undefined && logs.get(proved.origin)?.hasEntries !== true) return proved;
  const named = log?.recordings.get(Number(index));
  const own = entryWithHash(hash, logs);
  if (named === undefined || log === undefined) return own ?? proved;
  return own === undefined || own.index === named.index ? { ...named, origin: log.origin, whole: true } : own;
}

function whyNotInLog(log: CheckedLog | undefined, index: string | undefined): string {
  if (log?.hasEntries !== true)
    return 'neither a log that has an entry of this recording nor a valid proof is here';
  if (Number(index) >= log.size)
    return `entry ${index ?? ''} is not in the log, which ends with entry ${log.size - 1}: cut off, or not yet exported`;
  return `entry ${index ?? ''} of the log is not that of a recording`;
}

function entryWithHash(hash: string | undefined, logs: RecordingContext['logs']): FoundEntry | undefined {
  if (hash === undefined) return undefined;
  for (const log of logs.values()) {
    const index = log.byHash.get(hash);
    const sealed = index === undefined ? undefined : log.recordings.get(index);
    if (sealed !== undefined) return { ...sealed, origin: log.origin, whole: true };
  }
  return undefined;
}

function compareEntry(
  view: RecordingView,
  { index, body }: SealedEntry,
  { hash, findings }: { readonly hash: string | undefined; readonly findings: Finding[] },
): void {
  const differs = (ending: string, detail: string): void => {
    findings.push(fault('ENTRY_DIFFERS', `${view.folder}${view.name}${ending}`, detail));
  };
  if (hash !== undefined && hash !== body.hash)
    differs(HASH_ENDING, `is not the list that entry ${index} has the hash of`);
  if (view.signature !== undefined && sha256(view.signature) !== body.sig)
    differs(SIGNATURE_ENDING, `is not the signature that entry ${index} has the hash of`);
  if (!view.name.endsWith(body.rec.slice(-8)))
    differs('', `does not carry the last eight digits of ${body.rec}, the recording of entry ${index}`);
}

function checkSignature(
  view: RecordingView,
  key: string | undefined,
  { keyring, findings }: { readonly keyring: Keyring; readonly findings: Finding[] },
): void {
  const file = `${view.folder}${view.name}${SIGNATURE_ENDING}`;
  if (view.signature === undefined) {
    findings.push(fault('FILE_MISSING', file, 'is missing'));
    return;
  }
  if (view.hashes === undefined) return;
  const publicKey = keyring.find(key ?? '');
  if (publicKey === undefined) findings.push(keyring.refusal(key ?? 'unknown', file));
  else if (!verifySignature(publicKey, view.hashes, view.signature))
    findings.push(fault('SIGNATURE_INVALID', file, `does not fit ${view.name}${HASH_ENDING}`));
}

const keyIn = (info: Info | undefined): string | undefined =>
  /^sha256:(.+)$/.exec(info?.get('Signing-Key') ?? '')?.[1];

/** What the info file says about the log must be what the log says. */
function compareInfo(
  view: RecordingView,
  info: Info,
  { sealed, findings }: { readonly sealed: FoundEntry; readonly findings: Finding[] },
): void {
  const file = `${view.folder}${view.name}${INFO_ENDING}`;
  const expected: readonly (readonly [key: string, value: string])[] = [
    ['Recording-Id', sealed.body.rec],
    ['Status', sealed.body.status],
    ['Signing-Key', `sha256:${sealed.key}`],
    ['Log-Origin', sealed.origin],
    ['Log-Index', `${sealed.index}`],
  ];
  for (const [key, value] of expected)
    if (info.get(key) !== value)
      findings.push(
        fault(
          'ENTRY_DIFFERS',
          file,
          `${key} is ${info.get(key) ?? 'missing'}, entry ${sealed.index} says ${value}`,
        ),
      );
  if (sealed.whole) comparePrevious(file, info, { previous: sealed.previous, findings });
}

/** What the info file says of the recording sealed before must be what the log says. */
function comparePrevious(
  file: string,
  info: Info,
  { previous, findings }: { readonly previous: SealedEntry['previous']; readonly findings: Finding[] },
): void {
  if (info.get('Previous-Index') !== (previous === undefined ? '-' : `${previous.index}`))
    findings.push(
      fault(
        'PREVIOUS_DIFFERS',
        file,
        `Previous-Index is ${info.get('Previous-Index') ?? 'missing'}, the log says ${previous?.index ?? '-'}`,
      ),
    );
  const signature = info.get('Previous-Signature') ?? '';
  const fits =
    previous === undefined ? signature === '-' : sha256(Buffer.from(signature, 'base64')) === previous.sig;
  if (!fits)
    findings.push(
      fault('PREVIOUS_DIFFERS', file, 'Previous-Signature is not the one that the log has the hash of'),
    );
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
