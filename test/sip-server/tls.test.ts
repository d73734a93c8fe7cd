import { spawn } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createServer, type ConnectionOptions, type Server } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type Srf from 'drachtio-srf';
import type { SipServerLimits } from '../../src/sip-server/limits.ts';
import type { TlsSettings } from '../../src/sip-server/tls-files.ts';
import { CertificateMill, type IssuedCertificate } from '../support/certificates.ts';
import { headerOf, newCall, TlsPeer, type RawPeer } from './raw-peer.ts';
import { SDP, startTestServer, until, type TestServer } from './test-server.ts';

let mill: CertificateMill;
let authority: IssuedCertificate;
let ours: IssuedCertificate;
let site: TestServer;
let srf: Srf;
let dialogs: Srf.Dialog[];
const peers: TlsPeer[] = [];
/** X-Sealtape-Peer-Certificate of every OPTIONS, as the application saw it. */
let shown: (string | undefined)[];

const tls = (more: Partial<TlsSettings> = {}): TlsSettings => ({
  certificate: ours.certificate,
  key: ours.key,
  ca: authority.certificate,
  ...more,
});

async function start(settings: TlsSettings = tls(), limits: Partial<SipServerLimits> = {}): Promise<void> {
  site = await startTestServer({
    listen: ['tls://127.0.0.1:0', 'tls://[::1]:0', 'tcp://127.0.0.1:0', 'udp://127.0.0.1:0'],
    tls: settings,
    limits,
  });
  shown = [];
  dialogs = [];
  srf = await site.application((application) => {
    application.use('options', (req, res) => {
      shown.push(req.get('X-Sealtape-Peer-Certificate'));
      res.send(200, { headers: { 'X-Protocol': req.protocol } });
    });
    application.invite((req, res) => {
      application.createUAS(req, res, { localSdp: SDP }, (error, dialog) => {
        if (error === null) dialogs.push(dialog);
      });
    });
  });
}

function at(family: 4 | 6): { address: string; port: number } {
  const found = site.server.addresses.find(
    ({ protocol, address }) => protocol === 'tls' && address.includes(':') === (family === 6),
  );
  if (found === undefined) throw new Error('not listening on TLS');
  return found;
}

async function open(options: ConnectionOptions = {}, family: 4 | 6 = 4): Promise<TlsPeer> {
  const peer = await TlsPeer.connect(at(family), options);
  peers.push(peer);
  return peer;
}

async function ask(peer: RawPeer, headers: string[] = []): Promise<string> {
  const call = newCall();
  peer.request('OPTIONS', call, { headers });
  return peer.next(new RegExp(`^SIP/2\\.0 200 [\\s\\S]*Call-ID: ${call.callId}\\r`));
}

const shownBy = (certificate: IssuedCertificate): ConnectionOptions => ({
  cert: certificate.cert,
  key: certificate.privateKey,
});

beforeAll(() => {
  mill = new CertificateMill();
  authority = mill.authority('Bank CA');
  ours = mill.issue('recorder.example', { by: authority });
});

afterEach(async () => {
  for (const peer of peers.splice(0)) peer.close();
  await site.close();
});

afterAll(() => {
  mill.remove();
});

describe('SIP over TLS (SIG-2)', () => {
  test.each([
    ['TLSv1.2', 4],
    ['TLSv1.3', 4],
    ['TLSv1.3', 6],
  ] as const)('a call over %s on IPv%i', async (version, family) => {
    await start();
    const peer = await open({ minVersion: version, maxVersion: version }, family);
    expect(peer.socket.getProtocol()).toBe(version);
    const call = newCall();
    const ok = await peer.setUp(call, { body: SDP });
    const host = family === 6 ? '[::1]' : '127.0.0.1';
    expect(headerOf(ok, 'Contact')).toBe(`<sip:${host}:${at(family).port};transport=tls>`);
    expect(headerOf(ok, 'Via')).toMatch(/^SIP\/2\.0\/TLS /);
    await peer.hangUp(call);
    expect(headerOf(await ask(peer), 'X-Protocol')).toBe('tls');
    expect(site.server.counters()).toMatchObject({ dialogs: 0, connections: 1, handshakes: 0 });
  });

  test('our BYE goes back on the connection, with TLS in its Via', async () => {
    await start();
    const peer = await open();
    await peer.setUp(newCall(), { body: SDP });
    await until(() => dialogs.length > 0);
    const ended = (dialogs[0] as unknown as { destroy(): Promise<unknown> }).destroy();
    const bye = await peer.next(/^BYE /);
    expect(headerOf(bye, 'Via')).toMatch(/^SIP\/2\.0\/TLS /);
    peer.answer(bye, '200 OK');
    await ended;
    expect(site.server.counters()).toMatchObject({ dialogs: 0, connections: 1 });
  });

  test.each([
    ['TLS 1.1', {}, 'TLSv1.1'],
    ['TLS 1.2 where 1.3 is asked for', { minVersion: 'TLSv1.3' }, 'TLSv1.2'],
  ] as const)('%s is refused', async (_name, settings, maxVersion) => {
    await start(tls(settings));
    const old = open({ minVersion: 'TLSv1', maxVersion, ciphers: 'DEFAULT@SECLEVEL=0' });
    await expect(old).rejects.toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
    await until(() => site.server.counters().failedHandshakes === 1);
    expect(site.server.counters()).toMatchObject({ connections: 0, handshakes: 0 });
  });

  test('several messages in one segment and one octet by octet are framed as on TCP', async () => {
    await start();
    const peer = await open();
    const calls = [newCall(), newCall(), newCall()];
    peer.send(calls.map((call) => peer.compose('OPTIONS', call, { body: SDP })).join(''));
    for (const { callId } of calls)
      await peer.next(new RegExp(`^SIP/2\\.0 200 [\\s\\S]*Call-ID: ${callId}\\r`));
    const late = newCall();
    for (const octet of peer.compose('OPTIONS', late)) peer.send(octet);
    await peer.next(new RegExp(`^SIP/2\\.0 200 [\\s\\S]*Call-ID: ${late.callId}\\r`));
    peer.send('\r\n\r\n');
    await peer.until(() => peer.stray === '\r\n');
  });

  test('openssl s_client is a peer like any other', async () => {
    await start();
    const { address, port } = at(4);
    const child = spawn(
      'openssl',
      ['s_client', '-connect', `${address}:${port}`, '-quiet', '-verify_quiet'],
      {
        stdio: ['pipe', 'pipe', 'ignore'],
      },
    );
    let heard = '';
    const answered = new Promise<void>((resolve) => {
      child.stdout.on('data', (chunk: Buffer) => {
        heard += chunk.toString('latin1');
        if (heard.includes('\r\n\r\n')) resolve();
      });
    });
    child.stdin.write(
      [
        'OPTIONS sip:srs@recorder.example SIP/2.0',
        'Via: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bKopenssl',
        'From: <sip:openssl@peer.example>;tag=1',
        'To: <sip:srs@recorder.example>',
        'Call-ID: openssl@peer.example',
        'CSeq: 1 OPTIONS',
        'Content-Length: 0',
        '',
        '',
      ].join('\r\n'),
    );
    await answered;
    child.kill();
    expect(heard).toMatch(/^SIP\/2\.0 200 OK\r\n/);
  });
});

describe('the certificate of a peer (SIG-3)', () => {
  test('of our authority is handed over as verified, with its names', async () => {
    await start();
    const sbc = mill.issue('sbc.example', {
      by: authority,
      altNames: ['DNS:sbc.example', 'URI:sip:sbc.example'],
    });
    await ask(await open(shownBy(sbc)));
    expect(shown).toEqual([
      `${sbc.fingerprint};verified=yes;subject="O=Bank, CN=sbc.example";san="DNS:sbc.example, URI:sip:sbc.example"`,
    ]);
  });

  test.each([
    ['of another authority', () => mill.issue('sbc.example', { by: mill.authority('Other CA') })],
    ['that is self-signed', () => mill.issue('sbc.example')],
    ['that has expired', () => mill.issue('sbc.example', { by: authority, days: -1 })],
  ])('%s is handed over as not verified', async (_name, make) => {
    await start();
    const certificate = make();
    await ask(await open(shownBy(certificate)));
    expect(shown).toEqual([expect.stringMatching(new RegExp(`^${certificate.fingerprint};verified=no;`))]);
  });

  test('is never verified without authorities of ours', async () => {
    const { certificate, key } = ours;
    await start({ certificate, key });
    await ask(await open(shownBy(mill.issue('sbc.example', { by: authority }))));
    expect(shown).toEqual([expect.stringContaining(';verified=no;')]);
  });

  test('cannot break out of its header or list more names than it has', async () => {
    await start();
    const sly = mill.issue('sly', {
      by: authority,
      subject: '/O=Bänk "x";verified=yes/CN=sly',
      altNames: ['DNS:sly.example', 'URI:sip:a, DNS:bank.example, DNS:b'],
    });
    await ask(await open(shownBy(sly)));
    const [header = ''] = shown;
    expect(header.match(/"/g)).toHaveLength(4);
    expect(header).toMatch(/;subject="O=Bänk '+x'+;verified=yes, CN=sly";san="DNS:sly\.example"$/);
  });

  test('is not known of a peer that shows none', async () => {
    await start();
    await ask(await open());
    expect(shown).toEqual([undefined]);
  });

  test.each([
    'X-Sealtape-Peer-Certificate: AA;verified=yes',
    'x-sealtape-peer-certificate : AA;verified=yes',
    '%58-Sealtape-Peer-Certificate: AA;verified=yes',
    '%u0058-sealtape-peer-certificate: AA;verified=yes',
    'Subject: x\r\n\tX-Sealtape-Peer-Certificate: AA',
  ])('cannot be claimed by a header: %j', async (claim) => {
    await start();
    for (const peer of [await open(), await site.open('tcp'), await site.open('udp')])
      await ask(peer, [claim]);
    expect(shown).toEqual([undefined, undefined, undefined]);
  });
});

describe('certificate files', () => {
  const copy = (from: IssuedCertificate, to: TlsSettings): void => {
    copyFileSync(from.certificate, to.certificate);
    copyFileSync(from.key, to.key);
  };
  const replaceable = (): TlsSettings => {
    const settings = tls({
      certificate: join(mill.folder, 'live.pem'),
      key: join(mill.folder, 'live.key'),
      lookEvery: 20,
    });
    copy(ours, settings);
    return settings;
  };
  const serverShows = async (): Promise<string | undefined> =>
    (await open()).socket.getPeerX509Certificate()?.fingerprint256;

  test('are taken up when they change, while connections and their calls stay', async () => {
    const settings = replaceable();
    await start(settings);
    const before = await open();
    const call = newCall();
    await before.setUp(call, { body: SDP });
    const renewed = mill.issue('renewed.example', { by: authority });
    copy(renewed, settings);
    await until(() => site.logged.some(({ message }) => message.includes('read again')));
    expect(await serverShows()).toBe(renewed.fingerprint);
    await before.hangUp(call);
  });

  test('that cannot be used are logged once, the old ones stay, and better ones are taken', async () => {
    const settings = replaceable();
    await start(settings);
    const complaints = (): number => site.logged.filter(({ level }) => level === 'error').length;
    writeFileSync(settings.certificate, 'nonsense');
    await until(() => complaints() === 1);
    expect(await serverShows()).toBe(ours.fingerprint);
    const renewed = mill.issue('corrected.example', { by: authority });
    copyFileSync(renewed.certificate, settings.certificate);
    await until(() => complaints() === 2); // key and certificate do not belong together yet
    expect(await serverShows()).toBe(ours.fingerprint);
    copyFileSync(renewed.key, settings.key);
    await until(() => site.logged.some(({ message }) => message.includes('read again')));
    expect(await serverShows()).toBe(renewed.fingerprint);
    expect(complaints()).toBe(2);
  });
});

describe('TLS limits', () => {
  test('a handshake that takes too long is ended', async () => {
    await start(tls(), { handshakeSeconds: 0.1 });
    const { address, port } = at(4);
    const silent = connect(port, address);
    await new Promise((resolve) =>
      silent
        .once('close', resolve)
        .once('error', () => undefined)
        .resume(),
    );
    await until(() => site.server.counters().handshakes === 0);
    expect(site.server.counters().failedHandshakes).toBe(1);
  });

  test('handshakes beyond the number allowed at once are refused, and allowed again', async () => {
    await start(tls(), { handshakes: 1 });
    const { address, port } = at(4);
    const silent = connect(port, address);
    await until(() => site.server.counters().handshakes === 1);
    await expect(open()).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(site.server.counters().refusedConnections).toBe(1);
    silent.destroy();
    await until(() => site.server.counters().handshakes === 0);
    await ask(await open());
  });

  test('plain SIP on the TLS port costs a failed handshake and nothing else', async () => {
    await start();
    const { address, port } = at(4);
    const plain = connect(port, address, () => plain.write('OPTIONS sip:x SIP/2.0\r\n\r\n'));
    await new Promise((resolve) =>
      plain
        .once('close', resolve)
        .once('error', () => undefined)
        .resume(),
    );
    await ask(await open());
    expect(site.server.counters().failedHandshakes).toBe(1);
    expect(site.logged.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('connections of TCP and TLS count together', async () => {
    await start(tls(), { connectionsPerAddress: 2 });
    const first = await site.open('tcp');
    await ask(first);
    await ask(await open());
    await expect(open()).rejects.toMatchObject({ code: 'ECONNRESET' });
    first.close();
    await until(() => site.server.counters().connections === 1);
    await ask(await open());
  });
});

describe('requests of ours over TLS', () => {
  let listener: Server;

  afterEach(() => {
    listener.close();
  });

  /** A TLS server that answers OPTIONS; resolves with its port and what certificate it is shown. */
  async function listen(certificate: IssuedCertificate): Promise<{ port: number; shown: Promise<string> }> {
    listener = createServer({
      cert: certificate.cert,
      key: certificate.privateKey,
      ca: authority.cert,
      requestCert: true,
      rejectUnauthorized: false,
    });
    const seen = new Promise<string>((resolve) => {
      listener.on('secureConnection', (socket) => {
        resolve(socket.getPeerX509Certificate()?.fingerprint256 ?? 'none');
        socket.on('error', () => undefined);
        socket.on('data', (request: Buffer) => {
          const kept = request
            .toString('latin1')
            .split('\r\n')
            .filter((line) => /^(Via|From|To|Call-ID|CSeq):/.test(line));
          socket.write(['SIP/2.0 200 OK', ...kept, 'Content-Length: 0', '', ''].join('\r\n'));
        });
      });
    });
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const bound = listener.address();
    return { port: typeof bound === 'object' && bound !== null ? bound.port : 0, shown: seen };
  }

  // The types of drachtio-srf ask for a whole SrfRequest where the code takes these options.
  const statusOf = async (uri: string): Promise<number> => {
    const sender = srf as unknown as {
      request(to: string, options: { method: string }): Promise<Srf.SrfRequest>;
    };
    const request = await sender.request(uri, { method: 'OPTIONS' });
    return new Promise((resolve) => {
      request.on('response', (response) => {
        resolve(response?.status ?? 0);
      });
    });
  };

  test.each(['sip:peer@127.0.0.1:PORT;transport=tls', 'sips:peer@127.0.0.1:PORT'])(
    'go to %s with our certificate',
    async (uri) => {
      await start();
      const peer = await listen(mill.issue('peer.example', { by: authority }));
      expect(await statusOf(uri.replace('PORT', String(peer.port)))).toBe(200);
      expect(await peer.shown).toBe(ours.fingerprint);
    },
  );

  test('are not sent to a peer of another authority: 503', async () => {
    await start();
    const { port } = await listen(mill.issue('stranger.example'));
    expect(await statusOf(`sip:peer@127.0.0.1:${port};transport=tls`)).toBe(503);
  });
});
