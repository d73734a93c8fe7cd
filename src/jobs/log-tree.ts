import { frontierRoot, leafHash } from '../evidence/merkle.ts';
import { consistencyRanges, inclusionRanges, type LeafRange } from '../evidence/merkle-proof.ts';
import { MerkleTree } from '../evidence/merkle-tree.ts';
import { JobError } from './job-error.ts';
import type { EntryRow, LogStore } from './ports.ts';

/** Entries under one stored root. */
const TILE = 256;
/** Tiles read from the entries in one go when the stored ones are behind. */
const TILES_AT_ONCE = 8;
/** Tiles whose leaves are kept. */
const TILES_KEPT = 4;

/**
 * Proofs over the log of one origin without reading the whole of it: roots of full tiles of 256 entries are stored and kept in memory
 * (64 octets for 256 entries), the rest comes from the entries, each of which is read once as the log grows. Rejects with StoreError while
 * the database is away.
 */
export class LogTree {
  readonly #store: Pick<LogStore, 'entries' | 'evidence' | 'write'>;
  readonly #origin: string;
  /** Over the roots of the tiles. */
  #tiles: Promise<MerkleTree> | undefined;
  /** Over the leaves of the tiles asked for last. */
  readonly #leaves = new Map<number, Promise<MerkleTree>>();

  constructor(store: Pick<LogStore, 'entries' | 'evidence' | 'write'>, origin: string) {
    this.#store = store;
    this.#origin = origin;
  }

  /** The inclusion proof of entry `index` in the tree of `size` entries, hex. */
  async inclusion(index: number, size: number): Promise<readonly string[]> {
    return this.#roots(inclusionRanges(index, size), size);
  }

  /** The consistency proof from `old` to `size` entries, hex. */
  async consistency(old: number, size: number): Promise<readonly string[]> {
    return this.#roots(consistencyRanges(old, size), size);
  }

  /** Root of the first `size` entries, hex. */
  async root(size: number): Promise<string> {
    return (await this.#roots([{ from: 0, to: size }], size))[0] ?? '';
  }

  async #roots(ranges: readonly LeafRange[], size: number): Promise<readonly string[]> {
    await this.#bringUp(Math.floor(size / TILE));
    const roots: string[] = [];
    for (const range of ranges) roots.push(await this.#rootOf(range));
    return roots;
  }

  /** A range of a proof lies within one tile, or begins where a tile begins. */
  async #rootOf({ from, to }: LeafRange): Promise<string> {
    const first = Math.floor(from / TILE);
    if (from % TILE !== 0 || to - from < TILE) {
      const leaves = await this.#leavesOf(first, to);
      return leaves.range(from - first * TILE, to - first * TILE);
    }
    const end = Math.floor(to / TILE);
    const tiles = await this.#bringUp(end);
    const whole = tiles.frontier(first, end);
    const rest = to % TILE === 0 ? [] : (await this.#leavesOf(end, to)).frontier(0, to - end * TILE);
    // A tree of tiles and one of the leaves behind it: the frontiers simply follow one another.
    return frontierRoot([...whole, ...rest]);
  }

  /** The leaves of a tile, at least up to `to`; who asks while they are read shares that. */
  #leavesOf(tile: number, to: number): Promise<MerkleTree> {
    const before = this.#leaves.get(tile);
    if (before === undefined && this.#leaves.size >= TILES_KEPT) this.#leaves.clear();
    const leaves = (before ?? Promise.resolve(new MerkleTree())).then((known) =>
      this.#readOn(known, tile, Math.min(TILE, to - tile * TILE)),
    );
    this.#leaves.set(tile, leaves);
    leaves.catch(() => {
      if (this.#leaves.get(tile) === leaves) this.#leaves.delete(tile);
    });
    return leaves;
  }

  async #readOn(known: MerkleTree, tile: number, count: number): Promise<MerkleTree> {
    if (known.size >= count) return known;
    const entries = await this.#store.entries(this.#origin, tile * TILE + known.size, TILE - known.size);
    if (known.size + entries.length < count)
      throw new JobError(
        'CHAIN_MOVED',
        `entries of ${this.#origin} before ${tile * TILE + count} are missing`,
      );
    appendEntries(known, entries);
    return known;
  }

  /** At least so many tiles, see `#leavesOf`. */
  #bringUp(count: number): Promise<MerkleTree> {
    const tiles = (this.#tiles ?? this.#stored()).then((known) => this.#fill(known, count));
    this.#tiles = tiles;
    tiles.catch(() => {
      if (this.#tiles === tiles) this.#tiles = undefined;
    });
    return tiles;
  }

  async #stored(): Promise<MerkleTree> {
    const tiles = new MerkleTree();
    for (const root of await this.#store.evidence.tiles(this.#origin)) tiles.append(root);
    return tiles;
  }

  /** Computes and stores the roots of tiles that were filled since. */
  async #fill(tiles: MerkleTree, count: number): Promise<MerkleTree> {
    while (tiles.size < count) {
      const first = tiles.size;
      const several = Math.min(TILES_AT_ONCE, count - first);
      const entries = await this.#store.entries(this.#origin, first * TILE, several * TILE);
      if (entries.length < several * TILE)
        throw new JobError('CHAIN_MOVED', `entries of ${this.#origin} before ${count * TILE} are missing`);
      const all = new MerkleTree();
      appendEntries(all, entries);
      const roots = Array.from({ length: several }, (_, at) => all.range(at * TILE, (at + 1) * TILE));
      await this.#store.write((log) => log.evidence.putTiles(this.#origin, first, roots));
      for (const root of roots) tiles.append(root);
    }
    return tiles;
  }
}

function appendEntries(tree: MerkleTree, entries: readonly EntryRow[]): void {
  for (const { bytes } of entries) tree.append(leafHash(bytes));
}
