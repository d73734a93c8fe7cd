import { Buffer } from 'node:buffer';
import { createHash, hash } from 'node:crypto';
import { EvidenceError } from './evidence-error.ts';

/*
 * The Merkle tree of RFC 6962 §2.1 over the bytes of the entries. All hashes are hex.
 *
 *          root             size 7 = 4 + 2 + 1: three full subtrees; their roots, largest first, are the frontier,
 *        /      \           all that is needed to append a leaf or to compute the root.
 *      f0        .
 *     /  \      / \
 *    .    .    f1  f2
 */

/** SHA-256(0x00 ‖ entry). */
export const leafHash = (entry: Uint8Array): string => hash('sha256', Buffer.concat([LEAF, entry]), 'hex');

/** SHA-256(0x01 ‖ left ‖ right). */
export function nodeHash(left: string, right: string): string {
  node.write(left, 1, 'hex');
  node.write(right, 33, 'hex');
  return hash('sha256', node, 'hex');
}

const LEAF = Buffer.of(0);
/** Filled anew for every node: a log of years has millions. */
const node = Buffer.alloc(65, 1);

/**
 * The frontier after one more leaf. `size` is the number of leaves before it.
 * Throws EvidenceError BAD_FRONTIER when the frontier cannot belong to a tree of that size.
 */
export function appendLeaf(frontier: readonly string[], size: number, leaf: string): readonly string[] {
  if (frontier.length !== fullSubtrees(size))
    throw new EvidenceError('BAD_FRONTIER', `${frontier.length} subtree roots for ${size} leaves`);
  const roots = [...frontier];
  let root = leaf;
  for (let rest = size; rest % 2 === 1; rest = (rest - 1) / 2) root = nodeHash(roots.pop() ?? '', root);
  roots.push(root);
  return roots;
}

/** The tree's root; SHA-256 of nothing for the empty tree. */
export function frontierRoot(frontier: readonly string[]): string {
  const last = frontier.at(-1);
  if (last === undefined) return createHash('sha256').digest('hex');
  return frontier.slice(0, -1).reduceRight((right, left) => nodeHash(left, right), last);
}

function fullSubtrees(size: number): number {
  if (!Number.isSafeInteger(size) || size < 0) throw new EvidenceError('BAD_FRONTIER', `size ${size}`);
  let count = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2;
  return count;
}
