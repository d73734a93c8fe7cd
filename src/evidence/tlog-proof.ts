import { Buffer } from 'node:buffer';
import { parseCheckpoint, type Checkpoint } from './checkpoint.ts';
import { EvidenceError } from './evidence-error.ts';
import { leafHash } from './merkle.ts';
import { rootFromInclusion } from './merkle-proof.ts';
import { formatNote, parseNote, type SignedNote } from './signed-note.ts';

/** The file beside a recording that proves offline that its entry is in the log (C2SP tlog-proof, without extra data). */
export interface TlogProof {
  readonly index: number;
  /** From the leaf's sibling to the child of the root, hex. */
  readonly path: readonly string[];
  readonly note: SignedNote;
}

const FIRST_LINE = 'c2sp.org/tlog-proof@v1';
/** A path longer than this belongs to no tree of safe size. */
const LONGEST_PATH = 53;

/** Throws EvidenceError BAD_PROOF or BAD_NOTE for values the file cannot hold. */
export function formatTlogProof({ index, path, note }: TlogProof): Buffer {
  if (!Number.isSafeInteger(index) || index < 0 || path.length > LONGEST_PATH)
    throw new EvidenceError('BAD_PROOF', `index ${index}, ${path.length} hashes`);
  const hashes = path.map((hash) => {
    if (!/^[0-9a-f]{64}$/.test(hash)) throw new EvidenceError('BAD_PROOF', 'a hash is not 32 octets');
    return `${Buffer.from(hash, 'hex').toString('base64')}\n`;
  });
  const head = `${FIRST_LINE}\nindex ${index}\n${hashes.join('')}\n`;
  return Buffer.concat([Buffer.from(head), formatNote(note)]);
}

/** Reads a proof; throws EvidenceError BAD_PROOF, BAD_NOTE, BAD_CHECKPOINT or BAD_ORIGIN for anything `formatTlogProof` would not write. */
export function parseTlogProof(bytes: Uint8Array): TlogProof & { readonly checkpoint: Checkpoint } {
  const whole = Buffer.from(bytes);
  const end = whole.indexOf('\n\n');
  if (end < 0) throw new EvidenceError('BAD_PROOF', 'no empty line before the checkpoint');
  const [first, indexLine = '', ...hashes] = whole.toString('latin1', 0, end).split('\n');
  if (first !== FIRST_LINE || !/^index (?:0|[1-9][0-9]{0,15})$/.test(indexLine))
    throw new EvidenceError('BAD_PROOF', 'does not begin with its name and the index');
  const path = hashes.map((text) => Buffer.from(text, 'base64').toString('hex'));
  const proof = { index: Number(indexLine.slice(6)), path, note: parseNote(whole.subarray(end + 2)) };
  if (!formatTlogProof(proof).equals(whole)) throw new EvidenceError('BAD_PROOF', 'not in canonical form');
  return { ...proof, checkpoint: parseCheckpoint(proof.note.text) };
}

/** Whether the entry's bytes are the leaf that the proof speaks of. Says nothing about the signatures. Never throws. */
export function provesInclusion(
  { index, path, checkpoint }: TlogProof & { readonly checkpoint: Checkpoint },
  entry: Uint8Array,
): boolean {
  try {
    const root = rootFromInclusion({ index, hash: leafHash(entry) }, checkpoint.size, path);
    return Buffer.from(root, 'hex').toString('base64') === checkpoint.root;
  } catch {
    return false;
  }
}

/** Whether the octets are a proof that the log of `origin` has the entry. Says nothing about the signatures. Never throws. */
export function isProofOf(
  proof: Uint8Array,
  { origin, bytes }: { readonly origin: string; readonly bytes: Uint8Array },
): boolean {
  try {
    const read = parseTlogProof(proof);
    return read.checkpoint.origin === origin && provesInclusion(read, bytes);
  } catch {
    return false;
  }
}
