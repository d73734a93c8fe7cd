import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parseListenAddress } from '../../src/sip-server/listen-address.ts';
import type { TlsSettings } from '../../src/sip-server/tls-files.ts';
import { CertificateMill, type IssuedCertificate } from '../support/certificates.ts';
import { newCall, TlsPeer } from './raw-peer.ts';
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

test.each([
  ['udp://127.0.0.1', 5060],
  ['tcp://[::1]', 5060],
  ['tls://127.0.0.1', 5061],
  ['tls://[::1]:5071', 5071],
])('%s means port %i', (entry, port) => {
  expect(parseListenAddress(entry).port).toBe(port);
});

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'a %s session is not resumed: a peer is judged anew on every connection',
  async (maxVersion) => {
    const site = await startTestServer({ listen: ['tls://127.0.0.1:0'], tls: tls() });
    await site.application(() => undefined);
    const [at] = site.server.addresses;
    if (at === undefined) throw new Error('not listening');
    const first = await TlsPeer.connect(at, { maxVersion });
    // A ticket would come after the handshake, before the first answer.
    first.request('OPTIONS', newCall());
    await first.next(/^SIP\/2\.0 503 /);
    const session = first.socket.getSession();
    const again = await TlsPeer.connect(at, { maxVersion, ...(session && { session }) });
    expect(again.socket.isSessionReused()).toBe(false);
    first.close();
    again.close();
    await site.close();
  },
);
