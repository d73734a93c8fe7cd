import { Buffer } from 'node:buffer';
import type { SealedEntry } from './call-check.ts';
import { entryHash, parseEntry, type Entry } from './entry.ts';
import { EvidenceError } from './evidence-error.ts';
import { fault, type Finding } from './finding.ts';
import { ENTRY_ENDING, PROOF_ENDING } from './recording-files.ts';
import { isSignedByLog } from './signed-note.ts';
import { parseTlogProof, provesInclusion } from './tlog-proof.ts';
import type { RecordingContext, RecordingView } from './recording-view.ts';

/** An entry of a recording, and how it is known. */
export type FoundEntry = SealedEntry & {
  readonly origin: string;
  /** From the log itself, so that what was sealed before it is known too; otherwise by a proof alone. */
  readonly whole: boolean;
};

export interface CheckedProof {
  /** The entry beside the recording, when the proof holds. */
  readonly entry: FoundEntry | undefined;
  /** When the recorder says that it was written. */
  readonly time?: string;
  /** Size of the checkpoint that the proof leads to, when it holds. */
  readonly size: number | undefined;
  readonly findings: readonly Finding[];
}

/**
 * Verifies `<rec>_entry.txt` and `<rec>.tlog-proof` (RFC 6962 §2.1.1): the entry is a leaf of a tree whose root the log's key has
 * signed, and where the log is here, of this very log. Neither file is needed where the log is.
 */
export function verifyProof(view: RecordingView, context: RecordingContext): CheckedProof {
  const file = `${view.folder}${view.name}`;
  const entry = view.entry === undefined ? undefined : readEntry(view.entry);
  const findings: Finding[] = [];
  if (view.entry !== undefined && entry?.body.type !== 'recording')
    findings.push(fault('ENTRY_INVALID', `${file}${ENTRY_ENDING}`, 'is not the entry of a recording'));
  if (view.proof === undefined) return { entry: undefined, size: undefined, findings };
  const invalid = (detail: string): CheckedProof => ({
    entry: undefined,
    size: undefined,
    findings: [...findings, fault('PROOF_INVALID', `${file}${PROOF_ENDING}`, detail)],
  });
  const proof = readProof(view.proof);
  if (typeof proof === 'string') return invalid(proof);
  if (view.entry === undefined || entry?.body.type !== 'recording')
    return invalid(`proves nothing without ${view.name}${ENTRY_ENDING}`);
  const { header, body } = entry;
  const reason = reasonAgainst(proof, { header, bytes: view.entry }, context);
  if (reason !== undefined) return invalid(reason);
  const found: FoundEntry = {
    index: header.index,
    file: `${file}${ENTRY_ENDING}`,
    key: header.key,
    hash: entryHash(view.entry),
    body,
    previous: undefined,
    origin: header.origin,
    whole: false,
  };
  return { entry: found, time: header.time, size: proof.checkpoint.size, findings };
}

/** The entry beside a recording must be the one of the log, octet for octet. */
export function compareLeaf(view: RecordingView, sealed: FoundEntry | undefined): readonly Finding[] {
  if (view.entry === undefined || sealed === undefined || entryHash(view.entry) === sealed.hash) return [];
  const file = `${view.folder}${view.name}${ENTRY_ENDING}`;
  return [fault('ENTRY_DIFFERS', file, `is not entry ${sealed.index} of the log`)];
}

type ReadProof = ReturnType<typeof parseTlogProof>;

function reasonAgainst(
  proof: ReadProof,
  { header, bytes }: { readonly header: Entry['header']; readonly bytes: Uint8Array },
  { logs, keyring }: RecordingContext,
): string | undefined {
  const { checkpoint, index, note } = proof;
  if (index !== header.index) return `is for entry ${index}, the entry beside it is ${header.index}`;
  if (checkpoint.origin !== header.origin) return `is for the log ${checkpoint.origin}`;
  if (!provesInclusion(proof, bytes)) return 'does not lead from the entry to the signed root';
  const log = logs.get(checkpoint.origin);
  if (log?.hasEntries === true) {
    const { tree } = log;
    const isState =
      checkpoint.size <= tree.size &&
      Buffer.from(tree.root(checkpoint.size), 'hex').toString('base64') === checkpoint.root;
    if (!isState) return `its checkpoint of size ${checkpoint.size} is not a state of the log that is here`;
  }
  const signer = log?.keyAt(checkpoint.size - 1);
  const keys = signer === undefined ? keyring.certificates.map(({ key }) => key) : [signer];
  const signed = keys.find((key) => {
    const publicKey = keyring.publicKey(key);
    return publicKey !== undefined && isSignedByLog(note, checkpoint.origin, publicKey);
  });
  if (signed === undefined) return 'its checkpoint is not signed by a known key of the log';
  return keyring.find(signed) === undefined
    ? `its checkpoint is signed by key sha256:${signed}, which is not accepted`
    : undefined;
}

function readEntry(bytes: Uint8Array): Entry | undefined {
  try {
    return parseEntry(bytes);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return undefined;
  }
}

function readProof(bytes: Uint8Array): ReadProof | string {
  try {
    return parseTlogProof(bytes);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return error.message;
  }
}
