import { Buffer } from 'node:buffer';
import { CallCheck, type SealedEntry } from './call-check.ts';
import { ChainCheck, type ReadEntry } from './chain-check.ts';
import { parseCheckpoint, type Checkpoint } from './checkpoint.ts';
import { entryHash } from './entry.ts';
import { EvidenceError } from './evidence-error.ts';
import { fault, note, type Finding } from './finding.ts';
import type { Keyring, NamedBytes } from './keyring.ts';
import { verifySignature } from './signature.ts';

/** Text and signature of an exported checkpoint; either may be missing. */
export interface CheckpointFiles {
  /** Path without the ending. */
  readonly file: string;
  /** The number in its name. */
  readonly size: string;
  readonly text?: Uint8Array | undefined;
  readonly signature?: Uint8Array | undefined;
}

/** What lies in `evidence/<slug>/` beside the entry files. */
export interface LogFiles {
  readonly origin: string;
  /** Path of the folder below the archive. */
  readonly folder: string;
  readonly genesis: Uint8Array | undefined;
  readonly certificates: readonly NamedBytes[];
  readonly checkpoints: readonly CheckpointFiles[];
}

/** A log after its verification. */
export interface CheckedLog {
  readonly origin: string;
  readonly folder: string;
  /** Entries, counting those that are missing between others. */
  readonly size: number;
  /** Entries that a valid checkpoint covers. */
  readonly covered: number;
  /** Time that the newest of those entries states. */
  readonly coveredTime: string | undefined;
  readonly firstTime: string | undefined;
  readonly lastTime: string | undefined;
  /** The `recording` entries by index, in ascending order. */
  readonly recordings: ReadonlyMap<number, SealedEntry>;
  /** Their indices by the hash of their hash file. */
  readonly byHash: ReadonlyMap<string, number>;
  readonly findings: readonly Finding[];
}

interface ReadCheckpoint extends Checkpoint {
  readonly file: string;
  readonly text: Uint8Array;
  readonly signature: Uint8Array;
}

/**
 * Verifies one log: entries first, file by file in order, then `finish` for genesis, certificates, checkpoints and what is left
 * open. Holds no entries, so that a log of years fits.
 */
export class LogCheck {
  readonly #files: LogFiles;
  readonly #keyring: Keyring;
  readonly #checkpoints: readonly ReadCheckpoint[];
  readonly #chain: ChainCheck;
  readonly #calls = new CallCheck();
  readonly #findings: Finding[] = [];
  readonly #keys = new Map<string, string>();
  readonly #times = new Map<number, string>();
  readonly #sizes: ReadonlySet<number>;
  #genesis: ReadEntry | undefined;
  #firstTime: string | undefined;
  #lastTime: string | undefined;
  #lastKey: string | undefined;

  constructor(files: LogFiles, keyring: Keyring) {
    this.#files = files;
    this.#keyring = keyring;
    for (const certificate of files.certificates) this.#findings.push(...keyring.addFromArchive(certificate));
    this.#checkpoints = files.checkpoints.flatMap((checkpoint) => this.#readCheckpoint(checkpoint));
    this.#sizes = new Set(this.#checkpoints.map(({ size }) => size));
    this.#chain = new ChainCheck(files.origin, this.#sizes);
  }

  /** `below` is the file's path in the log's folder, such as `entries/000/000000.txt`. Files come in the order of their names. */
  addEntryFile(below: string, bytes: Uint8Array): void {
    for (const entry of this.#chain.addFile(`${this.#files.folder}/${below}`, below, bytes)) {
      const { header } = entry;
      if (header.index === 0) this.#genesis = entry;
      if (!this.#keys.has(header.key)) this.#keys.set(header.key, entry.file);
      this.#firstTime ??= header.time;
      this.#lastTime = header.time;
      if (this.#sizes.has(header.index + 1)) this.#times.set(header.index + 1, header.time);
      this.#lastKey = header.key;
      this.#calls.add(entry);
    }
  }

  finish(): CheckedLog {
    const { origin, folder } = this.#files;
    this.#calls.finish();
    if (this.#chain.size === 0)
      this.#findings.push(fault('LOG_MISSING', folder, 'the log has no readable entry'));
    else this.#checkGenesis();
    for (const [key, file] of this.#keys)
      if (this.#keyring.find(key) === undefined) this.#findings.push(this.#keyring.refusal(key, file));
    const covered = this.#checkCheckpoints();
    return {
      origin,
      folder,
      size: this.#chain.size,
      covered,
      coveredTime: this.#times.get(covered),
      firstTime: this.#firstTime,
      lastTime: this.#lastTime,
      recordings: this.#calls.recordings,
      byHash: new Map([...this.#calls.recordings].map(([index, { body }]) => [body.hash, index])),
      findings: [...this.#findings, ...this.#chain.findings, ...this.#calls.findings],
    };
  }

  #checkGenesis(): void {
    const { folder, genesis } = this.#files;
    const file = `${folder}/genesis.txt`;
    const body = this.#genesis?.body;
    const hash = this.#genesis?.hash;
    if (genesis === undefined) this.#findings.push(fault('GENESIS_DIFFERS', file, 'is missing'));
    else if (hash !== entryHash(genesis))
      this.#findings.push(fault('GENESIS_DIFFERS', file, 'is not the first entry of the log'));
    if (body?.type !== 'genesis') return;
    const { cert } = body;
    if (!this.#keyring.knows(cert))
      this.#findings.push(
        fault(
          'CERTIFICATE_MISSING',
          folder,
          `the certificate that genesis names, sha256:${cert}, is not here`,
        ),
      );
  }

  #readCheckpoint({ file, size, text, signature }: CheckpointFiles): readonly ReadCheckpoint[] {
    const invalid = (ending: string, detail: string): readonly ReadCheckpoint[] => {
      this.#findings.push(fault('CHECKPOINT_INVALID', `${file}${ending}`, detail));
      return [];
    };
    if (text === undefined) return invalid('.txt', 'is missing');
    if (signature === undefined) return invalid('.sig', 'is missing');
    try {
      const checkpoint = parseCheckpoint(text);
      if (checkpoint.origin !== this.#files.origin)
        return invalid('.txt', `is of another log, ${checkpoint.origin}`);
      if (`${checkpoint.size}` !== size) return invalid('.txt', `speaks of ${checkpoint.size} entries`);
      return [{ ...checkpoint, file, text, signature }];
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      return invalid('.txt', error.message);
    }
  }

  /** Returns how many entries the largest valid checkpoint covers. */
  #checkCheckpoints(): number {
    const ordered = [...this.#checkpoints].sort((a, b) => a.size - b.size);
    const valid = ordered.filter((checkpoint) => this.#isSigned(checkpoint) && this.#isOfThisLog(checkpoint));
    const covered = valid.at(-1)?.size ?? 0;
    const { size } = this.#chain;
    if (covered < size)
      this.#findings.push(
        note(
          'NOT_COVERED',
          this.#files.folder,
          `entries ${covered} to ${size - 1} are behind the newest valid checkpoint`,
        ),
      );
    return covered;
  }

  #isSigned({ file, text, signature }: ReadCheckpoint): boolean {
    // One key a log so far; with key rolls the entry at `size - 1` will name it.
    const key = this.#keyring.find(this.#lastKey ?? '');
    if (key === undefined) return false;
    if (verifySignature(key, text, signature)) return true;
    this.#findings.push(
      fault(
        'SIGNATURE_INVALID',
        `${file}.sig`,
        `does not fit ${file}.txt: one of the two was altered, or another key signed`,
      ),
    );
    return false;
  }

  #isOfThisLog({ file, size, root }: ReadCheckpoint): boolean {
    if (size > this.#chain.size) {
      const detail = `${size} entries existed when this was signed, only ${this.#chain.size} are here: the end of the log is cut off`;
      this.#findings.push(fault('LOG_TRUNCATED', `${file}.txt`, detail));
      return false;
    }
    const found = this.#chain.roots.get(size);
    if (found !== undefined && Buffer.from(found, 'hex').toString('base64') === root) return true;
    const detail = `the first ${size} entries are not those that were signed: one was altered, added or removed`;
    this.#findings.push(fault('CHECKPOINT_DIFFERS', `${file}.txt`, detail));
    return false;
  }
}
