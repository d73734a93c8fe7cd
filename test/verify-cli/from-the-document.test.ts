import { expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../support/recorder-process.ts';
import { leafHash, rootOf, verifyFromTheDocument } from './from-the-document.ts';

const FIXTURES = join(ROOT, 'fixtures/evidence');
const page = readFileSync(join(ROOT, 'docs/evidence-format.md'), 'utf8');

/** What the page alone gave enough for, but this verifier leaves out: 3.6, deletions, epochs, open calls, witnesses, segments, whose key it is. */
const LEFT_OUT =
  /^altered-(?:token|sums|backdated|deleted|epoch|fork|open-not-closed|segment|stored|new-log|truncated-log-and-checkpoint|sealed-in-two-logs|foreign-key|swapped-certificate)/;

test('finds the intact archive intact, with the vectors that the page has', () => {
  expect(verifyFromTheDocument(join(FIXTURES, 'intact'))).toEqual([]);
  const log = join(FIXTURES, 'intact/evidence/bank.example_siprec_fra1_rec01_e1/entries/000/000000.txt');
  const leaves = readFileSync(log, 'latin1')
    .split(/(?<=\n)\n/)
    .map((entry) => leafHash(Buffer.from(entry, 'latin1')));
  for (const [, index, hash] of page.matchAll(/^leaf (\d+) {6}([0-9a-f]{64})$/gm))
    expect(leaves[Number(index)]?.toString('hex')).toBe(hash);
  const roots = [...page.matchAll(/^root of (\d+) +([0-9a-f]{64})$/gm)];
  expect(roots.length).toBeGreaterThan(4);
  for (const [, size, root] of roots)
    expect(rootOf(leaves.slice(0, Number(size))).toString('hex')).toBe(root);
});

const altered = readdirSync(FIXTURES).filter((name) => name.startsWith('altered-') && !LEFT_OUT.test(name));

test.each(altered)('finds %s', (name) => {
  expect(verifyFromTheDocument(join(FIXTURES, name))).not.toEqual([]);
});
