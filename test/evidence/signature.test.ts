import { beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { createPublicKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { certificatePath } from '../../src/evidence/layout.ts';
import {
  certificateFingerprint,
  createSigner,
  spkiFingerprint,
  verifySignature,
} from '../../src/evidence/signature.ts';
import { makeKey, makeSigner, type TestKey } from '../support/evidence-archive.ts';

let key: TestKey;

beforeAll(() => {
  key = makeSigner();
});

describe('a signature', () => {
  const bytes = Buffer.from('what is signed');

  test('is the same every time and fits only its bytes and its key', async () => {
    const signature = await key.signer.sign(bytes);
    const publicKey = createPublicKey(key.certificatePem);
    expect((await key.signer.sign(bytes)).equals(signature)).toBe(true);
    expect(verifySignature(publicKey, bytes, signature)).toBe(true);
    expect(verifySignature(publicKey, Buffer.from('something else'), signature)).toBe(false);
    expect(verifySignature(publicKey, bytes, signature.subarray(1))).toBe(false);
    expect(verifySignature(createPublicKey(makeSigner().certificatePem), bytes, signature)).toBe(false);
  });

  test('is verified by openssl', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sealtape-sign-'));
    const [pub, sig, file] = ['pub.pem', 'x.sig', 'x.txt'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(
      pub,
      new X509Certificate(key.certificatePem).publicKey.export({ type: 'spki', format: 'pem' }),
    );
    writeFileSync(sig, await key.signer.sign(bytes));
    writeFileSync(file, bytes);
    const said = execFileSync('openssl', ['dgst', '-sha256', '-verify', pub, '-signature', sig, file], {
      encoding: 'latin1',
    });
    rmSync(folder, { recursive: true });
    expect(said).toContain('Verified OK');
  });

  test('of a key too weak counts as none, and no signer is made of it', () => {
    const weak = makeKey(2048);
    expect(() => createSigner(weak.privateKeyPem, weak.certificatePem)).toThrow(/BAD_KEY.*3072/);
  });
});

test('a signer names its key as the certificate has it, and openssl the same fingerprint', () => {
  const certificate = new X509Certificate(key.certificatePem);
  expect(key.signer.key).toBe(spkiFingerprint(certificate.publicKey));
  expect(certificateFingerprint(key.certificatePem)).toBe(
    certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
  );
  expect(certificatePath('bank.example/siprec/fra1/rec01/e1', key.certificatePem)).toMatch(
    /\/cert-[0-9a-f]{16}\.pem$/,
  );
});

test('a certificate of another key, or none at all, is refused', () => {
  const other = makeSigner();
  expect(() => createSigner(key.privateKeyPem, other.certificatePem)).toThrow(/BAD_KEY/);
  expect(() => createSigner(key.privateKeyPem, 'no certificate')).toThrow(/BAD_KEY/);
  expect(() => createSigner('no key', key.certificatePem)).toThrow(/BAD_KEY/);
});
