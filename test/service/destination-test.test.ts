import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { destinations } from '../../src/commands/destinations.ts';

let folder: string;
let said: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'destinations-'));
  said = [];
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function run(config: string, ...args: string[]): Promise<number> {
  const file = join(folder, 'config.yaml');
  writeFileSync(file, config);
  return destinations.run([...args, '--config', file], (line) => said.push(line));
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
});

test('the secret that cannot be read, the name that is not known and the word that is none are said', async () => {
  const vault = `destinations: [{ name: vault, kind: sftp, host: localhost, user: rec, fingerprints: ["SHA256:${'A'.repeat(43)}"], passwordEnv: SEALTAPE_TEST_UNSET }]`;
  expect(await run(vault, 'test')).toBe(1);
  expect(said.join('\n')).toContain('SEALTAPE_TEST_UNSET is not set');
  expect(await run(vault, 'test', 'other')).toBe(2);
  expect(await run(vault, 'try')).toBe(2);
});
