import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readPassphrase } from '../../src/store/passphrase.ts';

const VARIABLE = 'CREDENTIALS_DIRECTORY';
const before = process.env[VARIABLE];
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sealtape-passphrase-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
  Reflect.deleteProperty(process.env, VARIABLE);
  if (before !== undefined) process.env[VARIABLE] = before;
});

const file = (): string => join(folder, 'passphrase');
const place = (text: string, mode = 0o600): void => {
  writeFileSync(file(), text);
  chmodSync(file(), mode);
};

test('the passphrase is the first line of its file, whatever ends it', async () => {
  place('correct horse\r\nnot this\n');
  expect(await readPassphrase({ file: file(), generate: false })).toBe('correct horse');
});

test('a credential of systemd is looked up where the service has them', async () => {
  place('battery staple\n', 0o400);
  process.env[VARIABLE] = folder;
  expect(await readPassphrase({ file: 'credential:passphrase', generate: false })).toBe('battery staple');
  await expect(readPassphrase({ file: 'credential:other', generate: false })).rejects.toMatchObject({
    code: 'KEYS_LOCKED',
    message: expect.stringContaining(join(folder, 'other')),
  });
});

test('a credential without systemd says what is missing', async () => {
  Reflect.deleteProperty(process.env, VARIABLE);
  await expect(readPassphrase({ file: 'credential:passphrase', generate: false })).rejects.toMatchObject({
    code: 'KEYS_LOCKED',
    message: expect.stringMatching(/no credential passphrase: .*LoadCredential=/),
  });
});

test.each([
  ['that everybody can read', 'open\n', 0o644, /everybody can read .*chmod 600/],
  ['with an empty first line', '\nsecond\n', 0o600, /no passphrase in its first line/],
])('a file %s is refused by name', async (_, text, mode, message) => {
  place(text, mode);
  await expect(readPassphrase({ file: file(), generate: true })).rejects.toMatchObject({
    code: 'KEYS_LOCKED',
    message: expect.stringMatching(message),
  });
});

test('one that is named and missing is never made; that of the data directory is, once, for its owner alone', async () => {
  await expect(readPassphrase({ file: file(), generate: false })).rejects.toMatchObject({
    code: 'KEYS_LOCKED',
    message: expect.stringContaining('is missing'),
  });
  const made = await readPassphrase({ file: file(), generate: true });
  expect(Buffer.from(made, 'base64url')).toHaveLength(32);
  expect(readFileSync(file(), 'utf8')).toBe(`${made}\n`);
  expect(statSync(file()).mode & 0o777).toBe(0o600);
  expect(await readPassphrase({ file: file(), generate: true })).toBe(made);
});
