import { execFile } from 'node:child_process';
import { createPublicKey, sign, verify, X509Certificate } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { openKeyStore, type KeyStore } from '../../src/store/key-store.ts';
import { compileProgram, type CompiledProgram } from '../support/compiled-program.ts';

const run = promisify(execFile);
const SUBJECT = 'Sealtape Köln';
const PASSPHRASE = 'correct horse ä';
let program: CompiledProgram;
/** One pair for the tests that only read. */
let shared: string;
let dir: string;

beforeAll(async () => {
  program = await compileProgram('src/store/certificate-process.ts');
  shared = await mkdtemp(join(tmpdir(), 'keys-'));
  await openKeyStore(shared, { subject: SUBJECT, certificateEntry: program.path, passphrase: PASSPHRASE });
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
  openKeyStore(at, { subject: SUBJECT, certificateEntry: program.path, passphrase: PASSPHRASE });

describe('a new key store', () => {
  test('makes a pair once and gives the same one afterwards', async () => {
    const first = await open(dir);
    const second = await open(dir);
    expect(first.created).toBe(true);
    expect(second.created).toBe(false);
    expect(second.certificatePem).toBe(first.certificatePem);
    expect(second.privateKey.equals(first.privateKey)).toBe(true);
    expect(await readdir(dir)).toEqual(['current']);
    const key = first.privateKey;
    expect(key.asymmetricKeyDetails).toMatchObject({ modulusLength: 3072, publicExponent: 65537n });
    const signature = sign('sha256', Buffer.from('text'), key);
    expect(verify('sha256', Buffer.from('text'), createPublicKey(first.certificatePem), signature)).toBe(
      true,
    );
  });

  test('opened by two at once has one pair', async () => {
    const [one, other] = await Promise.all([open(dir), open(dir)]);
    expect(one.privateKey.equals(other.privateKey)).toBe(true);
    expect([one.created, other.created].sort()).toEqual([false, true]);
    expect(await readdir(dir)).toEqual(['current']);
  });

  test('leaves nothing behind when the certificate cannot be made', async () => {
    const failing = join(dir, 'failing.mjs');
    await writeFile(failing, 'console.error("no forge here"); process.exit(3);');
    await expect(
      openKeyStore(dir, { subject: 'x', certificateEntry: failing, passphrase: 'y' }),
    ).rejects.toMatchObject({
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

describe('the key on disk', () => {
  test('is PKCS#8 under PBES2 with 600,000 iterations, and opens for openssl with the passphrase alone', async () => {
    const file = join(shared, 'current', 'signing-key.pem');
    const passphrase = join(dir, 'passphrase');
    await writeFile(passphrase, `${PASSPHRASE}\n`);
    const parsed = (await run('openssl', ['asn1parse', '-in', file])).stdout;
    expect(parsed).toMatch(/PBES2[^]*PBKDF2[^]*INTEGER +:0927C0[^]*hmacWithSHA256[^]*aes-256-cbc/);
    await run('openssl', ['pkey', '-in', file, '-check', '-noout', '-passin', `file:${passphrase}`]);
    await expect(
      run('openssl', ['pkey', '-in', file, '-noout', '-passin', 'pass:another']),
    ).rejects.toMatchObject({ code: 1 });
  });

  test('under another passphrase says so, and stays', async () => {
    await run('cp', ['-r', join(shared, 'current'), dir]);
    const options = { subject: SUBJECT, certificateEntry: program.path, passphrase: 'another' };
    await expect(openKeyStore(dir, options)).rejects.toMatchObject({
      code: 'KEYS_LOCKED',
      message: expect.stringContaining('signing-key.pem') as unknown,
    });
    expect((await open(dir)).created).toBe(false);
  });

  test('of an earlier version, in the clear, is taken over encrypted', async () => {
    await run('cp', ['-r', join(shared, 'current'), dir]);
    const file = join(dir, 'current', 'signing-key.pem');
    const { privateKey } = await open(shared);
    await writeFile(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    const taken = await open(dir);
    expect(taken.privateKey.equals(privateKey)).toBe(true);
    expect(await readFile(file, 'latin1')).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await open(dir)).privateKey.equals(privateKey)).toBe(true);
  });

  test('that another user has given it is named with what is to be done', async () => {
    await run('cp', ['-r', join(shared, 'current'), dir]);
    // Root may read everything; a test that runs as another user takes the right away from itself.
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(65534);
    else await chmod(dir, 0o000);
    try {
      await expect(open(dir)).rejects.toMatchObject({
        code: 'KEYS_DAMAGED',
        message: expect.stringMatching(
          /may not be read by the user that runs this \(uid \d+\).*chown/,
        ) as unknown,
      });
    } finally {
      if (isRoot) process.seteuid?.(0);
      else await chmod(dir, 0o700);
    }
  });

  test('that others can read is refused', async () => {
    await run('cp', ['-r', join(shared, 'current'), dir]);
    await chmod(join(dir, 'current', 'signing-key.pem'), 0o640);
    await expect(open(dir)).rejects.toMatchObject({
      code: 'KEYS_DAMAGED',
      message: expect.stringContaining('chmod 600') as unknown,
    });
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
    const key = join(dir, 'current', 'signing-key.pem');
    await run('openssl', ['genrsa', '-out', key, '2048']);
    await chmod(key, 0o600);
    await expect(open(dir)).rejects.toMatchObject({ code: 'KEYS_DAMAGED' });
  });
});
