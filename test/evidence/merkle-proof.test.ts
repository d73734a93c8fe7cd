import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { leafHash, nodeHash } from '../../src/evidence/merkle.ts';
import {
  consistencyRanges,
  inclusionRanges,
  isConsistent,
  rootFromInclusion,
  rootOfLeaves,
  rootsFromConsistency,
} from '../../src/evidence/merkle-proof.ts';

/** The eight leaves that Certificate Transparency implementations test with, and two known roots. */
const KNOWN = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
].map((hex) => leafHash(Buffer.from(hex, 'hex')));

const leavesOf = (count: number): string[] =>
  Array.from({ length: count }, (_, at) => leafHash(Buffer.from(`entry ${at}`)));
const rootOf = (leaves: readonly string[], size = leaves.length): string =>
  rootOfLeaves(leaves, { from: 0, to: size });

/** RFC 6962 §2.1, word for word. */
function reference(leaves: readonly string[]): string {
  const [only] = leaves;
  if (leaves.length === 1 && only !== undefined) return only;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return nodeHash(reference(leaves.slice(0, k)), reference(leaves.slice(k)));
}

const inclusion = (leaves: readonly string[], index: number): string[] =>
  inclusionRanges(index, leaves.length).map((range) => rootOfLeaves(leaves, range));
const consistency = (leaves: readonly string[], old: number): string[] =>
  consistencyRanges(old, leaves.length).map((range) => rootOfLeaves(leaves, range));

test('roots are those that other implementations compute', () => {
  expect(rootOf(KNOWN, 1)).toBe('6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d');
  expect(rootOf(KNOWN)).toBe('5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328');
  for (let size = 1; size <= 70; size++) expect(rootOf(leavesOf(size))).toBe(reference(leavesOf(size)));
});

describe('an inclusion proof', () => {
  test('has the parts that RFC 6962 §2.1.3 shows', () => {
    // The example tree of seven: leaf 0 needs b, h, l; leaf 3 c, g, l; leaf 4 f, j, k; leaf 6 i, k.
    expect(inclusionRanges(0, 7)).toEqual([
      { from: 1, to: 2 },
      { from: 2, to: 4 },
      { from: 4, to: 7 },
    ]);
    expect(inclusionRanges(3, 7)).toEqual([
      { from: 2, to: 3 },
      { from: 0, to: 2 },
      { from: 4, to: 7 },
    ]);
    expect(inclusionRanges(4, 7)).toEqual([
      { from: 5, to: 6 },
      { from: 6, to: 7 },
      { from: 0, to: 4 },
    ]);
    expect(inclusionRanges(6, 7)).toEqual([
      { from: 4, to: 6 },
      { from: 0, to: 4 },
    ]);
  });

  test('leads from every leaf of every tree to its root, and from no other leaf', () => {
    for (let size = 1; size <= 40; size++) {
      const leaves = leavesOf(size);
      for (let index = 0; index < size; index++) {
        const proof = inclusion(leaves, index);
        expect(rootFromInclusion({ index, hash: leaves[index] ?? '' }, size, proof)).toBe(rootOf(leaves));
        expect(rootFromInclusion({ index, hash: leafHash(Buffer.from('other')) }, size, proof)).not.toBe(
          rootOf(leaves),
        );
      }
    }
  });

  test.each([
    ['too long', 2, 7, (proof: string[]) => [...proof, proof[0] ?? '']],
    ['too short', 2, 7, (proof: string[]) => proof.slice(1)],
    ['with a hash of another length', 2, 7, (proof: string[]) => ['00', ...proof.slice(1)]],
    ['for a leaf behind the end', 7, 7, (proof: string[]) => proof],
    ['for a leaf before the beginning', -1, 7, (proof: string[]) => proof],
  ])('that is %s is refused', (_, index, size, alter) => {
    const leaves = leavesOf(size);
    expect(() =>
      rootFromInclusion({ index, hash: leaves[2] ?? '' }, size, alter(inclusion(leaves, 2))),
    ).toThrow('BAD_PROOF');
  });
});

describe('a consistency proof', () => {
  test('has the parts that RFC 6962 §2.1.3 shows', () => {
    // From 3 to 7: c, d, g, l; from 4: l; from 6: i, j, k.
    expect(consistencyRanges(3, 7)).toEqual([
      { from: 2, to: 3 },
      { from: 3, to: 4 },
      { from: 0, to: 2 },
      { from: 4, to: 7 },
    ]);
    expect(consistencyRanges(4, 7)).toEqual([{ from: 4, to: 7 }]);
    expect(consistencyRanges(6, 7)).toEqual([
      { from: 4, to: 6 },
      { from: 6, to: 7 },
      { from: 0, to: 4 },
    ]);
  });

  test('shows every tree to be the beginning of every larger one', () => {
    const all = leavesOf(40);
    for (let size = 1; size <= all.length; size++) {
      const leaves = all.slice(0, size);
      for (let old = 1; old <= size; old++) {
        const proof = consistency(leaves, old);
        expect(
          isConsistent({ size: old, root: rootOf(all, old) }, { size, root: rootOf(leaves) }, proof),
        ).toBe(true);
      }
    }
  });

  test('does not exist for a tree in which one leaf differs', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 60 }), fc.nat(), fc.nat(), (size, oldSeed, leafSeed) => {
        const old = 1 + (oldSeed % (size - 1));
        const leaves = leavesOf(size);
        const forged = [...leaves];
        forged[leafSeed % old] = leafHash(Buffer.from('forged'));
        const before = { size: old, root: rootOf(leaves, old) };
        expect(isConsistent(before, { size, root: rootOf(forged) }, consistency(forged, old))).toBe(false);
        expect(isConsistent(before, { size, root: rootOf(forged) }, consistency(leaves, old))).toBe(false);
      }),
    );
  });

  test('too long, too short, or for a shrunken tree is refused', () => {
    const leaves = leavesOf(7);
    const proof = consistency(leaves, 3);
    const old = { size: 3, root: rootOf(leaves, 3) };
    const tree = { size: 7, root: rootOf(leaves) };
    expect(isConsistent(old, tree, proof.slice(1))).toBe(false);
    expect(isConsistent(old, tree, [...proof, proof[0] ?? ''])).toBe(false);
    expect(isConsistent(tree, old, [])).toBe(false);
    expect(isConsistent(tree, tree, proof)).toBe(false);
    expect(isConsistent(tree, { ...tree, root: old.root }, [])).toBe(false);
    expect(isConsistent({ size: 0, root: rootOf([]) }, tree, [])).toBe(false);
    expect(() => rootsFromConsistency(tree, 3, [])).toThrow('BAD_PROOF');
  });
});
