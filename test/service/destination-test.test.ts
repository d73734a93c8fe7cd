import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../support/recorder-process.ts';

const execute = promisify(execFile);

let folder: string;
let said: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'destinations-'));
  said = [];
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** The program as it is built: a folder is worked on by a process of its own, which is part of the build. Its exit status. */
async function run(config: string, ...args: string[]): Promise<number> {
  const file = join(folder, 'config.yaml');
  writeFileSync(file, config);
  const program = [join(ROOT, 'dist/src/cli.js'), 'destinations', ...args, '--config', file];
  const { stdout, code } = await execute(process.execPath, program).then(
    ({ stdout: text }) => ({ stdout: text, code: 0 }),
    (error: unknown) => error as { readonly stdout: string; readonly code: number },
  );
  said.push(stdout);
  return code;
}

const folderAt = (root: string): string => `destinations: [{ name: files, kind: path, root: ${root} }]`;

test('a folder that works is written, read and cleared again, and its limits are told', async () => {
  const root = join(folder, 'root');
  expect(await run(folderAt(root), 'test')).toBe(1);
  expect(said.join('\n')).toMatch(/FAILED.*UNREACHABLE[^]*may pass by itself/);
  mkdirSync(root);
  said = [];
  expect(await run(folderAt(root), 'test', 'files')).toBe(0);
  const text = said.join('\n');
  expect(text).toMatch(/written {4}\S+, proved by read-back\n {2}read back {2}the same\n {2}removed {4}yes/);
  expect(text).toMatch(/lock {7}no:/);
  expect(readdirSync(root)).toEqual([]);
}, 120_000);

test('the secret that cannot be read, the name that is not known and the word that is none are said', async () => {
  const vault = `destinations: [{ name: vault, kind: sftp, host: localhost, user: rec, fingerprints: ["SHA256:${'A'.repeat(43)}"], passwordEnv: SEALTAPE_TEST_UNSET }]`;
  expect(await run(vault, 'test')).toBe(1);
  expect(said.join('\n')).toContain('SEALTAPE_TEST_UNSET is not set');
  expect(await run(vault, 'test', 'other')).toBe(2);
  expect(await run(vault, 'try')).toBe(2);
}, 120_000);
