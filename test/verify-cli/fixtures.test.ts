import { expect, test } from '@jest/globals';
import { join } from 'node:path';
import { exitCodeOf, resultOf } from '../../verify-cli/verdict.ts';
import { verify } from '../../verify-cli/verify.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures/evidence');

test.each([
  ['intact', 0, []],
  ['altered-audio', 1, ['FILE_ALTERED']],
  ['altered-entry', 1, ['CHAIN_BROKEN', 'CHECKPOINT_DIFFERS']],
  ['altered-missing-recording', 1, ['RECORDING_MISSING']],
  ['altered-swapped-audio', 1, ['FILE_ALTERED', 'SWAPPED']],
  ['altered-truncated-log', 1, ['LOG_TRUNCATED']],
])('the published archive %s ends with %i', async (folder, code, expected) => {
  const verification = await verify({ path: join(FIXTURES, folder), certificates: [] });
  const faults = verification.findings.filter(({ severity }) => severity === 'fault');
  expect(exitCodeOf(resultOf(verification))).toBe(code);
  expect(faults.map((fault) => fault.code)).toEqual(expect.arrayContaining(expected));
});
