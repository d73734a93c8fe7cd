import type { KeyObject } from 'node:crypto';
import { parseCheckpoint, type Checkpoint } from '../evidence/checkpoint.ts';
import { EvidenceError } from '../evidence/evidence-error.ts';
import { parseOrigin } from '../evidence/origin.ts';
import { parseNote, type SignedNote } from '../evidence/signed-note.ts';

/** Another recorder, as far as its log goes; `delivery/peer-node.ts` fits. Everything rejects when it cannot be reached. */
export interface Peer {
  /** Word in entries and file names. */
  readonly name: string;
  /** Its log without the epoch: `bank.example/siprec/fra1/rec02`. */
  readonly log: string;
  /** The keys that may sign for it: those of its certificates that the configuration names. */
  keys(signal: AbortSignal): Promise<readonly KeyObject[]>;
  /** Its newest exported checkpoint, a signed note. Undefined while it has none. */
  checkpoint(signal: AbortSignal): Promise<Buffer | undefined>;
  /** The consistency proof of RFC 6962 §2.1.2, hex. */
  consistency(
    of: { readonly origin: string; readonly old: number; readonly size: number },
    signal: AbortSignal,
  ): Promise<readonly string[]>;
  /** Hands over a checkpoint of it that we cosigned, a signed note. */
  cosigned(note: Buffer, signal: AbortSignal): Promise<void>;
}

export interface ReadNote {
  readonly note: SignedNote;
  readonly checkpoint: Checkpoint;
}

/** A signed note of a checkpoint; undefined for anything else. */
export function readCheckpointNote(bytes: Uint8Array): ReadNote | undefined {
  try {
    const note = parseNote(bytes);
    return { note, checkpoint: parseCheckpoint(note.text) };
  } catch (error) {
    if (error instanceof EvidenceError) return undefined;
    throw error;
  }
}

/** Whether an origin is an epoch of the log with this name. Never throws. */
export function isEpochOf(origin: string, log: string): boolean {
  try {
    parseOrigin(origin);
    return origin.slice(0, origin.lastIndexOf('/')) === log;
  } catch {
    return false;
  }
}
