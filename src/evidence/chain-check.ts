import { entryHash, NO_PREVIOUS, parseEntry, type Entry } from './entry.ts';
import { EvidenceError } from './evidence-error.ts';
import { fault, note, type Finding } from './finding.ts';
import { entryFileName, parseEntryFile } from './layout.ts';
import { leafHash } from './merkle.ts';
import { MerkleTree } from './merkle-tree.ts';

/** An entry that could be read, and the file it stands in. */
export interface ReadEntry extends Entry {
  readonly file: string;
  /** SHA-256 of its bytes, hex. */
  readonly hash: string;
}

/** Backward steps up to this many milliseconds are ordinary discipline of the clock. */
const CLOCK_TOLERANCE = 250;

/**
 * Walks the entries of one log in their order: canonical bytes, contiguous indices, links, one origin, clock. Keeps the tree,
 * not the entries.
 */
export class ChainCheck {
  readonly findings: Finding[] = [];
  /** Over the entries that were reached without a hole. */
  readonly tree = new MerkleTree();
  readonly #origin: string;
  #size = 0;
  #whole = true;
  #lastHash = NO_PREVIOUS;
  #lastTime: string | undefined;

  constructor(origin: string) {
    this.#origin = origin;
  }

  /** One more than the index of the newest entry. */
  get size(): number {
    return this.#size;
  }

  /** Takes the next entry file; `below` is its path in the log's folder. Returns the entries that could be read. */
  addFile(file: string, below: string, bytes: Uint8Array): readonly ReadEntry[] {
    try {
      return parseEntryFile(bytes).flatMap((entry, at) => this.#add(`${file} entry ${at + 1}`, below, entry));
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      this.findings.push(fault('ENTRY_FILE_INVALID', file, error.message));
      return [];
    }
  }

  #add(file: string, below: string, bytes: Uint8Array): readonly ReadEntry[] {
    const entry = this.#read(file, bytes);
    if (entry !== undefined) this.#followUp(file, below, entry);
    const hash = entryHash(bytes);
    if (this.#whole) this.tree.append(leafHash(bytes));
    this.#size = (entry?.header.index ?? this.#size) + 1;
    this.#lastHash = hash;
    return entry === undefined ? [] : [{ ...entry, file, hash }];
  }

  #read(file: string, bytes: Uint8Array): Entry | undefined {
    try {
      return parseEntry(bytes);
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      this.findings.push(fault('ENTRY_INVALID', file, `entry ${this.#size}: ${error.message}`));
      return undefined;
    }
  }

  #followUp(file: string, below: string, entry: Entry): void {
    const { index, prev, origin } = entry.header;
    if (index > this.#size) this.#miss(file, index);
    else if (index < this.#size) this.#disorder(file, index);
    else if (prev !== this.#lastHash)
      this.findings.push(
        fault(
          'CHAIN_BROKEN',
          file,
          `entry ${index} does not continue entry ${index - 1}: one of them was altered`,
        ),
      );
    if (origin !== this.#origin)
      this.findings.push(fault('CHAIN_BROKEN', file, `entry ${index} is of another log, ${origin}`));
    if (this.#whole && below !== entryFileName(index))
      this.findings.push(fault('CHAIN_BROKEN', file, `entry ${index} belongs into ${entryFileName(index)}`));
    this.#compareClock(file, index, entry);
  }

  #miss(file: string, index: number): void {
    const missing =
      index - 1 === this.#size ? `entry ${this.#size}` : `entries ${this.#size} to ${index - 1}`;
    this.findings.push(fault('ENTRY_MISSING', file, `missing before entry ${index}: ${missing}`));
    this.#whole = false;
  }

  #disorder(file: string, index: number): void {
    this.findings.push(fault('CHAIN_BROKEN', file, `entry ${index} stands where ${this.#size} should`));
    this.#whole = false;
  }

  #compareClock(file: string, index: number, { header, body }: Entry): void {
    // Texts of this form have the order of their times.
    const isBack = this.#lastTime !== undefined && this.#lastTime > header.time;
    const back = isBack ? Date.parse(this.#lastTime ?? '') - Date.parse(header.time) : 0;
    // A step that the recorder itself states is no surprise.
    if (back > CLOCK_TOLERANCE && body.type !== 'clock')
      this.findings.push(
        note('CLOCK_WENT_BACK', file, `entry ${index} is ${back} ms before the one it follows`),
      );
    this.#lastTime = header.time;
  }
}
