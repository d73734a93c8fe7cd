import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { parseCheckpoint, type Checkpoint } from './checkpoint.ts';
import { EvidenceError } from './evidence-error.ts';
import { fault, note, type Finding } from './finding.ts';
import type { Keyring } from './keyring.ts';
import { formatSums } from './layout.ts';
import type { MerkleTree } from './merkle-tree.ts';
import { verifySignature } from './signature.ts';

/** The files of an exported checkpoint; each may be missing. */
export interface CheckpointFiles {
  /** Path without the ending. */
  readonly file: string;
  /** The number in its name. */
  readonly size: string;
  readonly text?: Uint8Array | undefined;
  readonly signature?: Uint8Array | undefined;
  /** Of the new key, at a key roll. */
  readonly newSignature?: Uint8Array | undefined;
  readonly sums?: Uint8Array | undefined;
}

export interface ReadCheckpoint extends Checkpoint {
  readonly file: string;
  readonly text: Uint8Array;
  readonly signature: Uint8Array;
  readonly newSignature: Uint8Array | undefined;
  readonly sums: Uint8Array | undefined;
}

export interface CheckpointContext {
  readonly folder: string;
  /** Entries, counting those that are missing between others. */
  readonly size: number;
  /** Undefined when the log's entries are not here: then only the signatures can be verified. */
  readonly tree: MerkleTree | undefined;
  readonly keyring: Keyring;
  /** The keys that may have signed the state of this size; the first one must be right when there are several. */
  readonly keysAt: (size: number) => readonly string[];
  /** The key that a key roll hands over to with this entry. */
  readonly successorAt: (index: number) => string | undefined;
}

/** Reads the checkpoints of one log; the others are findings. */
export function readCheckpoints(
  files: readonly CheckpointFiles[],
  origin: string,
): { readonly checkpoints: readonly ReadCheckpoint[]; readonly findings: readonly Finding[] } {
  const findings: Finding[] = [];
  const checkpoints = files.flatMap((each) => {
    const read = readCheckpoint(each, origin);
    if (!('code' in read)) return [read];
    findings.push(read);
    return [];
  });
  return { checkpoints: checkpoints.sort((a, b) => a.size - b.size), findings };
}

function readCheckpoint(
  { file, size, text, signature, newSignature, sums }: CheckpointFiles,
  origin: string,
): ReadCheckpoint | Finding {
  const invalid = (ending: string, detail: string): Finding =>
    fault('CHECKPOINT_INVALID', `${file}${ending}`, detail);
  if (text === undefined) return invalid('.txt', 'is missing');
  if (signature === undefined) return invalid('.sig', 'is missing');
  try {
    const checkpoint = parseCheckpoint(text);
    if (checkpoint.origin !== origin) return invalid('.txt', `is of another log, ${checkpoint.origin}`);
    if (`${checkpoint.size}` !== size) return invalid('.txt', `speaks of ${checkpoint.size} entries`);
    return { ...checkpoint, file, text, signature, newSignature, sums };
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return invalid('.txt', error.message);
  }
}

/** Verifies them against keys and tree. Returns the valid ones, in order of their size, and what was found. */
export function verifyCheckpoints(
  checkpoints: readonly ReadCheckpoint[],
  context: CheckpointContext,
): { readonly valid: readonly ReadCheckpoint[]; readonly findings: readonly Finding[] } {
  const findings: Finding[] = [];
  const valid = checkpoints.filter((checkpoint) => {
    const found = [...signatureFaults(checkpoint, context), ...rootFaults(checkpoint, context)];
    findings.push(...found, ...sumsFaults(checkpoint));
    return found.length === 0 && isAccepted(checkpoint, context);
  });
  const covered = valid.at(-1)?.size ?? 0;
  if (covered < context.size)
    findings.push(
      note(
        'NOT_COVERED',
        context.folder,
        `entries ${covered} to ${context.size - 1} are behind the newest valid checkpoint`,
      ),
    );
  return { valid, findings };
}

/** A key that is not accepted has its own finding; it makes no checkpoint valid. */
const isAccepted = ({ size }: ReadCheckpoint, { keyring, keysAt }: CheckpointContext): boolean =>
  keysAt(size).some((key) => keyring.find(key) !== undefined);

function signatureFaults(
  { file, size, text, signature, newSignature }: ReadCheckpoint,
  { keyring, keysAt, successorAt }: CheckpointContext,
): readonly Finding[] {
  const keys = keysAt(size).flatMap((key) => keyring.publicKey(key) ?? []);
  const findings: Finding[] = [];
  if (keys.length > 0 && !keys.some((key) => verifySignature(key, text, signature)))
    findings.push(
      fault(
        'SIGNATURE_INVALID',
        `${file}.sig`,
        `does not fit ${file}.txt: one of the two was altered, or another key signed`,
      ),
    );
  const successor = successorAt(size - 1);
  if (successor === undefined) return findings;
  const key = keyring.publicKey(successor);
  if (newSignature === undefined) findings.push(fault('CHECKPOINT_INVALID', `${file}.new.sig`, 'is missing'));
  else if (key !== undefined && !verifySignature(key, text, newSignature))
    findings.push(fault('SIGNATURE_INVALID', `${file}.new.sig`, `does not fit ${file}.txt`));
  return findings;
}

function rootFaults(
  { file, size, root }: ReadCheckpoint,
  { tree, size: entries }: CheckpointContext,
): readonly Finding[] {
  if (tree === undefined) return [];
  if (size > entries) {
    const detail = `${size} entries existed when this was signed, only ${entries} are here: the end of the log is cut off`;
    return [fault('LOG_TRUNCATED', `${file}.txt`, detail)];
  }
  if (size <= tree.size && Buffer.from(tree.root(size), 'hex').toString('base64') === root) return [];
  const detail = `the first ${size} entries are not those that were signed: one was altered, added or removed`;
  return [fault('CHECKPOINT_DIFFERS', `${file}.txt`, detail)];
}

function sumsFaults({ file, size, text, signature, sums }: ReadCheckpoint): readonly Finding[] {
  if (sums === undefined) return [];
  const expected = formatSums(size, { text: sha256(text), signature: sha256(signature) });
  return expected.equals(sums)
    ? []
    : [fault('SUMS_INVALID', `${file}.sums`, 'does not list the hashes of the checkpoint and its signature')];
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
