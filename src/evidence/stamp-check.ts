import { createHash, type X509Certificate } from 'node:crypto';
import { readCertificates } from './certificate-chain.ts';
import type { ReadEntry } from './chain-check.ts';
import type { AnchorBody } from './entry-types.ts';
import { EvidenceError } from './evidence-error.ts';
import { fault, note, type Finding } from './finding.ts';
import type { NamedBytes } from './keyring.ts';
import { nonceOfQuery, readTimeStamp, type TimeStamp } from './time-stamp.ts';
import { verifyTimeStamp } from './verify-time-stamp.ts';

/** A time-stamp response beside a checkpoint. */
export interface TokenFile {
  readonly file: string;
  readonly size: number;
  /** Name of the authority in the recorder's configuration. */
  readonly authority: string;
  readonly bytes: Uint8Array;
  /** The query, where it was kept. */
  readonly query?: Uint8Array | undefined;
}

/** A time stamp that holds. */
export interface Stamp {
  /** Entries that it covers. */
  readonly size: number;
  /** ISO 8601: they existed by then, the authority's inaccuracy added. */
  readonly before: string;
  readonly authority: string;
  /** The authority is one that the verifying person gave. */
  readonly trusted: boolean;
}

/** A time stamp whose token an entry names: what follows is younger. */
export interface YoungerThan {
  readonly index: number;
  /** ISO 8601, the authority's inaccuracy taken off. */
  readonly after: string;
  readonly trusted: boolean;
}

export interface CheckedStamps {
  readonly stamps: readonly Stamp[];
  readonly anchors: readonly YoungerThan[];
  readonly findings: readonly Finding[];
}

export interface StampFiles {
  readonly tokens: readonly TokenFile[];
  /** PEM certificates kept for the tokens' chains. */
  readonly authorities: readonly NamedBytes[];
}

/** Checkpoint `size` as far as tokens need it. */
export interface StampedCheckpoint {
  readonly size: number;
  readonly file: string;
  readonly sums: Uint8Array | undefined;
}

interface ReadToken extends TokenFile {
  readonly hash: string;
  readonly stamp: TimeStamp | undefined;
  readonly reason: string;
}

interface AnchorEntry {
  readonly index: number;
  readonly file: string;
  readonly body: AnchorBody;
}

/** How far a clock that calls itself synchronised may contradict an authority, milliseconds. */
const TOLERANCE = 60_000;

/** Verifies the tokens of one log and what follows from them for the times of its entries (evidence.md 1.1 no. 10). */
export class StampCheck {
  readonly #tokens: readonly ReadToken[];
  readonly #byHash: ReadonlyMap<string, ReadToken>;
  readonly #others: readonly X509Certificate[];
  readonly #trusted: readonly X509Certificate[];
  readonly #anchors: AnchorEntry[] = [];
  readonly #findings: Finding[] = [];
  /** Entries from here on must be younger; undefined until the first anchor, or when one has been found that is not. */
  #bound: { readonly index: number; readonly time: number } | undefined;

  /** `trusted` are the certificates of authorities that the verifying person gave. */
  constructor({ tokens, authorities }: StampFiles, trusted: readonly X509Certificate[]) {
    this.#tokens = tokens.map(readToken);
    this.#byHash = new Map(this.#tokens.map((token) => [token.hash, token]));
    this.#others = authorities.flatMap(({ bytes }) => readCertificates(bytes));
    for (const { file, bytes } of authorities)
      if (!file.endsWith(`-${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}.pem`))
        this.#findings.push(fault('TOKEN_INVALID', file, 'is not the file that its name says'));
    this.#trusted = trusted;
  }

  add({ header, body, file }: ReadEntry): void {
    this.#compareTime(file, header);
    if (body.type !== 'anchor' || body.kind !== 'tsa') return;
    this.#anchors.push({ index: header.index, file, body });
    const stamp = this.#byHash.get(body.hash)?.stamp;
    if (stamp !== undefined)
      this.#bound = { index: header.index, time: Date.parse(stamp.time) - stamp.accuracy };
  }

  /** `timeOf` tells the time that an entry states, by index, for the last entry of each checkpoint. */
  finish(
    checkpoints: readonly StampedCheckpoint[],
    timeOf: (index: number) => string | undefined,
  ): CheckedStamps {
    const stamps = new Map<string, Stamp>();
    for (const token of this.#tokens) {
      const stamp = this.#checkToken(token, checkpoints, timeOf);
      if (stamp !== undefined) stamps.set(token.hash, stamp);
    }
    const anchors = this.#anchors.flatMap((anchor) => this.#checkAnchor(anchor, stamps));
    return { stamps: [...stamps.values()], anchors, findings: this.#findings };
  }

  #compareTime(file: string, header: ReadEntry['header']): void {
    const bound = this.#bound;
    if (bound === undefined || Date.parse(header.time) >= bound.time - TOLERANCE) return;
    this.#bound = undefined;
    this.#contradict(
      { file, clock: header.clock },
      `entry ${header.index} states ${header.time}, yet it follows entry ${bound.index}, whose time stamp is of ${iso(bound.time)}`,
    );
  }

  #contradict({ file, clock }: { readonly file: string; readonly clock: string }, detail: string): void {
    this.#findings.push(
      clock.startsWith('synced')
        ? fault('TIME_CONTRADICTED', file, detail)
        : note('TIME_CONTRADICTED', file, `${detail}; the clock was not synchronised`),
    );
  }

  #checkToken(
    { file, size, stamp, query, reason }: ReadToken,
    checkpoints: readonly StampedCheckpoint[],
    timeOf: (index: number) => string | undefined,
  ): Stamp | undefined {
    const invalid = (...details: readonly string[]): undefined => {
      for (const detail of details) this.#findings.push(fault('TOKEN_INVALID', file, detail));
      return undefined;
    };
    const checkpoint = checkpoints.find((each) => each.size === size);
    if (checkpoint === undefined) {
      invalid('no valid checkpoint of this size is here');
      return;
    }
    if (checkpoint.sums === undefined) {
      invalid(`what it is over, ${checkpoint.file}.sums, is missing`);
      return;
    }
    if (stamp === undefined) {
      invalid(reason);
      return;
    }
    const checked = verifyTimeStamp(stamp, {
      data: checkpoint.sums,
      nonce: nonceIn(query),
      anchors: this.#trusted,
      others: this.#others,
    });
    if (checked.faults.length > 0) {
      invalid(...checked.faults);
      return;
    }
    const before = Date.parse(stamp.time) + stamp.accuracy;
    const stated = timeOf(size - 1);
    if (stated !== undefined && Date.parse(stated) > before + TOLERANCE)
      this.#contradict(
        { file, clock: 'synced' },
        `is of ${iso(before)}, yet entry ${size - 1}, which it covers, states ${stated}`,
      );
    return { size, before: iso(before), authority: checked.authority ?? '', trusted: checked.trusted };
  }

  #checkAnchor(
    { index, file, body }: AnchorEntry,
    stamps: ReadonlyMap<string, Stamp>,
  ): readonly YoungerThan[] {
    const token = this.#byHash.get(body.hash);
    const other = this.#tokens.find(({ size, authority }) => size === body.ofSize && authority === body.name);
    const stamp = stamps.get(body.hash);
    if (token === undefined)
      this.#findings.push(
        other === undefined
          ? fault(
              'TOKEN_MISSING',
              file,
              `entry ${index}: the token of ${body.name} for size ${body.ofSize} is not here`,
            )
          : fault('TOKEN_INVALID', other.file, `is not the token that entry ${index} has the hash of`),
      );
    if (token?.stamp === undefined || stamp === undefined) return [];
    const after = iso(Date.parse(token.stamp.time) - token.stamp.accuracy);
    return [{ index, after, trusted: stamp.trusted }];
  }
}

function readToken(file: TokenFile): ReadToken {
  const hash = createHash('sha256').update(file.bytes).digest('hex');
  try {
    return { ...file, hash, stamp: readTimeStamp(file.bytes), reason: '' };
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return { ...file, hash, stamp: undefined, reason: error.message };
  }
}

/** A query that cannot be read is answered by no token. */
function nonceIn(query: Uint8Array | undefined): string | undefined {
  if (query === undefined) return undefined;
  try {
    return nonceOfQuery(query);
  } catch {
    return 'unreadable';
  }
}

const iso = (time: number): string => new Date(time).toISOString();
