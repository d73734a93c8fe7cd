import { expect, test } from '@jest/globals';
import { appendLeaf, frontierRoot, leafHash } from '../../src/evidence/merkle.ts';
import { MerkleTree } from '../../src/evidence/merkle-tree.ts';

const LEAVES = Array.from({ length: 700 }, (_, at) => leafHash(Buffer.from(`entry ${at}`)));

test('every root of every size is the one that the frontier gives', () => {
  const tree = new MerkleTree();
  let frontier: readonly string[] = [];
  const roots = LEAVES.map((leaf, at) => {
    tree.append(leaf);
    frontier = appendLeaf(frontier, at, leaf);
    return frontierRoot(frontier);
  });
  expect(tree.size).toBe(LEAVES.length);
  expect(LEAVES.map((_, at) => tree.root(at + 1))).toEqual(roots);
});

test('a range that does not lie on the borders of the tree has the root of a tree of its own', () => {
  const tree = new MerkleTree();
  for (const leaf of LEAVES) tree.append(leaf);
  for (const [from, to] of [
    [4, 7],
    [512, 700],
    [3, 4],
    [2, 4],
  ] as const) {
    let frontier: readonly string[] = [];
    for (let at = from; at < to; at += 1) frontier = appendLeaf(frontier, at - from, LEAVES[at] ?? '');
    expect(tree.range(from, to)).toBe(frontierRoot(frontier));
  }
});

test.each([
  [0, 0],
  [0, 3],
  [2, 1],
  [-1, 1],
])('there is no root over leaves %i to %i of two', (from, to) => {
  const tree = new MerkleTree();
  tree.append(LEAVES[0] ?? '');
  tree.append(LEAVES[1] ?? '');
  expect(() => tree.range(from, to)).toThrow(expect.objectContaining({ code: 'BAD_PROOF' }));
});
