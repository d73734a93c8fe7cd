import { appendLeaf, frontierRoot, leafHash } from '../evidence/merkle.ts';
import { consistencyRanges, inclusionRanges, type LeafRange } from '../evidence/merkle-proof.ts';
import { JobError } from './job-error.ts';
import type { LogStore } from './ports.ts';

/** Entries under one stored root. */
const TILE = 256;
/** Tiles read from the entries in one go when the stored ones are behind. */
const TILES_AT_ONCE = 8;

/**
 * Proofs over the log of one origin without reading the whole of it: roots of full tiles of 256 entries are stored and kept in memory
 * (32 octets for 256 entries), the rest comes from the entries. Rejects with StoreError while the database is away.
 */
export class LogTree {
  readonly #store: Pick<LogStore, 'entries' | 'evidence' | 'write'>;
  readonly #origin: string;
  #tiles: Promise<string[]> | undefined;
  /** Leaves of the tiles asked for last. */
  readonly #leaves = new Map<number, readonly string[]>();

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
      return frontierRoot(append([], leaves.slice(from - first * TILE, to - first * TILE)));
    }
    const end = Math.floor(to / TILE);
    const tiles = await this.#bringUp(end);
    const whole = append([], tiles.slice(first, end));
    const rest = to % TILE === 0 ? [] : (await this.#leavesOf(end, to)).slice(0, to - end * TILE);
    // A tree of tiles and one of the leaves behind it: the frontiers simply follow one another.
    return frontierRoot([...whole, ...append([], rest)]);
  }

  /** The leaves of a tile, at least up to `to`. */
  async #leavesOf(tile: number, to: number): Promise<readonly string[]> {
    const known = this.#leaves.get(tile);
    if (known !== undefined && known.length >= Math.min(TILE, to - tile * TILE)) return known;
    const entries = await this.#store.entries(this.#origin, tile * TILE, TILE);
    const leaves = entries.map(({ bytes }) => leafHash(bytes));
    if (leaves.length < Math.min(TILE, to - tile * TILE))
      throw new JobError('CHAIN_MOVED', `entries of ${this.#origin} before ${to} are missing`);
    if (this.#leaves.size > 3) this.#leaves.clear();
    this.#leaves.set(tile, leaves);
    return leaves;
  }

  /** Computes and stores the roots of tiles that were filled since. */
  async #bringUp(count: number): Promise<readonly string[]> {
    this.#tiles ??= this.#store.evidence.tiles(this.#origin).then((tiles) => [...tiles]);
    const loading = this.#tiles;
    const tiles = await loading.catch((error: unknown) => {
      this.#tiles = undefined;
      throw error;
    });
    while (tiles.length < count) {
      const first = tiles.length;
      const several = Math.min(TILES_AT_ONCE, count - first);
      const entries = await this.#store.entries(this.#origin, first * TILE, several * TILE);
      const roots = Array.from({ length: several }, (_, at) =>
        frontierRoot(
          append(
            [],
            entries.slice(at * TILE, (at + 1) * TILE).map(({ bytes }) => leafHash(bytes)),
          ),
        ),
      );
      if (entries.length < several * TILE)
        throw new JobError('CHAIN_MOVED', `entries of ${this.#origin} before ${count * TILE} are missing`);
      await this.#store.write((log) => log.evidence.putTiles(this.#origin, first, roots));
      // Somebody else may have done the same meanwhile.
      if (tiles.length === first) tiles.push(...roots);
    }
    return tiles;
  }
}

function append(frontier: readonly string[], leaves: readonly string[]): readonly string[] {
  return leaves.reduce((roots, leaf, at) => appendLeaf(roots, at, leaf), frontier);
}
