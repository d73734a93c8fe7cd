import { EvidenceError } from './evidence-error.ts';
import { appendLeaf, frontierRoot, nodeHash } from './merkle.ts';

/*
 * Proofs over the tree of merkle.ts (RFC 6962 §2.1.1 and §2.1.2; checking as RFC 9162 §2.1.3.2 and §2.1.4.2). A proof is a list of
 * roots of parts of the tree; which parts, follows from the sizes alone:
 *
 *   leaf 2 in a tree of 7:     [3,4) [0,2) [4,7)        from the leaf's sibling up to the child of the root
 *   tree of 3 inside one of 7: [2,3) [3,4) [0,2) [4,7)
 */

/** Leaves from `from` up to but without `to`. */
export interface LeafRange {
  readonly from: number;
  readonly to: number;
}

/** Whether a size is one that a tree can have and a proof can speak of. */
const isSize = (size: number): boolean => Number.isSafeInteger(size) && size >= 0;

/** Largest power of two below `count`, which is at least 2. */
function splitOf(count: number): number {
  let split = 1;
  while (split * 2 < count) split *= 2;
  return split;
}

/** The ranges whose roots prove that leaf `index` is in the tree of `size`. Throws EvidenceError BAD_PROOF. */
export function inclusionRanges(index: number, size: number): readonly LeafRange[] {
  if (!isSize(size) || !Number.isSafeInteger(index) || index < 0 || index >= size)
    throw new EvidenceError('BAD_PROOF', `leaf ${index} of ${size}`);
  const path: LeafRange[] = [];
  let [from, to] = [0, size];
  while (to - from > 1) {
    const middle = from + splitOf(to - from);
    if (index < middle) {
      path.push({ from: middle, to });
      to = middle;
    } else {
      path.push({ from, to: middle });
      from = middle;
    }
  }
  return path.reverse();
}

/** The ranges whose roots prove that the tree of `old` leaves is the beginning of that of `size`. Throws EvidenceError BAD_PROOF. */
export function consistencyRanges(old: number, size: number): readonly LeafRange[] {
  if (!isSize(size) || !isSize(old) || old > size)
    throw new EvidenceError('BAD_PROOF', `a tree of ${old} inside one of ${size}`);
  if (old === 0 || old === size) return [];
  const path: LeafRange[] = [];
  let [from, to] = [0, size];
  while (to !== old) {
    const middle = from + splitOf(to - from);
    if (old <= middle) {
      path.push({ from: middle, to });
      to = middle;
    } else {
      path.push({ from, to: middle });
      from = middle;
    }
  }
  // The old tree itself is known to whoever checks, unless it is only a part on the right.
  if (from > 0) path.push({ from, to });
  return path.reverse();
}

/** Root of a range of leaves given the hash of each, for trees that fit into memory. */
export function rootOfLeaves(leaves: readonly string[], { from, to }: LeafRange): string {
  let frontier: readonly string[] = [];
  for (let at = from; at < to; at++) {
    const leaf = leaves[at];
    if (leaf === undefined) throw new EvidenceError('BAD_PROOF', `no leaf ${at}`);
    frontier = appendLeaf(frontier, at - from, leaf);
  }
  return frontierRoot(frontier);
}

/**
 * The root that follows from a leaf's hash and its inclusion proof (RFC 9162 §2.1.3.2). Throws EvidenceError BAD_PROOF when the proof is
 * too long or too short for the place.
 */
export function rootFromInclusion(
  leaf: { readonly index: number; readonly hash: string },
  size: number,
  proof: readonly string[],
): string {
  const ranges = inclusionRanges(leaf.index, size);
  requireLength(proof, ranges.length);
  return proof.reduce(
    (root, hash, at) => ((ranges[at]?.from ?? 0) > leaf.index ? nodeHash(root, hash) : nodeHash(hash, root)),
    leaf.hash,
  );
}

/**
 * The roots of both trees that follow from a consistency proof (RFC 9162 §2.1.4.2), to be compared with those that were signed.
 * `oldRoot` is the signed root of the smaller tree. Throws EvidenceError BAD_PROOF when the proof does not fit the sizes.
 */
export function rootsFromConsistency(
  old: { readonly size: number; readonly root: string },
  size: number,
  proof: readonly string[],
): { readonly old: string; readonly new: string } {
  const ranges = consistencyRanges(old.size, size);
  requireLength(proof, ranges.length);
  if (old.size === 0) throw new EvidenceError('BAD_PROOF', 'nothing follows from an empty tree');
  const first = ranges[0];
  // The first hash is the right-most part of the old tree; when the old tree is one full part it is not sent.
  const startsInside = first?.to === old.size;
  const seed = startsInside ? (proof[0] ?? '') : old.root;
  const roots = { old: seed, new: seed };
  for (let at = startsInside ? 1 : 0; at < ranges.length; at++) {
    const range = ranges[at];
    const hash = proof[at] ?? '';
    if (range !== undefined && range.from >= old.size) roots.new = nodeHash(roots.new, hash);
    else {
      roots.old = nodeHash(hash, roots.old);
      roots.new = nodeHash(hash, roots.new);
    }
  }
  return roots;
}

/** Whether the tree of `old` is the beginning of `tree`: both roots follow from the proof. Never throws. */
export function isConsistent(
  old: { readonly size: number; readonly root: string },
  tree: { readonly size: number; readonly root: string },
  proof: readonly string[],
): boolean {
  if (old.size === tree.size) return proof.length === 0 && old.root === tree.root;
  try {
    const roots = rootsFromConsistency(old, tree.size, proof);
    return roots.old === old.root && roots.new === tree.root;
  } catch {
    return false;
  }
}

function requireLength(proof: readonly string[], length: number): void {
  if (proof.length !== length)
    throw new EvidenceError('BAD_PROOF', `${proof.length} hashes instead of ${length}`);
  for (const hash of proof)
    if (!/^[0-9a-f]{64}$/.test(hash)) throw new EvidenceError('BAD_PROOF', 'a hash is not 32 octets');
}
