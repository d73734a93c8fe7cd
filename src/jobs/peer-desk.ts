import { createHash, type KeyObject } from 'node:crypto';
import { witnessPath } from '../evidence/layout.ts';
import { cosignedAt, formatNote, type NoteSignature } from '../evidence/signed-note.ts';
import type { EvidenceLog } from './evidence-log.ts';
import { JobError } from './job-error.ts';
import type { LogTree } from './log-tree.ts';
import { isEpochOf, readCheckpointNote, type Peer, type ReadNote } from './peer.ts';
import type { CheckpointRow, LogStore } from './ports.ts';

export interface PeerDeskDeps {
  readonly store: LogStore;
  readonly evidence: EvidenceLog;
  /** Of our own log. */
  readonly origin: string;
  readonly peers: readonly Peer[];
  readonly treeOf: (origin: string) => LogTree;
  readonly signaturesOf: (row: CheckpointRow) => readonly NoteSignature[];
  readonly certificates: () => readonly string[];
}

/** Milliseconds for a peer to show its certificates when they are needed to check what it brings. */
const PATIENCE = 10_000;

/**
 * What this recorder gives out of its log to those who witness it, and what it takes back: all of it is signed, none of it is secret. Rejects
 * with JobError BAD_NOTE, UNKNOWN_CHECKPOINT, and with StoreError while the database is away.
 */
export class PeerDesk {
  readonly #deps: PeerDeskDeps;
  #taking: Promise<unknown> = Promise.resolve();

  constructor(deps: PeerDeskDeps) {
    this.#deps = deps;
  }

  /** All certificates that this recorder ever signed under, PEM. */
  certificates(): string {
    return this.#deps
      .certificates()
      .map((pem) => `${pem.trim()}\n`)
      .join('');
  }

  /** The newest checkpoint that left, a signed note; undefined before the first. */
  async checkpoint(): Promise<Buffer | undefined> {
    const { store, origin, signaturesOf } = this.#deps;
    const row = await store.evidence.newestExported(origin);
    return row && formatNote({ text: row.text, signatures: signaturesOf(row) });
  }

  /** Hashes, hex, that show that the first `old` entries of the log are the beginning of the first `size`. */
  async consistency(of: {
    readonly origin: string;
    readonly old: number;
    readonly size: number;
  }): Promise<readonly string[]> {
    const { store, origin, treeOf } = this.#deps;
    const newest = of.origin === origin ? await store.evidence.newestExported(origin) : undefined;
    if (newest === undefined || of.old < 1 || of.old > of.size || of.size > newest.size)
      throw new JobError('UNKNOWN_CHECKPOINT', `${of.origin} from ${of.old} to ${of.size}`);
    return treeOf(origin).consistency(of.old, of.size);
  }

  /** Keeps the cosignature that a peer brings of one of our checkpoints, and states it in the log. Bringing it again does nothing. */
  takeCosigned(bytes: Buffer): Promise<void> {
    const taken = this.#taking.then(() => this.#take(bytes));
    this.#taking = taken.catch(() => undefined);
    return taken;
  }

  /** Resolves when nothing is being taken. */
  async idle(): Promise<void> {
    await this.#taking;
  }

  async #take(bytes: Buffer): Promise<void> {
    const { store, evidence, origin, signaturesOf } = this.#deps;
    const read = readCheckpointNote(bytes);
    if (read?.checkpoint.origin !== origin) throw new JobError('BAD_NOTE', `not a checkpoint of ${origin}`);
    const { size, root } = read.checkpoint;
    const [row] = await store.checkpoints(origin, size - 1);
    if (row?.size !== size || !row.text.equals(read.note.text))
      throw new JobError(
        'UNKNOWN_CHECKPOINT',
        `${origin} has no checkpoint of ${size} entries like this one`,
      );
    const { peer, cosignatures } = await this.#cosignerOf(read);
    const path = witnessPath(origin, size, peer.name);
    if ((await store.evidence.file(path)) !== undefined) return;
    const note = formatNote({ text: row.text, signatures: [...signaturesOf(row), ...cosignatures] });
    await evidence.append(
      {
        type: 'anchor',
        kind: 'witness',
        name: peer.name,
        ofOrigin: origin,
        ofSize: size,
        ofRoot: root,
        hash: createHash('sha256').update(note).digest('hex'),
      },
      { change: (log) => log.evidence.putFile(origin, path, note) },
    );
  }

  async #cosignerOf({
    note,
  }: ReadNote): Promise<{ readonly peer: Peer; readonly cosignatures: readonly NoteSignature[] }> {
    for (const peer of this.#deps.peers) {
      const theirs = note.signatures.filter(({ name }) => isEpochOf(name, peer.log));
      if (theirs.length === 0) continue;
      const keys = await peer.keys(AbortSignal.timeout(PATIENCE));
      const cosignatures = theirs.filter((line) => isBy(keys, { text: note.text, line }));
      if (cosignatures.length > 0) return { peer, cosignatures };
    }
    throw new JobError('BAD_NOTE', 'no cosignature of a recorder that is configured here');
  }
}

const isBy = (
  keys: readonly KeyObject[],
  { text, line }: { readonly text: Buffer; readonly line: NoteSignature },
): boolean => keys.some((key) => cosignedAt({ text, signatures: [line] }, line.name, key) !== undefined);
