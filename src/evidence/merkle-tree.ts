import { Buffer } from 'node:buffer';
import { EvidenceError } from './evidence-error.ts';
import { nodeHash } from './merkle.ts';

const HASH = 32;
const FIRST_CAPACITY = 256;

/** Hashes one behind the other in one growing piece of memory: a million of them take 32 MB. */
class PackedHashes {
  #bytes = Buffer.alloc(HASH * FIRST_CAPACITY);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  push(hash: string): void {
    if ((this.#count + 1) * HASH > this.#bytes.length)
      this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(this.#bytes.length)]);
    this.#bytes.write(hash, this.#count * HASH, 'hex');
    this.#count += 1;
  }

  at(index: number): string {
    return this.#bytes.toString('hex', index * HASH, (index + 1) * HASH);
  }
}

/**
 * The tree of RFC 6962 §2.1 with all its full subtrees, so that the root of any range of leaves costs a few hashes. Two hashes a
 * leaf are kept, 64 MB for a million.
 */
export class MerkleTree {
  /** `#levels[k]` holds the roots of the subtrees of 2^k leaves. */
  readonly #levels: PackedHashes[] = [];

  get size(): number {
    return this.#levels[0]?.count ?? 0;
  }

  /** Appends a leaf by its hash, hex. */
  append(leaf: string): void {
    let hash = leaf;
    for (let level = 0; ; level += 1) {
      const hashes = (this.#levels[level] ??= new PackedHashes());
      hashes.push(hash);
      if (hashes.count % 2 === 1) return;
      hash = nodeHash(hashes.at(hashes.count - 2), hash);
    }
  }

  /** Root over the first `size` leaves, hex. Throws EvidenceError BAD_PROOF for none or more than there are. */
  root(size: number): string {
    return this.range(0, size);
  }

  /** Roots of the full subtrees that the leaves from `from` up to but without `to` make, largest first. Throws EvidenceError BAD_PROOF. */
  frontier(from: number, to: number): readonly string[] {
    const roots: string[] = [];
    for (let at = from; at < to;) {
      const next = at + 2 ** Math.floor(Math.log2(to - at));
      roots.push(this.range(at, next));
      at = next;
    }
    return roots;
  }

  /** Root over the leaves from `from` up to but without `to`, as proofs contain it. Throws EvidenceError BAD_PROOF. */
  range(from: number, to: number): string {
    if (!(from >= 0 && from < to && to <= this.size))
      throw new EvidenceError('BAD_PROOF', `leaves ${from} to ${to} of ${this.size}`);
    const count = to - from;
    const level = Math.floor(Math.log2(count));
    const full = 2 ** level;
    if (full === count && from % full === 0) return this.#levels[level]?.at(from / full) ?? '';
    const split = full === count ? full / 2 : full;
    return nodeHash(this.range(from, from + split), this.range(from + split, to));
  }
}
