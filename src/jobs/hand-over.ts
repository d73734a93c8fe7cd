import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import { certificatePath, checkpointPath, genesisPath, issuerPath } from '../evidence/layout.ts';
import type { NoteSignature } from '../evidence/signed-note.ts';
import { formatTlogProof } from '../evidence/tlog-proof.ts';
import type { Destination } from './destination.ts';
import type { EvidenceLog } from './evidence-log.ts';
import type { EvidenceFile } from './evidence-ports.ts';
import { fetchFile } from './fetch-file.ts';
import { JobError } from './job-error.ts';
import type { LogTree } from './log-tree.ts';
import type { CheckpointRow, FileRow, LogStore, RecordingRow, SealFiles } from './ports.ts';

export interface HandOverDeps {
  readonly store: LogStore;
  readonly evidence: EvidenceLog;
  readonly files: SealFiles;
  readonly destinations: ReadonlyMap<string, Destination>;
  readonly treeOf: (origin: string) => LogTree;
  readonly signaturesOf: (row: CheckpointRow) => readonly NoteSignature[];
  /** All certificates of this node, PEM. */
  readonly certificates: () => readonly string[];
  /** Those of the authorities that issued any of them. */
  readonly issuers: () => readonly string[];
  /** Puts entry and proof beside every sealed recording. */
  readonly prove: () => Promise<void>;
  readonly now: () => number;
}

/** A small file of a bundle, ready. */
export interface BundleFile {
  /** Below the bundle's root, with `/`. */
  readonly path: string;
  readonly bytes: Buffer;
}

/** A recording of a bundle; its files are fetched one by one. */
export interface BundleRecording {
  readonly id: string;
  readonly fileName: string;
  /** In order; without entry and proof, which are among the bundle's small files. */
  readonly files: readonly FileRow[];
}

export interface Bundle {
  /** Opens its files for a while, see `HandOver.open`. */
  readonly id: string;
  readonly recordings: readonly BundleRecording[];
  readonly files: readonly BundleFile[];
}

export interface HandOverOrder {
  readonly recordings: readonly string[];
  /** Who asked. */
  readonly actor: string;
  /** Why, a word as `access` entries have it. */
  readonly purpose: string;
}

/** Milliseconds for which the files of a bundle can be fetched. */
const OPEN_FOR = 6 * 3_600_000;
const FILES_AT_ONCE = 500;
/** Beside the recordings and the checkpoints that prove them. */
const ALWAYS = /\/(?:(?:tsa|ca)\/[^/]+\.pem|keyroll-[^/]+|cert-[^/]+\.pem)$/;

/**
 * Hands recordings over to an outsider: their files and what is needed of the log to check them without it. Every hand-over is an
 * `access` entry for each recording, written before the first octet leaves.
 */
export class HandOver {
  readonly #deps: HandOverDeps;
  readonly #open = new Map<string, { readonly recordings: ReadonlySet<string>; readonly until: number }>();

  constructor(deps: HandOverDeps) {
    this.#deps = deps;
  }

  /** Rejects with JobError NOT_SEALED when a recording has no files yet or no more, and as the database does. */
  async begin({ recordings, actor, purpose }: HandOverOrder): Promise<Bundle> {
    const { evidence, prove, now } = this.#deps;
    await prove();
    const rows = await Promise.all(recordings.map((id) => this.#sealed(id)));
    const files: BundleFile[] = [];
    const byOrigin = new Map<string, RecordingEntry[]>();
    for (const row of rows) {
      const entry = await this.#entryOf(row);
      byOrigin.set(entry.origin, [...(byOrigin.get(entry.origin) ?? []), entry]);
    }
    for (const [origin, entries] of byOrigin) files.push(...(await this.#proofFiles(origin, entries)));
    const listed = await Promise.all(rows.map((row) => this.#listed(row)));
    for (const { id } of rows)
      await evidence.append(
        { type: 'access', rec: id, kind: 'export', actor: evidence.actor(actor), purpose },
        { recording: id, step: { step: 'exported', outcome: 'ok', detail: `${purpose} by ${actor}` } },
      );
    const id = randomUUID();
    for (const [known, { until }] of this.#open) if (until < now()) this.#open.delete(known);
    this.#open.set(id, { recordings: new Set(rows.map((row) => row.id)), until: now() + OPEN_FOR });
    return { id, recordings: listed, files };
  }

  /**
   * The octets of one file of a bundle, from the spool or the first destination that has them. Undefined when the bundle does not have it
   * (any more); rejects with JobError NO_COPY when no copy can be read.
   */
  async open(
    bundle: string,
    file: { readonly recording: string; readonly name: string },
    signal: AbortSignal,
  ): Promise<{ readonly bytes: number; readonly octets: Readable } | undefined> {
    const { store, now } = this.#deps;
    const open = this.#open.get(bundle);
    if (open === undefined || open.until < now() || !open.recordings.has(file.recording)) return undefined;
    const row = (await store.files(file.recording)).find(({ name }) => name === file.name);
    if (row === undefined) return undefined;
    const faults: string[] = [];
    const fetched = await fetchFile(row, this.#deps, { signal, onFault: (fault) => faults.push(fault) });
    if (fetched !== undefined) return { bytes: row.bytes, octets: fetched.stream };
    throw new JobError(
      'NO_COPY',
      `${row.name} cannot be read anywhere: ${faults.join('; ') || 'no copy is there'}`,
    );
  }

  async #sealed(
    id: string,
  ): Promise<RecordingRow & { readonly fileName: string; readonly entryIndex: number }> {
    const row = await this.#deps.store.recording(id);
    if (row === undefined) throw new JobError('UNKNOWN_RECORDING', id);
    const { fileName, entryIndex } = row;
    if (fileName === undefined || entryIndex === undefined || !/^(?:sealed|delivered)$/.test(row.state))
      throw new JobError('NOT_SEALED', `recording ${id} cannot be handed over: it is ${row.state}`);
    return { ...row, fileName, entryIndex };
  }

  /** After a restored backup there may be two, in two epochs: the one of its files. */
  async #entryOf({
    id,
    fileName,
    entryIndex,
  }: {
    readonly id: string;
    readonly fileName: string;
    readonly entryIndex: number;
  }): Promise<RecordingEntry> {
    const entries = await this.#deps.store.evidence.entriesOf(id, 'recording');
    const entry = entries.findLast(({ index }) => index === entryIndex);
    if (entry === undefined) throw new JobError('NOT_SEALED', `recording ${id} has no entry in the log`);
    return { ...entry, fileName };
  }

  async #listed(row: { readonly id: string; readonly fileName: string }): Promise<BundleRecording> {
    const files = await this.#deps.store.files(row.id);
    const own = files.filter(({ kind }) => kind !== 'entry' && kind !== 'proof');
    return { id: row.id, fileName: row.fileName, files: own };
  }

  /** What is needed of one log: entries, proofs, the checkpoints that they lead to, time stamps, certificates, genesis. */
  async #proofFiles(origin: string, entries: readonly RecordingEntry[]): Promise<readonly BundleFile[]> {
    const { store, treeOf, signaturesOf, certificates, issuers } = this.#deps;
    const further = await this.#furtherFiles(origin);
    const files: BundleFile[] = [];
    const used = new Map<number, CheckpointRow>();
    for (const entry of entries) {
      const covering = await this.#covering(origin, entry.index, further);
      used.set(covering.size, covering);
      const path = await treeOf(origin).inclusion(entry.index, covering.size);
      const note = { text: covering.text, signatures: signaturesOf(covering) };
      const proof = formatTlogProof({ index: entry.index, path, note });
      files.push({ path: `${entry.fileName}_entry.txt`, bytes: entry.bytes });
      files.push({ path: `${entry.fileName}.tlog-proof`, bytes: proof });
    }
    const [genesis] = await store.entries(origin, 0, 1);
    const ofLog: BundleFile[] = [
      ...(genesis === undefined ? [] : [{ path: genesisPath(origin), bytes: genesis.bytes }]),
      ...issuers().map((pem) => ({ path: issuerPath(origin, pem), bytes: Buffer.from(pem) })),
      ...certificates().map((pem) => ({ path: certificatePath(origin, pem), bytes: Buffer.from(pem) })),
      ...[...used.values()].flatMap((row) => checkpointFiles(row)),
      ...further.filter(({ path }) => ALWAYS.test(path) || used.has(stampedSize(path) ?? 0)),
    ];
    const unique = new Map(ofLog.map(({ path, bytes }) => [path, bytes]));
    return [
      ...files,
      ...[...unique].map(([path, bytes]) => ({ path: path.replace(/^evidence\//, 'proof/'), bytes })),
    ];
  }

  /** The first time-stamped checkpoint behind an entry, else the newest there is. */
  async #covering(origin: string, index: number, further: readonly EvidenceFile[]): Promise<CheckpointRow> {
    const { store } = this.#deps;
    const stamped = further.flatMap(({ path }) => (path.endsWith('.tsr') ? [stampedSize(path) ?? 0] : []));
    const first = Math.min(...stamped.filter((size) => size > index));
    const row = Number.isFinite(first)
      ? (await store.checkpoints(origin, first - 1)).find(({ size }) => size === first)
      : undefined;
    const covering = row ?? (await store.newestCheckpoint(origin));
    if (covering === undefined || covering.size <= index)
      throw new JobError('NOT_SEALED', `no checkpoint covers entry ${index} of ${origin} yet`);
    return covering;
  }

  async #furtherFiles(origin: string): Promise<readonly EvidenceFile[]> {
    const { store } = this.#deps;
    const all: EvidenceFile[] = [];
    for (;;) {
      const some = await store.evidence.files(origin, all.at(-1)?.id ?? 0, FILES_AT_ONCE);
      all.push(...some);
      if (some.length < FILES_AT_ONCE) return all;
    }
  }
}

interface RecordingEntry {
  readonly origin: string;
  readonly index: number;
  readonly bytes: Buffer;
  readonly fileName: string;
}

function checkpointFiles({ origin, size, text, signature, nextSignature }: CheckpointRow): BundleFile[] {
  return [
    { path: checkpointPath(origin, size, 'txt'), bytes: text },
    { path: checkpointPath(origin, size, 'sig'), bytes: signature },
    ...(nextSignature === undefined
      ? []
      : [{ path: checkpointPath(origin, size, 'new.sig'), bytes: nextSignature }]),
  ];
}

/** The size that a time stamp, its query or what it is over belongs to. */
function stampedSize(path: string): number | undefined {
  const [, size] = /\/checkpoint\/([0-9]+)\.(?:sums|.+\.tsr|.+\.tsq)$/.exec(path) ?? [];
  return size === undefined ? undefined : Number(size);
}
