import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { NodeKeys, resetKeys } from '../../src/store/node-keys.ts';
import { compileProgram, type CompiledProgram } from '../support/compiled-program.ts';

const run = promisify(execFile);
let program: CompiledProgram;
let work: string;
let made: string;

beforeAll(async () => {
  program = await compileProgram('src/store/certificate-process.ts');
  work = await mkdtemp(join(tmpdir(), 'node-keys-'));
  made = join(work, 'made');
  await open(made);
});

afterAll(async () => {
  await program.remove();
  await rm(work, { recursive: true });
});

const open = (dir: string): Promise<NodeKeys> =>
  NodeKeys.open(dir, { subject: 'Sealtape test', certificateEntry: program.path, passphrase: 'secret' });

async function copied(name: string): Promise<string> {
  const dir = join(work, name);
  await cp(made, dir, { recursive: true });
  return dir;
}

test("openssl as the customer's authority signs our request, and we take up what it made with its chain", async () => {
  const dir = await copied('csr');
  const keys = await open(dir);
  const at = (name: string): string => join(work, `ca-${name}`);
  await writeFile(at('request.pem'), await keys.request('Bank recorder 1'));
  const { stdout } = await run('openssl', [
    'req',
    '-in',
    at('request.pem'),
    '-verify',
    '-noout',
    '-subject',
    '-text',
  ]);
  expect(stdout).toMatch(/CN ?= ?Bank recorder 1/);
  expect(stdout).toMatch(/Digital Signature, Non Repudiation/);
  await run('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '3', '-subj', '/CN=House CA'],
    ...['-keyout', at('key.pem'), '-out', at('ca.pem')],
  ]);
  await run('openssl', [
    ...['x509', '-req', '-in', at('request.pem'), '-CA', at('ca.pem'), '-CAkey', at('key.pem')],
    ...['-CAcreateserial', '-days', '2', '-out', at('cert.pem')],
  ]);
  const own = await readFile(at('cert.pem'), 'utf8');
  const ca = await readFile(at('ca.pem'), 'utf8');
  const before = keys.signer.certificatePem;
  const now = Date.now();
  await expect(keys.adoptCertificate(own, now)).rejects.toMatchObject({
    message: /issuer is missing.*House CA/,
  });
  await expect(keys.adoptCertificate(ca, now)).rejects.toMatchObject({ message: /of the key in use/ });
  await expect(keys.adoptCertificate(own + ca, now + 9 * 86_400_000)).rejects.toMatchObject({
    code: 'INVALID',
  });
  await keys.adoptCertificate(ca + own, now);
  const again = await open(dir);
  for (const { signer } of [keys, again]) {
    expect(new X509Certificate(signer.certificatePem).subject).toBe('CN=Bank recorder 1');
    expect(signer.certificates).toContain(before);
    expect(signer.issuers).toEqual([ca]);
  }
  await writeFile(at('adopted.pem'), again.signer.certificatePem);
  await run('openssl', ['verify', '-CAfile', at('ca.pem'), at('adopted.pem')]);
});

test('openssl opens the PKCS#12 copy with its password, and a PKCS#12 of openssl becomes the next key', async () => {
  const keys = await open(await copied('p12'));
  const ours = join(work, 'ours.p12');
  await writeFile(ours, await keys.pack('a password'));
  const opened = await run('openssl', ['pkcs12', '-in', ours, '-passin', 'pass:a password', '-nodes']);
  expect(opened.stdout).toContain('-----BEGIN PRIVATE KEY-----');
  expect(opened.stdout).toContain(keys.signer.certificatePem.trim());
  await expect(
    run('openssl', ['pkcs12', '-in', ours, '-passin', 'pass:another', '-nodes']),
  ).rejects.toMatchObject({ code: 1 });
  const key = join(work, 'their-key.pem');
  const certificate = join(work, 'their-cert.pem');
  const theirs = join(work, 'theirs.p12');
  await run('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:3072', '-nodes', '-days', '2', '-subj', '/CN=From outside'],
    ...['-keyout', key, '-out', certificate],
  ]);
  await run('openssl', [
    ...['pkcs12', '-export', '-inkey', key, '-in', certificate, '-passout', 'pass:theirs', '-out', theirs],
  ]);
  const bytes = await readFile(theirs);
  await expect(keys.prepareSuccessor({ bytes, password: 'wrong' })).rejects.toMatchObject({
    code: 'KEYS_NOT_MADE',
  });
  await keys.prepareSuccessor({ bytes, password: 'theirs' });
  expect(keys.signer.successor?.certificatePem).toBe(await readFile(certificate, 'utf8'));
  await expect(keys.prepareSuccessor({ bytes, password: 'theirs' })).rejects.toMatchObject({
    code: 'CONFLICT',
  });
});

test('a roll destroys the old key and keeps its certificate; one that was not taken up waits', async () => {
  const dir = await copied('roll');
  const keys = await open(dir);
  const { key: old, certificatePem: oldPem } = keys.signer;
  await keys.prepareSuccessor();
  await keys.finishRoll();
  const waiting = await open(dir);
  expect(waiting.signer.key).toBe(old);
  const next = waiting.signer.successor;
  if (next === undefined) throw new Error('the successor is gone');
  waiting.signer.replace(next);
  await waiting.finishRoll();
  expect((await readdir(dir)).sort()).toEqual(['current', 'former']);
  const { signer } = await open(dir);
  expect(signer.key).toBe(next.key);
  expect(signer.certificates).toEqual([oldPem, next.certificatePem]);
});

test('keys that are given up are put aside, and new ones begin', async () => {
  const dir = await copied('reset');
  const before = (await open(dir)).signer.key;
  await resetKeys(dir, join(work, 'no-evidence'));
  const keys = await open(dir);
  expect(keys.created).toBe(true);
  expect(keys.signer.key).not.toBe(before);
  expect(await keys.isReset()).toBe(true);
  expect((await readdir(dir)).filter((name) => name.startsWith('lost-current-'))).toHaveLength(1);
  await keys.endReset();
  expect(await keys.isReset()).toBe(false);
});
