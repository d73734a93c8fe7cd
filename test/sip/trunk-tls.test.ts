import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { ConnectionOptions } from 'node:tls';
import type { SipApplicationOptions } from '../../src/sip/application.ts';
import type { SipRequest } from '../../src/sip/drachtio.ts';
import { checkTls, type TrunkTls } from '../../src/sip/trunk-tls.ts';
import { CertificateMill, type IssuedCertificate } from '../support/certificates.ts';
import { openBench, type Bench } from './bench.ts';
import type { Protocol } from './peer.ts';

const FINGERPRINT = 'AB:CD'.padEnd(95, ':EF');
const OTHER = FINGERPRINT.replace('AB', '00');

function requestOver(protocol: string, shown?: string): SipRequest {
  const get = (name: string): string | undefined =>
    name === 'X-Sealtape-Peer-Certificate' ? shown : undefined;
  return { protocol, get } as unknown as SipRequest;
}

describe('what a trunk demands of TLS (SIG-2, SIG-3)', () => {
  const verified = `${FINGERPRINT};verified=yes;subject="CN=x";san="DNS:SBC.example, URI:sip:bank.example, URI:sip:eve@evil.example, IP Address:192.0.2.1"`;
  const unverified = verified.replace('=yes', '=no');

  test.each<[TrunkTls | undefined, string, string | undefined, string | undefined]>([
    [undefined, 'udp', undefined, undefined],
    [{}, 'udp', undefined, undefined],
    [{ required: false }, 'tcp', undefined, undefined],
    [{ required: true }, 'udp', undefined, 'needs TLS'],
    [{ required: true }, 'tcp', verified, 'needs TLS'],
    [{ required: true }, 'tls', undefined, undefined],
    [{ clientCa: 'required' }, 'tcp', verified, 'needs TLS'],
    [{ clientCa: 'required' }, 'tls', undefined, 'no client certificate'],
    [{ clientCa: 'required' }, 'tls', 'rubbish;verified=yes', 'no client certificate'],
    [{ clientCa: 'required' }, 'tls', unverified, 'no authority of ours'],
    [{ clientCa: 'required' }, 'tls', verified, undefined],
    [{ fingerprints: [OTHER, FINGERPRINT] }, 'tls', unverified, undefined],
    [{ fingerprints: [FINGERPRINT.toLowerCase().replaceAll(':', '')] }, 'tls', verified, undefined],
    [{ fingerprints: [OTHER] }, 'tls', verified, 'not one of this trunk'],
    [{ fingerprints: [FINGERPRINT], clientCa: 'required' }, 'tls', unverified, 'no authority of ours'],
    [{ names: ['sbc.example'] }, 'tls', verified, undefined],
    [{ names: ['sbc.example'] }, 'tls', unverified, 'no authority of ours'],
    [{ names: ['Bank.Example'] }, 'tls', verified, undefined],
    [{ names: ['192.0.2.1'] }, 'tls', verified, undefined],
    [{ names: ['evil.example'] }, 'tls', verified, 'none of the names'],
    [{ names: ['x'] }, 'tls', verified, 'none of the names'],
    [{ names: ['sbc.example'], fingerprints: [OTHER] }, 'tls', verified, 'not one of this trunk'],
  ])('%j over %s with %s: %s', (tls, protocol, shown, refused) => {
    const refusal = checkTls(requestOver(protocol, shown), tls, true);
    if (refused === undefined) expect(refusal).toBeUndefined();
    else expect(refusal).toMatchObject({ status: 403, detail: expect.stringContaining(refused) });
  });

  test('no certificate is believed behind another SIP server, which passes on what clients write', () => {
    const refusal = checkTls(requestOver('tls', verified), { clientCa: 'required' }, false);
    expect(refusal).toMatchObject({ status: 403, detail: 'no client certificate' });
  });
});

describe('a trunk with TLS', () => {
  let mill: CertificateMill;
  let authority: IssuedCertificate;
  let ours: IssuedCertificate;
  let bench: Bench;

  beforeAll(() => {
    mill = new CertificateMill();
    authority = mill.authority('Bank CA');
    ours = mill.issue('recorder.example', { by: authority });
  });

  afterEach(async () => {
    await bench.close();
  });

  afterAll(() => {
    mill.remove();
  });

  async function open(tls: TrunkTls, options: Partial<SipApplicationOptions> = {}): Promise<void> {
    bench = await openBench(
      {
        embeddedServer: true,
        trunks: [{ name: 'bank', from: ['127.0.0.0/8'], mode: 'compat', tls }],
        ...options,
      },
      {
        listen: ['tls://127.0.0.1:0', 'udp://127.0.0.1:0'],
        tls: { certificate: ours.certificate, key: ours.key, ca: authority.certificate },
      },
    );
  }

  const certificateOf = (issuer: IssuedCertificate | undefined): ConnectionOptions => {
    const issued = mill.issue('sbc.example', issuer === undefined ? {} : { by: issuer });
    return { cert: issued.cert, key: issued.privateKey };
  };

  test('records who shows a certificate of our authorities', async () => {
    await open({ clientCa: 'required', names: ['sbc.example'] });
    const client = await bench.client('tls', certificateOf(authority));
    const answer = await client.invite();
    expect(answer.status).toBe(200);
    expect(answer.headers.get('contact')).toMatch(/^<sip:srs@127\.0\.0\.1:\d+;transport=tls>;\+sip\.srs$/);
    expect(bench.recorder.calls[0]?.offered.facts).toMatchObject({ trunk: 'bank', transport: 'tls' });
    expect((await client.bye()).status).toBe(200);
  });

  test.each<[string, TrunkTls, Protocol, () => ConnectionOptions]>([
    ['this trunk needs TLS', { required: true }, 'udp', () => ({})],
    ['no client certificate', { clientCa: 'required' }, 'tls', () => ({})],
    ['no authority of ours', { clientCa: 'required' }, 'tls', () => certificateOf(undefined)],
  ])('refuses INVITE and OPTIONS with 403 and says: %s', async (why, tls, protocol, shown) => {
    await open(tls);
    const client = await bench.client(protocol, shown());
    expect((await client.request('OPTIONS')).status).toBe(403);
    expect((await client.invite()).status).toBe(403);
    expect(bench.recorder.refusals).toEqual([
      expect.objectContaining({ reason: '403', detail: expect.stringContaining(why), trunk: 'bank' }),
    ]);
  });

  test('asks nobody for a password on a way that is forbidden', async () => {
    const digest = { realm: 'x', algorithm: 'MD5', users: [{ name: 'a', password: 'b' }] } as const;
    const trunk = {
      name: 'bank',
      from: ['127.0.0.0/8'],
      mode: 'compat',
      tls: { required: true },
      digest,
    } as const;
    await open({}, { trunks: [trunk] });
    expect((await (await bench.client('udp')).invite()).status).toBe(403);
    expect((await (await bench.client('tls')).invite()).status).toBe(401);
  });
});
