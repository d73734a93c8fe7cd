import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ArchiveBuilder,
  buildArchive,
  makeSigner,
  writeArchive,
  type TestKey,
} from '../support/evidence-archive.ts';
import { ALTERATIONS } from '../support/alterations.ts';
import { TAMPERINGS } from '../support/tamperings.ts';

const SCRIPT = join(import.meta.dirname, '../../verify-cli/verify.sh');

let key: TestKey;
let builder: ArchiveBuilder;
let folder: string;
let serial = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sealtape-verify-sh-'));
  key = makeSigner();
  builder = await buildArchive(key);
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function place(files: ReadonlyMap<string, Uint8Array>): string {
  serial += 1;
  const root = join(folder, `it's archive ${serial}`);
  writeArchive(root, files);
  return root;
}

function run(
  words: readonly string[],
  shell: readonly string[] = ['sh'],
): Promise<{ code: number; text: string }> {
  const [program = 'sh', ...first] = shell;
  return new Promise((resolve) => {
    const child = execFile(program, [...first, SCRIPT, ...words], (_, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, text: stdout + stderr });
    });
  });
}

const pathAt = (at: number): string => `${builder.calls[at]?.folder ?? ''}${builder.calls[at]?.name ?? ''}`;

test('shellcheck has nothing to say', () => {
  expect(execFileSync('shellcheck', [SCRIPT], { encoding: 'utf8' })).toBe('');
});

describe.each([
  ['dash', ['dash']],
  ['busybox', ['busybox', 'sh']],
])('an intact archive under %s', (_, shell) => {
  test('is intact as a whole, by folder, by file and by its log', async () => {
    const root = place(builder.files);
    for (const path of [
      root,
      join(root, '2026/11/23'),
      join(root, `${pathAt(1)}_info.txt`),
      join(root, 'evidence'),
    ]) {
      const { code, text } = await run([path], shell);
      expect([text, code]).toEqual([expect.stringContaining('Result: INTACT'), 0]);
      expect(text).toContain('complete up to entry 16 of 16');
      expect(text).toContain('TAKEN FROM THE ARCHIVE ITSELF');
    }
  });

  test('is refused when a certificate of another key is given', async () => {
    const [own, other] = [join(folder, 'own cert.pem'), join(folder, 'other cert.pem')];
    writeFileSync(own, key.certificatePem);
    writeFileSync(other, makeSigner().certificatePem);
    const root = place(builder.files);
    expect(await run([root, own], shell)).toMatchObject({ code: 0 });
    const refused = await run([root, other], shell);
    expect(refused).toMatchObject({ code: 1, text: expect.stringContaining('no trusted certificate') });
  });
});

// Each takes seconds; the fixtures below cover the rest.
test.each(TAMPERINGS.filter((_, at) => at % 4 === 0))('$name: named, exit 1', async ({ tamper, named }) => {
  const files = new Map(builder.files);
  tamper(files, builder);
  const { code, text } = await run([place(files)]);
  const faults = text.split('\n').filter((line) => line.startsWith('FAULT'));
  for (const pattern of named(builder)) expect(faults.join('\n')).toMatch(pattern);
  expect(code).toBe(1);
});

const FIXTURES = join(import.meta.dirname, '../../fixtures/evidence');
const AUTHORITY = join(FIXTURES, 'keys/tsa-ca.pem');

test.each([
  ['dash', ['dash']],
  ['busybox', ['busybox', 'sh']],
])('the published archive is intact under %s: proofs, key roll and time stamps', async (_, shell) => {
  const { code, text } = await run([join(FIXTURES, 'intact'), '-', AUTHORITY], shell);
  expect([text, code]).toEqual([expect.stringContaining('Result: INTACT'), 0]);
  expect(text).toContain('Proofs       3 followed to the root');
  expect(text.match(/^Time stamp /gm)).toHaveLength(2);
});

const SHELLED = ALTERATIONS.flatMap(({ shell, ...rest }) =>
  shell === undefined ? [] : [{ ...rest, shell }],
);

test.each(SHELLED)('altered-$name is found, exit 1: $what', async ({ name, shell, with: kept = [] }) => {
  const certificate = kept.find(([option]) => option === '--cert')?.[1];
  const { code, text } = await run([
    join(FIXTURES, `altered-${name}`),
    certificate === undefined ? '-' : join(FIXTURES, certificate),
    AUTHORITY,
  ]);
  const faults = text.split('\n').filter((line) => line.startsWith('FAULT'));
  expect(faults.join('\n')).toMatch(shell);
  expect(code).toBe(1);
});

test('the root of a tree of any shape is the one that was signed', async () => {
  const log = new ArchiveBuilder(key);
  for (let size = 1; size < 9; size += 1) {
    await log.checkpoint();
    log.append({ type: 'refused', reason: '488', count: size, window: 0 });
  }
  for (let more = 0; more < 300; more += 1)
    log.append({ type: 'refused', reason: "'%s' \\n", count: 1, window: 0 });
  await log.checkpoint();
  const { code, text } = await run([place(log.finish())]);
  expect([text, code]).toEqual([expect.stringContaining('complete up to entry 308 of 308'), 0]);
});

test.each([
  ['no arguments', []],
  ['an option it does not know', ['--help']],
  ['a path that does not exist', ['/nothing/here']],
  ['a place outside any archive', ['/usr']],
])('%s ends with 2', async (_, words) => {
  expect(await run(words)).toMatchObject({ code: 2 });
});
