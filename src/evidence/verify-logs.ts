import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { parseCheckpoint, type Checkpoint } from './checkpoint.ts';
import { EvidenceError } from './evidence-error.ts';
import { fault, note, type Finding } from './finding.ts';
import type { Keyring, NamedBytes } from './keyring.ts';
import { consistencyRanges, isConsistent } from './merkle-proof.ts';
import type { MerkleTree } from './merkle-tree.ts';
import { parseOrigin } from './origin.ts';
import { compareStrangers } from './stored-check.ts';
import { cosignedAt, isSignedByLog, parseNote, type SignedNote } from './signed-note.ts';
import type { CheckedLog, ExpectedGenesis, NoteFile, SeenCheckpoint } from './verify-log.ts';

/** What several logs say about one another: epochs of one recorder, peers that saw each other's checkpoints, recordings in two of them. */
export function verifyLogs(logs: readonly CheckedLog[], keyring: Keyring): readonly Finding[] {
  const byOrigin = new Map(logs.map((log) => [log.origin, log]));
  return [
    ...logs.flatMap((log) => epochFindings(log, byOrigin)),
    ...logs.flatMap((log) => log.seen.flatMap((peer) => peerFindings(log, peer, byOrigin))),
    ...logs.flatMap((log) => log.notes.flatMap((file) => noteFindings(log, file, { byOrigin, keyring }))),
    ...twiceFindings(logs),
    ...logs.flatMap((log) => strangerFindings(log, byOrigin)),
  ];
}

/** Whether the logs that were begun at the installation are these: what was deleted as a whole and begun anew has another genesis. */
export function verifyGenesis(
  expected: readonly ExpectedGenesis[],
  logs: readonly CheckedLog[],
): readonly Finding[] {
  return expected.flatMap(({ hash, origin }) => {
    if (logs.some(({ genesisHash }) => genesisHash === hash)) return [];
    const log = logs.find((each) => each.origin === origin);
    const file = log === undefined ? (origin ?? 'evidence') : `${log.folder}/genesis.txt`;
    return [
      fault(
        'GENESIS_UNEXPECTED',
        file,
        `is not the genesis that was given, sha256:${hash}: another log stands here`,
      ),
    ];
  });
}

/** A checkpoint that was kept elsewhere, compared with the log. `proved`: the log continues it. */
export interface CheckedSince {
  readonly file: string;
  readonly checkpoint: Checkpoint | undefined;
  readonly proved: boolean;
  readonly findings: readonly Finding[];
}

/**
 * Whether the log continues a checkpoint that somebody kept: the consistency proof of RFC 6962 §2.1.2 is made from the entries and
 * verified against both roots. `bytes` is a checkpoint or a signed note of one.
 */
export function verifySince({ file, bytes }: NamedBytes, logs: readonly CheckedLog[]): CheckedSince {
  const checkpoint = readKept(bytes);
  const failed = (code: Finding['code'], detail: string): CheckedSince => ({
    file,
    checkpoint,
    proved: false,
    findings: [fault(code, file, detail)],
  });
  if (checkpoint === undefined) return failed('CHECKPOINT_INVALID', 'is not a checkpoint');
  const { origin, size, root } = checkpoint;
  const log = logs.find((each) => each.origin === origin);
  if (log?.hasEntries !== true)
    return failed('LOG_MISSING', `the log ${origin}, which had ${size} entries, is not here`);
  if (size > log.size)
    return failed(
      'LOG_TRUNCATED',
      `${size} entries existed when it was kept, only ${log.size} are here: the end of the log is cut off`,
    );
  if (size > log.tree.size || !continues({ size, root: hexOf(root) }, log.tree))
    return failed(
      'CHECKPOINT_DIFFERS',
      `the first ${size} entries are not those that existed when it was kept`,
    );
  return { file, checkpoint, proved: true, findings: [] };
}

function continues(old: { readonly size: number; readonly root: string }, tree: MerkleTree): boolean {
  const proof = consistencyRanges(old.size, tree.size).map(({ from, to }) => tree.range(from, to));
  return isConsistent(old, { size: tree.size, root: tree.root(tree.size) }, proof);
}

function readKept(bytes: Uint8Array): Checkpoint | undefined {
  for (const read of [() => parseCheckpoint(bytes), () => parseCheckpoint(parseNote(bytes).text)])
    try {
      return read();
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
    }
  return undefined;
}

/** A later epoch begins with a genesis that names the one before (evidence.md 1.1 no. 5). */
function epochFindings(log: CheckedLog, byOrigin: ReadonlyMap<string, CheckedLog>): readonly Finding[] {
  const { origin, genesis, folder } = log;
  if (genesis === undefined) return [];
  const { epoch } = parseOrigin(origin);
  const invalid = (detail: string): Finding => fault('EPOCH_INVALID', `${folder}/genesis.txt`, detail);
  if (epoch === 1)
    return genesis.reason === 'recovery' ? [invalid('the first epoch cannot begin with a recovery')] : [];
  if (genesis.reason === 'new') return [invalid(`epoch ${epoch} begins as if nothing had been before`)];
  const before = origin.replace(/[0-9]+$/, `${epoch - 1}`);
  const older = byOrigin.get(before);
  const missing =
    older === undefined ? [fault('EPOCH_MISSING', before, `is not here, yet ${origin} follows it`)] : [];
  const detail = `a new epoch began (${genesis.reason}): that it was necessary must be shown by other means than this log`;
  return [
    ...missing,
    note('DISCONTINUITY', origin, detail),
    ...(genesis.predecessor === '-'
      ? []
      : predecessorFindings(genesis.predecessor, { before, older, invalid })),
  ];
}

function predecessorFindings(
  predecessor: string,
  {
    before,
    older,
    invalid,
  }: {
    readonly before: string;
    readonly older: CheckedLog | undefined;
    readonly invalid: (detail: string) => Finding;
  },
): readonly Finding[] {
  const [named = '', digits = '0', root = ''] = predecessor.split(' ');
  const size = Number(digits);
  if (named !== before) return [invalid(`it names ${named} as its predecessor, that would be ${before}`)];
  if (older?.hasEntries !== true) return [];
  if (!hasState(older, size, root))
    return [invalid(`the state of ${older.origin} that it names, ${size} entries, is not one of that log`)];
  if (older.size === size) return [];
  return [
    note(
      'DISCONTINUITY',
      older.origin,
      `entries ${size} to ${older.size - 1} were not known when the next epoch began`,
    ),
  ];
}

/** What a peer saw of a log must be a state of that log: otherwise it was cut off, or has two faces. */
function peerFindings(
  log: CheckedLog,
  { index, file, body }: SeenCheckpoint,
  byOrigin: ReadonlyMap<string, CheckedLog>,
): readonly Finding[] {
  const kept = log.notes.find(
    (note) => note.kind === body.kind && note.size === body.ofSize && note.name === body.name,
  );
  if (kept !== undefined && sha256(kept.bytes) !== body.hash)
    return [fault('NOTE_INVALID', kept.file, `is not the note that entry ${index} has the hash of`)];
  const seen = byOrigin.get(body.ofOrigin);
  if (body.kind !== 'peer' || seen?.hasEntries !== true) return [];
  if (hasState(seen, body.ofSize, body.ofRoot)) return [];
  const what =
    body.ofSize > seen.size
      ? `it had ${body.ofSize} entries, ${seen.size} are here: its end is cut off`
      : `its first ${body.ofSize} entries were others: it was written anew, or has two faces`;
  return [
    fault('WITNESS_DIFFERS', seen.folder, `${log.origin} saw this log (entry ${index} in ${file}): ${what}`),
  ];
}

function noteFindings(
  log: CheckedLog,
  { kind, file, size, bytes }: NoteFile,
  { byOrigin, keyring }: { readonly byOrigin: ReadonlyMap<string, CheckedLog>; readonly keyring: Keyring },
): readonly Finding[] {
  const invalid = (detail: string): readonly Finding[] => [fault('NOTE_INVALID', file, detail)];
  const read = readNote(bytes);
  if (read === undefined) return invalid('is not a signed note of a checkpoint');
  const { note: signed, checkpoint } = read;
  if (checkpoint.size !== size) return invalid(`speaks of ${checkpoint.size} entries`);
  const owner = kind === 'witness' ? log : byOrigin.get(checkpoint.origin);
  if (kind === 'witness' && checkpoint.origin !== log.origin)
    return invalid(`is of another log, ${checkpoint.origin}`);
  if (owner !== undefined && !isSignedBy(signed, checkpoint, { owner, keyring }))
    return invalid(`its checkpoint is not signed by ${checkpoint.origin}`);
  const findings: Finding[] = [];
  if (owner?.hasEntries === true && !hasState(owner, size, checkpoint.root))
    findings.push(
      fault(
        'WITNESS_DIFFERS',
        owner.folder,
        `${file} has a checkpoint of ${size} entries that is not a state of this log`,
      ),
    );
  const witness = kind === 'peer' ? log : undefined;
  return [...findings, ...cosignatureFindings(file, signed, { witness, byOrigin, keyring })];
}

/** A peer's note carries our cosignature; who else cosigned is only known when their log is here too. */
function cosignatureFindings(
  file: string,
  signed: SignedNote,
  {
    witness,
    byOrigin,
    keyring,
  }: {
    readonly witness: CheckedLog | undefined;
    readonly byOrigin: ReadonlyMap<string, CheckedLog>;
    readonly keyring: Keyring;
  },
): readonly Finding[] {
  const names = [...new Set(signed.signatures.map(({ name }) => name))];
  const candidates = witness === undefined ? names.flatMap((name) => byOrigin.get(name) ?? []) : [witness];
  const isCosigned = candidates.some((log) =>
    keysOf(log, keyring).some((key) => {
      const publicKey = keyring.publicKey(key);
      return publicKey !== undefined && cosignedAt(signed, log.origin, publicKey) !== undefined;
    }),
  );
  if (isCosigned) return [];
  return candidates.every((log) => log.origin === originOf(signed))
    ? [note('WITNESS_UNKNOWN', file, 'no key of the witness is here: its cosignature was not verified')]
    : [fault('NOTE_INVALID', file, 'the cosignature is missing or does not fit')];
}

/** Whether the key that the log had then, or any known where the log does not say, has signed a checkpoint of it. */
export function isSignedBy(
  signed: SignedNote,
  { origin, size }: Checkpoint,
  { owner, keyring }: { readonly owner: CheckedLog; readonly keyring: Keyring },
): boolean {
  const key = owner.hasEntries && size <= owner.size ? owner.keyAt(size - 1) : undefined;
  return (key === undefined ? keysOf(owner, keyring) : [key]).some((each) => {
    const publicKey = keyring.publicKey(each);
    return publicKey !== undefined && isSignedByLog(signed, origin, publicKey);
  });
}

/** Certificates are not bound to a log by name; the signature says whose it is. */
const keysOf = (_log: CheckedLog, keyring: Keyring): readonly string[] =>
  keyring.certificates.map(({ key }) => key);

/** A note with the checkpoint that it is of; undefined when it is none. */
export function readNote(
  bytes: Uint8Array,
): { readonly note: SignedNote; readonly checkpoint: Checkpoint } | undefined {
  try {
    const signed = parseNote(bytes);
    return { note: signed, checkpoint: parseCheckpoint(signed.text) };
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return undefined;
  }
}

/** One recording is sealed once, in one log. */
function twiceFindings(logs: readonly CheckedLog[]): readonly Finding[] {
  const first = new Map<string, string>();
  return logs.flatMap(({ origin, recordings }) =>
    [...recordings.values()].flatMap(({ index, file, body }) => {
      const other = first.get(body.rec);
      first.set(body.rec, `entry ${index} of ${origin}`);
      if (other === undefined) return [];
      return [fault('RECORDING_TWICE', file, `entry ${index} seals recording ${body.rec}, as does ${other}`)];
    }),
  );
}

/** A log of which only proofs are here says nothing about what it does not seal. */
function strangerFindings(log: CheckedLog, byOrigin: ReadonlyMap<string, CheckedLog>): readonly Finding[] {
  if (log.strangers.length === 0) return [];
  const { epoch } = parseOrigin(log.origin);
  const earlier = Array.from({ length: epoch - 1 }, (_, at) => {
    const older = byOrigin.get(log.origin.replace(/[0-9]+$/, `${at + 1}`));
    return older?.hasEntries === true ? older.recordings : undefined;
  });
  return compareStrangers(log.strangers, earlier);
}

export const hasState = ({ tree }: CheckedLog, size: number, root: string): boolean =>
  size > 0 && size <= tree.size && tree.root(size) === hexOf(root);

/** The log whose checkpoint a note is: its own signature is no cosignature. */
const originOf = ({ text }: SignedNote): string => text.toString('latin1').split('\n')[0] ?? '';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

const hexOf = (base64: string): string => Buffer.from(base64, 'base64').toString('hex');
