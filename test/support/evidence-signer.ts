import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSigner, type Signer } from '../../src/evidence/signature.ts';

/** A signer with a fresh RSA-3072 key and a certificate for so many days, made by openssl. */
export function freshSigner(days = 2): Signer {
  const { privateKeyPem, certificatePem } = freshPair(days);
  return createSigner(privateKeyPem, certificatePem);
}

/** The same in PEM; the key is not encrypted. */
export function freshPair(days = 2): { readonly privateKeyPem: string; readonly certificatePem: string } {
  const folder = mkdtempSync(join(tmpdir(), 'sealtape-signer-'));
  try {
    const key = join(folder, 'key.pem');
    const certificate = join(folder, 'cert.pem');
    const made = spawnSync('openssl', [
      ...[
        'req',
        '-x509',
        '-newkey',
        'rsa:3072',
        '-nodes',
        '-days',
        String(days),
        '-subj',
        '/CN=Test',
        '-sha256',
      ],
      ...['-keyout', key, '-out', certificate],
    ]);
    if (made.status !== 0) throw new Error(made.stderr.toString());
    return { privateKeyPem: readFileSync(key, 'utf8'), certificatePem: readFileSync(certificate, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
