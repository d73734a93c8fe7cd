import { expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEntryFile } from '../../src/evidence/layout.ts';
import { consistencyRanges, inclusionRanges } from '../../src/evidence/merkle-proof.ts';
import { leafHash } from '../../src/evidence/merkle.ts';
import { MerkleTree } from '../../src/evidence/merkle-tree.ts';

const ROOT = join(import.meta.dirname, '../..');
const LOG = join(ROOT, 'fixtures/evidence/intact/evidence/bank.example_siprec_fra1_rec01_e1');

/** The lines of chapter 6 as code and fixtures give them. */
function vectors(): readonly string[] {
  const entries = parseEntryFile(readFileSync(join(LOG, 'entries/000/000000.txt')));
  const tree = new MerkleTree();
  const leaves = entries.map((entry) => leafHash(entry));
  for (const leaf of leaves) tree.append(leaf);
  const parts = (ranges: readonly { from: number; to: number }[]): string =>
    ranges.map(({ from, to }) => tree.range(from, to)).join('\n  ');
  const sha256 = (file: string): string =>
    createHash('sha256')
      .update(readFileSync(join(LOG, file)))
      .digest('hex');
  return [
    ...[0, 1, 2].map((index) => `leaf ${index}      ${leaves[index] ?? ''}`),
    ...[1, 2, 3, 8, 18].map((size) => `root of ${String(size).padEnd(3)} ${tree.root(size)}`),
    `inclusion of 2 in 18:\n  ${parts(inclusionRanges(2, 18))}`,
    `consistency of 8 with 18:\n  ${parts(consistencyRanges(8, 18))}`,
    `consistency of 11 with 18:\n  ${parts(consistencyRanges(11, 18))}`,
    `SHA-256 of checkpoint/18.txt ${sha256('checkpoint/18.txt')}`,
    `SHA-256 of checkpoint/18.sig ${sha256('checkpoint/18.sig')}`,
    `checkpoint/8.sig ${readFileSync(join(LOG, 'checkpoint/8.sig')).toString('hex').slice(0, 64)}…`,
    `SHA-256 of keyroll-1.txt ${sha256('keyroll-1.txt')}`,
  ];
}

test('the vectors of the specification are those of code and fixtures', () => {
  const page = readFileSync(join(ROOT, 'docs/evidence-format.md'), 'utf8');
  const chapter = page.slice(page.indexOf('## 6. Test vectors'));
  const block = /```\n([^]*?)\n```/.exec(chapter)?.[1];
  expect(block).toBe(vectors().join('\n'));
});
