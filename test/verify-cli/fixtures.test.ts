import { expect, test } from '@jest/globals';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jsonReport } from '../../verify-cli/report.ts';
import { exitCodeOf, resultOf } from '../../verify-cli/verdict.ts';
import { verify, type Verification } from '../../verify-cli/verify.ts';
import type { Arguments } from '../../verify-cli/arguments.ts';
import { ALTERATIONS } from '../support/alterations.ts';
import { writeArchive } from '../support/evidence-archive.ts';
import { buildWholeArchive, readFixtureKeys } from '../support/whole-archive.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures/evidence');
const at = (path: string): string => join(FIXTURES, path);

const examine = (folder: string, more: Partial<Arguments> = {}): Promise<Verification> =>
  verify({ path: at(folder), authorities: [at('keys/tsa-ca.pem')], ...more });

test('the intact archive is intact, with everything known that can be known', async () => {
  const verification = await examine('intact', {
    certificates: [at('keys/recorder.pem'), at('keys/peer.pem')],
    genesis: [at('kept/genesis.txt')],
    since: [at('kept/checkpoint.txt')],
  });
  expect(verification.findings.filter(({ severity }) => severity === 'fault')).toEqual([]);
  expect(exitCodeOf(resultOf(verification))).toBe(0);
});

const OPTIONS = { '--cert': 'certificates', '--genesis': 'genesis', '--since': 'since' } as const;

test.each(ALTERATIONS)('altered-$name is found: $what', async (alteration) => {
  const { name, found, with: kept = [] } = alteration;
  const more = Object.fromEntries(kept.map(([option, file]) => [OPTIONS[option], [at(file)]]));
  const verification = await examine(`altered-${name}`, more);
  const faults = verification.findings.filter(({ severity }) => severity === 'fault');
  const [code, detail] = found;
  expect(faults).toContainEqual(expect.objectContaining({ code, detail: expect.stringMatching(detail) }));
  expect(exitCodeOf(resultOf(verification))).toBe(1);
});

test('what the log says of a call while it runs, and of its copy, fits an archive that is intact', async () => {
  const { files, main, calls } = await buildWholeArchive(readFixtureKeys(at('keys')), { told: 'truly' });
  const root = mkdtempSync(join(tmpdir(), 'sealtape-told-'));
  try {
    writeArchive(root, files);
    const verification = await verify({ path: root, authorities: [at('keys/tsa-ca.pem')] });
    expect(verification.findings.filter(({ severity }) => severity === 'fault')).toEqual([]);
    const log = verification.logs.find(({ origin }) => origin === main.origin);
    expect(log?.segments.get(calls[0].id)?.map(({ body }) => body.n)).toEqual([1, 2]);
    const { examined } = JSON.parse(jsonReport(verification)) as {
      readonly examined: readonly { readonly id: string; readonly stored: readonly unknown[] }[];
    };
    expect(examined.find(({ id }) => id === calls[0].id)?.stored).toMatchObject([{ target: 'archive' }]);
  } finally {
    rmSync(root, { recursive: true });
  }
});

test('every altered archive is in the table', () => {
  const folders = readdirSync(FIXTURES).filter((name) => name.startsWith('altered-'));
  expect(folders.sort()).toEqual(ALTERATIONS.map(({ name }) => `altered-${name}`).sort());
});

test('the script would write the same archive again', async () => {
  const { files } = await buildWholeArchive(readFixtureKeys(at('keys')));
  const { readFileSync } = await import('node:fs');
  for (const [path, bytes] of files)
    expect([path, readFileSync(at(`intact/${path}`)).equals(bytes)]).toEqual([path, true]);
});
