import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { readCertificate, verifySignature, type Signer } from '../evidence/signature.ts';
import { noteKeyId, type NoteSignature } from '../evidence/signed-note.ts';
import { formatTlogProof, isProofOf } from '../evidence/tlog-proof.ts';
import { checkpoint, type CheckpointDeps } from './checkpoint.ts';
import type { Chain } from './chain.ts';
import type { LogTree } from './log-tree.ts';
import type { CheckpointRow, EntryRow, FileRow, LogStore, SealFiles } from './ports.ts';
import { SharedWrites } from './shared-writes.ts';

export interface ProveDeps extends CheckpointDeps {
  readonly store: LogStore;
  readonly chain: Chain;
  readonly signer: Signer;
  readonly files: SealFiles;
  readonly treeOf: (origin: string) => LogTree;
  /** Signatures of the checkpoint as lines of a note. */
  readonly signaturesOf: (row: CheckpointRow) => readonly NoteSignature[];
}

/** Milliseconds in which seals come together, so that they share one checkpoint (evidence.md 1.5: at most a second). */
const GATHER = 100;
const AT_ONCE = 100;
/** Recordings whose files are written at the same time. */
const ABREAST = 8;

/**
 * Puts entry and proof beside sealed recordings: `<rec>_entry.txt` and `<rec>.tlog-proof` under a checkpoint that covers them all. One
 * run at a time; who asks meanwhile shares the next.
 */
export class Prover {
  readonly #deps: ProveDeps;
  readonly #writes: SharedWrites;
  #next: Promise<void> | undefined;
  #running: Promise<unknown> = Promise.resolve();

  constructor(deps: ProveDeps) {
    this.#deps = deps;
    this.#writes = new SharedWrites(deps.store);
  }

  /** Resolves when every recording sealed before the call has its proof; rejects as the database or the disk does. */
  prove(): Promise<void> {
    this.#next ??= this.#afterGathering();
    return this.#next;
  }

  async #afterGathering(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, GATHER));
    await this.#running;
    this.#next = undefined;
    const run = this.#run();
    this.#running = run.catch(() => undefined);
    return run;
  }

  async #run(): Promise<void> {
    const { store } = this.#deps;
    for (;;) {
      const rows = await store.evidence.unproved(AT_ONCE);
      if (rows.length === 0) return;
      const current = await checkpoint(this.#deps, { exported: false });
      for (let from = 0; from < rows.length; from += ABREAST)
        await Promise.all(rows.slice(from, from + ABREAST).map((row) => this.#proveOne(row, current)));
      if (rows.length < AT_ONCE) return;
    }
  }

  async #proveOne(
    row: EntryRow & { readonly fileName: string },
    current: CheckpointRow | undefined,
  ): Promise<void> {
    // A recording of an earlier epoch is proved by the last checkpoint of that epoch.
    const isCurrent = row.origin === current?.origin;
    const covering = isCurrent ? current : await this.#deps.store.newestCheckpoint(row.origin);
    if (covering !== undefined && covering.size > row.index) await this.#place(row, covering);
  }

  async #place(row: EntryRow & { readonly fileName: string }, covering: CheckpointRow): Promise<void> {
    const { files, treeOf, now } = this.#deps;
    const recording = row.recording ?? '';
    const path = await treeOf(row.origin).inclusion(row.index, covering.size);
    const note = { text: covering.text, signatures: this.#deps.signaturesOf(covering) };
    const made = formatTlogProof({ index: row.index, path, note });
    const names = { entry: `${row.fileName}_entry.txt`, proof: `${row.fileName}.tlog-proof` };
    await files.createOnce(recording, names.entry, row.bytes);
    const proof = await this.#placeProof(row, names.proof, made);
    await files.sync(recording);
    const rowOf = (kind: FileRow['kind'], name: string, bytes: Buffer): FileRow => ({
      recording,
      name,
      kind,
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    });
    await this.#writes.write(async (log) => {
      await log.evidence.addFiles([
        rowOf('entry', names.entry, row.bytes),
        rowOf('proof', names.proof, proof),
      ]);
      await log.addStep({ recording, at: now(), step: 'proved', outcome: 'ok', detail: `${covering.size}` });
    });
  }

  /** A crash may have left the proof under an earlier checkpoint; then that one stays. */
  async #placeProof(row: EntryRow, name: string, made: Buffer): Promise<Buffer> {
    const { files } = this.#deps;
    const recording = row.recording ?? '';
    try {
      await files.createOnce(recording, name, made);
      return made;
    } catch (error) {
      if ((error as { readonly code?: string } | null)?.code !== 'DIFFERENT') throw error;
      const there = await readFile(files.path(recording, name));
      if (!isProofOf(there, row)) throw error;
      return there;
    }
  }
}

/** The lines of a note for a checkpoint that one or, at a key roll, two keys have signed. */
export function signaturesOf(
  { origin, text, signature, nextSignature }: CheckpointRow,
  certificates: readonly string[],
): readonly NoteSignature[] {
  const keys = certificates.map((pem) => readCertificate(pem).publicKey);
  return [signature, nextSignature].flatMap((bytes) => {
    if (bytes === undefined) return [];
    const key = keys.find((each) => verifySignature(each, text, bytes));
    return key === undefined
      ? []
      : [{ name: origin, keyId: noteKeyId(origin, 'log', key), signature: bytes }];
  });
}
