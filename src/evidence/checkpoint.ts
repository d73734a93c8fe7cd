import { Buffer } from 'node:buffer';
import { EvidenceError } from './evidence-error.ts';
import { parseOrigin } from './origin.ts';

/** A log's state in three lines, as in C2SP tlog-checkpoint without extension lines (evidence.md 1.5). */
export interface Checkpoint {
  readonly origin: string;
  /** Number of entries. */
  readonly size: number;
  /** Root of the Merkle tree over them, base64. */
  readonly root: string;
}

const ROOT_BYTES = 32;

/** The checkpoint's text. Throws EvidenceError BAD_CHECKPOINT (or BAD_ORIGIN) for values it cannot hold. */
export function formatCheckpoint(origin: string, size: number, root: string): Buffer {
  parseOrigin(origin);
  if (!Number.isSafeInteger(size) || size < 1) throw new EvidenceError('BAD_CHECKPOINT', `size ${size}`);
  const bytes = Buffer.from(root, 'base64');
  // Decoders pass over stray bits and characters; two texts for one root must not exist.
  if (bytes.length !== ROOT_BYTES || bytes.toString('base64') !== root)
    throw new EvidenceError('BAD_CHECKPOINT', 'root is not 32 bytes in canonical base64');
  return Buffer.from(`${origin}\n${size}\n${root}\n`, 'latin1');
}

/** Reads a checkpoint; throws EvidenceError BAD_CHECKPOINT or BAD_ORIGIN for anything `formatCheckpoint` would not write. */
export function parseCheckpoint(bytes: Uint8Array): Checkpoint {
  const [origin = '', number = '', root = ''] = Buffer.from(bytes).toString('latin1').split('\n');
  const checkpoint: Checkpoint = { origin, size: Number(number), root };
  if (!formatCheckpoint(origin, checkpoint.size, root).equals(bytes))
    throw new EvidenceError('BAD_CHECKPOINT', 'not in canonical form');
  return checkpoint;
}
