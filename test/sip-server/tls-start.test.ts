import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { TlsSettings } from '../../src/sip-server/tls-files.ts';
import { CertificateMill, type IssuedCertificate } from '../support/certificates.ts';
import { startTestServer } from './test-server.ts';

let mill: CertificateMill;
let authority: IssuedCertificate;
let ours: IssuedCertificate;

beforeAll(() => {
  mill = new CertificateMill();
  authority = mill.authority('Bank CA');
  ours = mill.issue('recorder.example', { by: authority });
});

afterAll(() => {
  mill.remove();
});

const tls = (more: Partial<TlsSettings> = {}): TlsSettings => ({
  certificate: ours.certificate,
  key: ours.key,
  ...more,
});

describe('a server that cannot speak TLS does not start', () => {
  const broken = (text: string): string => {
    const path = join(mill.folder, 'broken.pem');
    writeFileSync(path, text);
    return path;
  };

  test.each([
    ['without certificate and key', () => undefined, 'certificate and a key'],
    ['without the file', () => tls({ certificate: '/nowhere/cert.pem' }), 'cannot read /nowhere/cert.pem'],
    [
      'with a file that holds no certificate',
      () => tls({ certificate: ours.key }),
      'holds no PEM certificate',
    ],
    [
      'with a damaged certificate',
      () => tls({ certificate: broken(ours.cert.replace(/\n.{20}/, '\nAAAA')) }),
      'broken.pem: ',
    ],
    ['with the key of another', () => tls({ key: authority.key }), 'key values mismatch'],
    ['with authorities that hold none', () => tls({ ca: broken('') }), 'holds no PEM certificate'],
  ])('%s', async (_name, settings, text) => {
    const given = settings();
    const starting = startTestServer({
      listen: ['tls://127.0.0.1:0'],
      ...(given === undefined ? {} : { tls: given }),
    });
    await expect(starting).rejects.toMatchObject({ code: 'BAD_TLS', message: expect.stringContaining(text) });
  });
});
