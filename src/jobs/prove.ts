import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { readCertificate, verifySignature, type Signer } from '../evidence/signature.ts';
import { noteKeyId, type NoteSignature, type SignedNote } from '../evidence/signed-note.ts';
import { formatTlogProof, isProofOf } from '../evidence/tlog-proof.ts';
import { checkpoint, type CheckpointDeps } from './checkpoint.ts';
import type { Chain } from './chain.ts';
import { PermanentUploadError } from './destination.ts';
import type { LogTree } from './log-tree.ts';
import type { CheckpointRow, EntryRow, FileRow, LogStore, SealFiles } from './ports.ts';

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

/** Recordings without a proof, and why. */
type Failures = ReadonlyMap<string, unknown>;

type SealedEntry = EntryRow & { readonly fileName: string };

/** A checkpoint as the proofs under it hold it. */
interface Covering {
  readonly size: number;
  readonly note: SignedNote;
}

/** A small file, ready. */
interface NamedBytes {
  readonly name: string;
  readonly bytes: Buffer;
}

/** A recording whose entry and proof are on disk. */
interface Placed {
  readonly recording: string;
  /** Size of the log that the proof leads to. */
  readonly covered: number;
  readonly files: readonly FileRow[];
}

/**
 * Puts entry and proof beside sealed recordings: `<rec>_entry.txt` and `<rec>.tlog-proof` under a checkpoint that covers them all. One
 * run at a time; who asks meanwhile shares the next.
 */
export class Prover {
  readonly #deps: ProveDeps;
  #next: Promise<Failures> | undefined;
  #running: Promise<unknown> = Promise.resolve();

  constructor(deps: ProveDeps) {
    this.#deps = deps;
  }

  /**
   * Resolves when every recording sealed before the call has its proof, but for those whose files cannot be placed: they keep up no other.
   * Rejects as the database does, and with what was wrong with the files of `recording`: PermanentUploadError where others have their names.
   */
  async prove(recording?: string): Promise<void> {
    this.#next ??= this.#afterGathering();
    const failures = await this.#next;
    if (recording !== undefined && failures.has(recording)) throw failures.get(recording);
  }

  async #afterGathering(): Promise<Failures> {
    await new Promise((resolve) => setTimeout(resolve, GATHER));
    await this.#running;
    this.#next = undefined;
    const run = this.#run();
    this.#running = run.catch(() => undefined);
    return run;
  }

  /** Resolves with what kept recordings from their proofs. */
  async #run(): Promise<Failures> {
    const { store } = this.#deps;
    const failures = new Map<string, unknown>();
    for (;;) {
      // Those that have failed are still among them.
      const unproved = await store.evidence.unproved(AT_ONCE + failures.size);
      const rows = unproved.filter(({ recording = '' }) => !failures.has(recording));
      if (rows.length === 0) return failures;
      const covering = await this.#coveringOf(rows);
      const tries: PromiseSettledResult<Placed | undefined>[] = [];
      for (let from = 0; from < rows.length; from += ABREAST) {
        const some = rows.slice(from, from + ABREAST);
        tries.push(
          ...(await Promise.allSettled(some.map((row) => this.#place(row, covering.get(row.origin))))),
        );
      }
      const placed = tries.flatMap((one) => (one.status === 'fulfilled' ? (one.value ?? []) : []));
      await this.#note(placed);
      const before = failures.size;
      for (const [at, one] of tries.entries())
        if (one.status === 'rejected') failures.set(rows[at]?.recording ?? '', faultOf(one.reason));
      if (rows.length < AT_ONCE || placed.length + failures.size === before) return failures;
    }
  }

  /** What proves the rows of each log: a recording of an earlier epoch the last checkpoint of that epoch. */
  async #coveringOf(rows: readonly EntryRow[]): Promise<ReadonlyMap<string, Covering>> {
    const { store, signaturesOf: linesOf } = this.#deps;
    const current = await checkpoint(this.#deps, { exported: false });
    const covering = new Map<string, Covering>();
    for (const origin of new Set(rows.map((row) => row.origin))) {
      const row = origin === current?.origin ? current : await store.newestCheckpoint(origin);
      // The same lines stand in every proof under it.
      if (row !== undefined)
        covering.set(origin, { size: row.size, note: { text: row.text, signatures: linesOf(row) } });
    }
    return covering;
  }

  /** Undefined when no checkpoint covers it yet. */
  async #place(row: SealedEntry, covering: Covering | undefined): Promise<Placed | undefined> {
    if (covering === undefined || covering.size <= row.index) return undefined;
    const { files, treeOf } = this.#deps;
    const recording = row.recording ?? '';
    const path = await treeOf(row.origin).inclusion(row.index, covering.size);
    const made = formatTlogProof({ index: row.index, path, note: covering.note });
    const entry = { name: `${row.fileName}_entry.txt`, bytes: row.bytes };
    const proof = await this.#placeFiles(row, entry, { name: `${row.fileName}.tlog-proof`, bytes: made });
    await files.sync(recording);
    const rowOf = (kind: FileRow['kind'], { name, bytes }: NamedBytes): FileRow => ({
      recording,
      name,
      kind,
      bytes: bytes.length,
      sha256: hash('sha256', bytes, 'hex'),
    });
    return {
      recording,
      covered: covering.size,
      files: [rowOf('entry', entry), rowOf('proof', proof)],
    };
  }

  /** All in one transaction: a statement, and making it durable, cost far more than a row. */
  async #note(placed: readonly Placed[]): Promise<void> {
    if (placed.length === 0) return;
    const { store, now } = this.#deps;
    const at = now();
    await store.write(async (log) => {
      await log.evidence.addFiles(placed.flatMap(({ files }) => files));
      for (const { recording, covered } of placed)
        await log.addStep({ recording, at, step: 'proved', outcome: 'ok', detail: `${covered}` });
    });
  }

  /** Resolves with the proof there is: a crash may have left one under an earlier checkpoint, and then that one stays. */
  async #placeFiles(row: EntryRow, entry: NamedBytes, proof: NamedBytes): Promise<NamedBytes> {
    const { files } = this.#deps;
    const recording = row.recording ?? '';
    try {
      await files.createOnce(recording, [entry, proof]);
      return proof;
    } catch (error) {
      if ((error as { readonly code?: string } | null)?.code !== 'DIFFERENT') throw error;
      await files.createOnce(recording, [entry]);
      const there = await readFile(files.path(recording, proof.name));
      if (!isProofOf(there, row)) throw error;
      return { ...proof, bytes: there };
    }
  }
}

/** Other bytes under a name of a recording's are for a person to look at, and say nothing of other recordings. */
const faultOf = (error: unknown): unknown =>
  (error as { readonly code?: string } | null)?.code === 'DIFFERENT'
    ? new PermanentUploadError('source-changed', (error as Error).message, { cause: error })
    : error;

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
