import { execFile } from 'node:child_process';
import { createPrivateKey, createPublicKey, sign, verify, X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { openKeyStore, type KeyStore } from '../../src/store/key-store.ts';
import { compileProgram, type CompiledProgram } from '../support/compiled-program.ts';

const run = promisify(execFile);
const SUBJECT = 'Sealtape Köln';
let program: CompiledProgram;
/** One pair for the tests that only read. */
let shared: string;
let dir: string;

beforeAll(async () => {
  program = await compileProgram('src/store/certificate-process.ts');
  shared = await mkdtemp(join(tmpdir(), 'keys-'));
  await openKeyStore(shared, { subject: SUBJECT, certificateEntry: program.path });
});

afterAll(async () => {
  await program.remove();
  await rm(shared, { recursive: true });
});

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'keys-'));
});

afterEach(async () => {
  await rm(dir, { recursive: true });
});

const open = (at: string): Promise<KeyStore> =>
  openKeyStore(at, { subject: SUBJECT, certificateEntry: program.path });

describe('a new key store', () => {
  test('makes a pair once and gives the same one afterwards', async () => {
    const first = await open(dir);
    const second = await open(dir);
    expect(first.created).toBe(true);
    expect(second).toEqual({ ...first, created: false });
    expect(await readdir(dir)).toEqual(['current']);
    const key = createPrivateKey(first.privateKeyPem);
    expect(key.asymmetricKeyDetails).toMatchObject({ modulusLength: 3072, publicExponent: 65537n });
    const signature = sign('sha256', Buffer.from('text'), key);
    expect(verify('sha256', Buffer.from('text'), createPublicKey(first.certificatePem), signature)).toBe(
      true,
    );
  });

  test('opened by two at once has one pair', async () => {
    const [one, other] = await Promise.all([open(dir), open(dir)]);
    expect(one.privateKeyPem).toBe(other.privateKeyPem);
    expect([one.created, other.created].sort()).toEqual([false, true]);
    expect(await readdir(dir)).toEqual(['current']);
  });

  test('leaves nothing behind when the certificate cannot be made', async () => {
    const failing = join(dir, 'failing.mjs');
    await writeFile(failing, 'console.error("no forge here"); process.exit(3);');
    await expect(openKeyStore(dir, { subject: 'x', certificateEntry: failing })).rejects.toMatchObject({
      code: 'KEYS_NOT_MADE',
      message: expect.stringContaining('no forge here') as unknown,
    });
    expect(await readdir(dir)).toEqual(['failing.mjs']);
  });
});

describe('the pair', () => {
  test('has a private key only its owner reads and a certificate everybody reads', async () => {
    expect((await stat(join(shared, 'current', 'signing-key.pem'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(shared, 'current', 'signing-certificate.pem'))).mode & 0o777).toBe(0o644);
    expect((await stat(join(shared, 'current'))).mode & 0o077).toBe(0);
  });

  test('satisfies openssl in its strictest mode, for fifteen years', async () => {
    const file = join(shared, 'current', 'signing-certificate.pem');
    const strict = ['verify', '-x509_strict', '-check_ss_sig', '-partial_chain', '-CAfile', file, file];
    expect((await run('openssl', strict)).stdout.trim()).toBe(`${file}: OK`);
    const day = 86_400;
    await run('openssl', ['x509', '-checkend', String(14.9 * 365 * day), '-noout', '-in', file]);
    await expect(
      run('openssl', ['x509', '-checkend', String(16 * 365 * day), '-noout', '-in', file]),
    ).rejects.toMatchObject({
      code: 1,
    });
    const text = (await run('openssl', ['x509', '-noout', '-text', '-nameopt', 'utf8', '-in', file])).stdout;
    expect(text).toContain(`Subject: CN=${SUBJECT}`);
    expect(text).toMatch(/Basic Constraints: critical\s+CA:FALSE/);
    expect(text).toMatch(/Key Usage: critical\s+Digital Signature, Non Repudiation\n/);
    const [, subjectKey] = /Subject Key Identifier: *\n *([0-9A-F:]+)/.exec(text) ?? [];
    expect(text).toMatch(new RegExp(`Authority Key Identifier: *\n *(keyid:)?${subjectKey ?? 'none'}\n`));
    expect(text).not.toContain('Serial Number:\n            00');
  });

  test('is readable by Node as certificate', async () => {
    const certificate = new X509Certificate(
      await readFile(join(shared, 'current', 'signing-certificate.pem')),
    );
    expect(certificate.ca).toBe(false);
    expect(certificate.subject).toBe(`CN=${SUBJECT}`);
  });
});

describe('a damaged key store', () => {
  const damage: readonly (readonly [string, string, (file: string) => Promise<void>])[] = [
    ['a missing key', 'signing-key.pem', (file) => rm(file)],
    ['a missing certificate', 'signing-certificate.pem', (file) => rm(file)],
    ['a truncated key', 'signing-key.pem', (file) => truncate(file, 700)],
    ['an empty key', 'signing-key.pem', (file) => truncate(file, 0)],
    ['an empty certificate', 'signing-certificate.pem', (file) => truncate(file, 0)],
  ];

  test.each(damage)('with %s names the file and makes no new key', async (_name, file, harm) => {
    await run('cp', ['-r', join(shared, 'current'), dir]);
    const path = join(dir, 'current', file);
    await harm(path);
    const before = await readdir(join(dir, 'current'));
    await expect(open(dir)).rejects.toMatchObject({
      code: 'KEYS_DAMAGED',
      message: expect.stringContaining(path) as unknown,
    });
    expect(await readdir(join(dir, 'current'))).toEqual(before);
  });

  test('whose certificate is of another key says so', async () => {
    await open(dir);
    await run('cp', [join(shared, 'current', 'signing-certificate.pem'), join(dir, 'current')]);
    await expect(open(dir)).rejects.toMatchObject({ code: 'KEYS_DAMAGED' });
  });

  test('with a short or foreign kind of key says so', async () => {
    await run('cp', ['-r', join(shared, 'current'), dir]);
    await run('openssl', ['genrsa', '-out', join(dir, 'current', 'signing-key.pem'), '2048']);
    await expect(open(dir)).rejects.toMatchObject({ code: 'KEYS_DAMAGED' });
  });
});
