import { Buffer } from 'node:buffer';
import type { X509Certificate } from 'node:crypto';
import { CallCheck, type SealedEntry } from './call-check.ts';
import { checkCertified } from './certificate-check.ts';
import { ChainCheck, type ReadEntry } from './chain-check.ts';
import { DeletionCheck, type Deletion } from './deletion-check.ts';
import { entryHash } from './entry.ts';
import type { AnchorBody, GenesisBody } from './entry-types.ts';
import { fault, note, type Finding } from './finding.ts';
import { KeyCheck } from './key-check.ts';
import type { Keyring, NamedBytes } from './keyring.ts';
import type { MerkleTree } from './merkle-tree.ts';
import { SegmentCheck, type SegmentEntry } from './segment-check.ts';
import { StoredCheck, type StoredCopy } from './stored-check.ts';
import { StampCheck, type Stamp, type StampFiles, type YoungerThan } from './stamp-check.ts';
import {
  readCheckpoints,
  verifyCheckpoints,
  type CheckpointFiles,
  type ReadCheckpoint,
} from './verify-checkpoints.ts';
import { verifyKeyrolls, verifyStatements, type KeyrollFiles } from './verify-keyrolls.ts';

export type { CheckpointFiles } from './verify-checkpoints.ts';

/** A signed note of somebody who has seen a checkpoint: ours by a witness, or a peer's by us. */
export interface NoteFile extends NamedBytes {
  readonly kind: 'witness' | 'peer';
  readonly size: number;
  readonly name: string;
}

/** What lies in `evidence/<slug>/` beside the entry files. */
export interface LogFiles extends StampFiles {
  readonly origin: string;
  /** Path of the folder below the archive. */
  readonly folder: string;
  /** Part of a bundle that holds proofs instead of the log: its entries are not missing. */
  readonly partial: boolean;
  readonly genesis: Uint8Array | undefined;
  readonly certificates: readonly NamedBytes[];
  /** Certificates of authorities that these were issued by. */
  readonly issuers: readonly NamedBytes[];
  readonly checkpoints: readonly CheckpointFiles[];
  readonly keyrolls: readonly KeyrollFiles[];
  readonly notes: readonly NoteFile[];
  /** Notes of peers that contradict what was seen of their logs. */
  readonly forks: readonly NamedBytes[];
}

/** A genesis that was handed over: the whole of it, or its hash alone. */
export interface ExpectedGenesis {
  /** SHA-256, hex. */
  readonly hash: string;
  readonly origin: string | undefined;
}

/** What the verifying person brings. */
export interface Trust {
  readonly keyring: Keyring;
  /** What is expected to be the genesis of a log. */
  readonly genesis: readonly ExpectedGenesis[];
  /** Certificates of time-stamp authorities. */
  readonly authorities: readonly X509Certificate[];
}

/** A checkpoint of another log that was seen here, or of this one that was seen elsewhere. */
export interface SeenCheckpoint {
  readonly index: number;
  readonly file: string;
  readonly body: AnchorBody;
}

/** A log after its verification. */
export interface CheckedLog {
  readonly origin: string;
  readonly folder: string;
  /** False for a bundle that holds proofs instead of the log. */
  readonly hasEntries: boolean;
  /** Entries, counting those that are missing between others. */
  readonly size: number;
  readonly tree: MerkleTree;
  readonly genesis: GenesisBody | undefined;
  /** SHA-256 of it, hex. */
  readonly genesisHash: string | undefined;
  /** Entries that a valid checkpoint covers. */
  readonly covered: number;
  /** Time that the newest of those entries states. */
  readonly coveredTime: string | undefined;
  readonly firstTime: string | undefined;
  readonly lastTime: string | undefined;
  /** The origin that a `close` at its end names, or `-`. */
  readonly nextOrigin: string | undefined;
  /** The `recording` entries by index, in ascending order. */
  readonly recordings: ReadonlyMap<number, SealedEntry>;
  /** Their indices by the hash of their hash file. */
  readonly byHash: ReadonlyMap<string, number>;
  readonly deletions: ReadonlyMap<string, Deletion>;
  /** Where recordings were proved to be, by their UUID. */
  readonly copies: ReadonlyMap<string, readonly StoredCopy[]>;
  /** Those of recordings that this log does not seal. */
  readonly strangers: readonly StoredCopy[];
  /** What files began with while their calls were running, by the recording's UUID. */
  readonly segments: ReadonlyMap<string, readonly SegmentEntry[]>;
  readonly stamps: readonly Stamp[];
  readonly youngerThan: readonly YoungerThan[];
  /** Checkpoints that peers and witnesses saw, by the entries that say so. */
  readonly seen: readonly SeenCheckpoint[];
  readonly notes: readonly NoteFile[];
  readonly forks: readonly NamedBytes[];
  readonly checkpoints: readonly ReadCheckpoint[];
  readonly keyAt: (index: number) => string | undefined;
  readonly findings: readonly Finding[];
}

/**
 * Verifies one log: entries first, file by file in order, then `finish` for genesis, keys, checkpoints, time stamps and what is left
 * open. Holds two hashes an entry and what the recordings need, so that a log of years fits.
 */
export class LogCheck {
  readonly #files: LogFiles;
  readonly #trust: Trust;
  readonly #checkpoints: readonly ReadCheckpoint[];
  readonly #chain: ChainCheck;
  readonly #calls = new CallCheck();
  readonly #keys = new KeyCheck();
  readonly #deletions = new DeletionCheck(this.#calls.recordings);
  readonly #stored = new StoredCheck();
  readonly #segments = new SegmentCheck();
  readonly #stamps: StampCheck;
  readonly #findings: Finding[] = [];
  readonly #seen: SeenCheckpoint[] = [];
  /** Times of the last entries that checkpoints cover, by index. */
  readonly #times = new Map<number, string>();
  readonly #sizes: ReadonlySet<number>;
  #genesis: ReadEntry | undefined;
  #genesisHash: string | undefined;
  #firstTime: string | undefined;
  #lastTime: string | undefined;
  #nextOrigin: string | undefined;

  constructor(files: LogFiles, trust: Trust) {
    this.#files = files;
    this.#trust = trust;
    for (const issuer of files.issuers) this.#findings.push(...trust.keyring.addIssuer(issuer));
    for (const certificate of files.certificates)
      this.#findings.push(...trust.keyring.addFromArchive(certificate));
    const { checkpoints, findings } = readCheckpoints(files.checkpoints, files.origin);
    this.#checkpoints = checkpoints;
    this.#findings.push(...findings);
    this.#sizes = new Set(checkpoints.map(({ size }) => size));
    this.#chain = new ChainCheck(files.origin);
    this.#stamps = new StampCheck(files, trust.authorities);
  }

  /** `below` is the file's path in the log's folder, such as `entries/000/000000.txt`. Files come in the order of their names. */
  addEntryFile(below: string, bytes: Uint8Array): void {
    for (const entry of this.#chain.addFile(`${this.#files.folder}/${below}`, below, bytes)) this.#add(entry);
  }

  #add(entry: ReadEntry): void {
    const { header, body } = entry;
    if (header.index === 0) this.#genesis = entry;
    this.#firstTime ??= header.time;
    this.#lastTime = header.time;
    if (this.#sizes.has(header.index + 1)) this.#times.set(header.index, header.time);
    this.#keys.add(entry);
    this.#calls.add(entry);
    this.#deletions.add(entry);
    this.#stored.add(entry);
    this.#segments.add(entry);
    this.#stamps.add(entry);
    this.#nextOrigin = body.type === 'close' ? body.nextOrigin : undefined;
    if (body.type === 'anchor') this.#addAnchor(entry, body);
  }

  #addAnchor({ header, file }: ReadEntry, body: AnchorBody): void {
    if (body.kind !== 'tsa') this.#seen.push({ index: header.index, file, body });
    if (body.kind === 'peer') return;
    const { tree } = this.#chain;
    const isOurs = body.ofOrigin === this.#files.origin && body.ofSize > 0 && body.ofSize <= tree.size;
    if (!isOurs || base64(tree.root(body.ofSize)) !== body.ofRoot)
      this.#findings.push(
        fault(
          'CHECKPOINT_DIFFERS',
          file,
          `entry ${header.index}: what was anchored is not a state of this log`,
        ),
      );
  }

  /** States what only the whole log shows. */
  finish(): CheckedLog {
    const { origin, folder } = this.#files;
    const hasEntries = this.#chain.size > 0;
    this.#calls.finish();
    if (hasEntries || this.#files.partial) this.#checkGenesis();
    if (hasEntries) this.#checkKeys();
    else this.#checkWithoutEntries();
    const { valid, findings } = this.#checkCheckpoints(hasEntries);
    const covered = valid.at(-1)?.size ?? 0;
    const stamps = this.#checkStamps(valid);
    return {
      origin,
      folder,
      hasEntries,
      size: this.#chain.size,
      tree: this.#chain.tree,
      genesis: this.#genesis?.body.type === 'genesis' ? this.#genesis.body : undefined,
      genesisHash: this.#genesisHash,
      covered,
      coveredTime: this.#times.get(covered - 1),
      firstTime: this.#firstTime,
      lastTime: this.#lastTime,
      nextOrigin: this.#nextOrigin,
      recordings: this.#calls.recordings,
      byHash: new Map([...this.#calls.recordings].map(([index, { body }]) => [body.hash, index])),
      deletions: this.#deletions.deletions,
      copies: this.#stored.copies,
      segments: this.#segments.segments,
      strangers: this.#stored.strangers,
      stamps: stamps.stamps,
      youngerThan: stamps.anchors,
      seen: this.#seen,
      notes: this.#files.notes,
      forks: this.#files.forks,
      checkpoints: valid,
      keyAt: (index) => this.#keys.keyAt(index),
      findings: [
        ...this.#findings,
        ...this.#chain.findings,
        ...this.#keys.findings,
        ...this.#calls.findings,
        ...this.#deletions.findings,
        ...this.#stored.findings,
        ...this.#segments.findings,
        ...findings,
        ...stamps.findings,
      ],
    };
  }

  #checkGenesis(): void {
    const { folder, genesis } = this.#files;
    const file = `${folder}/genesis.txt`;
    const hash = this.#genesis?.hash ?? (genesis && entryHash(genesis));
    if (genesis === undefined) this.#findings.push(fault('GENESIS_DIFFERS', file, 'is missing'));
    else if (hash !== entryHash(genesis))
      this.#findings.push(fault('GENESIS_DIFFERS', file, 'is not the first entry of the log'));
    this.#genesisHash = hash;
    this.#checkFirstCertificate(file);
  }

  #checkFirstCertificate(file: string): void {
    if (this.#genesis?.body.type !== 'genesis') return;
    const { cert } = this.#genesis.body;
    const { keyring } = this.#trust;
    if (!keyring.knows(cert))
      this.#findings.push(
        fault(
          'CERTIFICATE_MISSING',
          this.#files.folder,
          `the certificate that genesis names, sha256:${cert}, is not here`,
        ),
      );
    else if (keyring.keyOf(cert) !== this.#genesis.header.key)
      this.#findings.push(
        fault('CERTIFICATE_INVALID', file, 'the certificate that it names is of another key'),
      );
  }

  #checkWithoutEntries(): void {
    const { origin, folder, keyrolls, partial } = this.#files;
    const { keyring } = this.#trust;
    if (partial)
      this.#findings.push(
        ...verifyStatements(keyrolls, { origin, keyring }),
        note('NO_LOG', folder, 'the entries are not here: completeness cannot be verified'),
      );
    else this.#findings.push(fault('LOG_MISSING', folder, 'the log has no readable entry'));
  }

  #checkKeys(): void {
    const { origin, folder, keyrolls } = this.#files;
    const { keyring } = this.#trust;
    const { tree } = this.#chain;
    this.#findings.push(...verifyKeyrolls(this.#keys.rolls, keyrolls, { origin, folder, tree, keyring }));
    const uses = [...this.#keys.uses.values()];
    for (const { key, first } of uses)
      if (keyring.find(key) === undefined) this.#findings.push(keyring.refusal(key, first.file));
    this.#findings.push(...checkCertified(uses, keyring));
  }

  #checkCheckpoints(hasEntries: boolean): ReturnType<typeof verifyCheckpoints> {
    const { keyring } = this.#trust;
    const keys = this.#keys;
    return verifyCheckpoints(this.#checkpoints, {
      folder: this.#files.folder,
      size: this.#chain.size,
      tree: hasEntries ? this.#chain.tree : undefined,
      keyring,
      keysAt: (size) =>
        hasEntries
          ? [keys.keyAt(Math.min(size, this.#chain.size) - 1) ?? '']
          : keyring.certificates.map(({ key }) => key),
      successorAt: (index) => keys.rolls.find((roll) => roll.index === index)?.body.new,
    });
  }

  #checkStamps(valid: readonly ReadCheckpoint[]): ReturnType<StampCheck['finish']> {
    const stamps = this.#stamps.finish(valid, (index) => this.#times.get(index));
    if (this.#trust.authorities.length > 0 || stamps.stamps.length === 0) return stamps;
    const authorities = [...new Set(stamps.stamps.map(({ authority }) => authority))].join('; ');
    const detail = `no certificate of the time-stamp authority was given; the tokens name ${authorities}`;
    return {
      ...stamps,
      findings: [...stamps.findings, note('AUTHORITY_UNKNOWN', this.#files.folder, detail)],
    };
  }
}

const base64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64');
