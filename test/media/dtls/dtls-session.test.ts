import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { spawn, type ChildProcess } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { DtlsEndpoint } from '../../../src/media/dtls/dtls-endpoint.ts';
import { makeDtlsIdentity, type DtlsIdentity } from '../../../src/media/dtls/dtls-identity.ts';
import { dtlsObstacle } from '../../../src/media/dtls/dtls-library.ts';
import {
  clientHelloName,
  DATAGRAM_BYTES,
  packetKind,
  toDatagrams,
} from '../../../src/media/dtls/dtls-records.ts';
import { DtlsSession, type AgreedKeys } from '../../../src/media/dtls/dtls-session.ts';
import { isAnnounced } from '../../../src/media/dtls/fingerprint.ts';
import { suiteOf, type SuiteName } from '../../../src/media/srtp/suites.ts';
import { CertificateMill } from '../../support/certificates.ts';
import { eventually } from '../../support/recorder-process.ts';

const HERE = '192.0.2.1:4000';

let ours: DtlsIdentity;
let others: DtlsIdentity;
let mill: CertificateMill;

beforeAll(async () => {
  ours = await makeDtlsIdentity(Date.now());
  others = await makeDtlsIdentity(Date.now());
  mill = new CertificateMill();
});

afterAll(() => {
  mill.remove();
});

/** The block that both ends export (RFC 5764 §4.2): client key, server key, client salt, server salt. */
function exported({ theirs, own }: AgreedKeys, role: 'active' | 'passive'): string {
  const [client, server] = role === 'active' ? [own, theirs] : [theirs, own];
  const { keyBytes } = suiteOf(client.suite);
  const parts = [client, server].map(({ masters }) => Buffer.from(masters[0]?.bytes ?? []));
  return Buffer.concat([
    ...parts.map((part) => part.subarray(0, keyBytes)),
    ...parts.map((part) => part.subarray(keyBytes)),
  ]).toString('hex');
}

interface Ends {
  readonly client: DtlsSession;
  readonly server: DtlsSession | undefined;
}

/** Passes datagrams between two ends of ours until nobody says anything more. `lose` drops one on its way. */
function converse(
  from: DtlsEndpoint,
  to: DtlsEndpoint,
  lose: (datagram: Buffer) => boolean = () => false,
): Ends {
  const client = from.connect();
  let server: DtlsSession | undefined;
  const arriving = (datagrams: readonly Buffer[]): Buffer[] =>
    datagrams.filter((datagram) => !lose(datagram));
  const hear = (datagram: Buffer): readonly Buffer[] => {
    if (server !== undefined) {
      server.take(datagram);
      return server.outgoing();
    }
    const heard = to.listen(datagram, HERE);
    if (!(heard instanceof DtlsSession)) return heard;
    server = heard;
    return server.outgoing();
  };
  for (let toServer = arriving(client.outgoing()); toServer.length > 0;) {
    for (const datagram of arriving(toServer.flatMap(hear))) client.take(datagram);
    toServer = arriving(client.outgoing());
  }
  return { client, server };
}

describe('two ends of ours', () => {
  test.each([
    ['SRTP_AES128_CM_SHA1_80', 'AES_CM_128_HMAC_SHA1_80'],
    ['SRTP_AES128_CM_SHA1_32', 'AES_CM_128_HMAC_SHA1_32'],
    ['SRTP_AEAD_AES_128_GCM', 'AEAD_AES_128_GCM'],
    ['SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80', 'AEAD_AES_256_GCM'],
  ])('agree on %s and on the same keys, crosswise', (profiles, suite) => {
    const [from, to] = [new DtlsEndpoint(others, profiles), new DtlsEndpoint(ours)];
    const { client, server } = converse(from, to);
    expect([client.state.name, server?.state.name]).toEqual(['established', 'established']);
    const [keys, mirrored] = [client.exportKeys(), server?.exportKeys()];
    expect(keys?.own.suite).toBe(suite);
    expect(mirrored?.theirs).toEqual(keys?.own);
    expect(mirrored?.own).toEqual(keys?.theirs);
    expect(mirrored?.own).not.toEqual(mirrored?.theirs);
    client.destroy();
    server?.destroy();
    client.destroy();
    from.destroy();
    to.destroy();
  });

  test('without a profile in common there are no keys', () => {
    const [from, to] = [
      new DtlsEndpoint(others, 'SRTP_AEAD_AES_128_GCM'),
      new DtlsEndpoint(ours, 'SRTP_AES128_CM_SHA1_80'),
    ];
    const { client, server } = converse(from, to);
    expect(client.exportKeys()).toBeUndefined();
    expect(server?.exportKeys()).toBeUndefined();
  });

  test('a client that does not receive at its address is asked for a cookie and leaves nothing behind', () => {
    const endpoint = new DtlsEndpoint(ours);
    const client = new DtlsEndpoint(others).connect();
    const [hello = Buffer.alloc(0)] = client.outgoing();
    for (let spoofed = 0; spoofed < 200; spoofed += 1) {
      const answer = endpoint.listen(hello, `192.0.2.${spoofed}:9`) as readonly Buffer[];
      // HelloVerifyRequest: shorter than the question, so nobody can be flooded with it.
      expect(answer[0]?.[13]).toBe(3);
      expect(answer[0]?.length).toBeLessThan(hello.length);
    }
    // The cookie of one address is of no use at another.
    for (const datagram of endpoint.listen(hello, '192.0.2.7:9') as readonly Buffer[]) client.take(datagram);
    const [second = Buffer.alloc(0)] = client.outgoing();
    expect(clientHelloName(second)).toBe(clientHelloName(hello));
    expect(Array.isArray(endpoint.listen(second, '192.0.2.8:9'))).toBe(true);
    expect(Array.isArray(endpoint.listen(second, '192.0.2.7:9'))).toBe(false);
  });

  test('noise and altered datagrams neither throw nor disturb', () => {
    const endpoint = new DtlsEndpoint(ours);
    for (let length = 0; length < 300; length += 7) {
      const noise = Buffer.alloc(length, 0x16);
      expect(Array.isArray(endpoint.listen(noise, HERE))).toBe(true);
    }
    const { client, server } = converse(new DtlsEndpoint(others), endpoint);
    const keys = server?.exportKeys();
    server?.take(Buffer.from('16fefd00010000000000010010000102030405060708090a0b0c0d0e0f', 'hex'));
    server?.take(Buffer.alloc(2000, 0x17));
    expect(server?.state.name).toBe('established');
    expect(server?.exportKeys()).toEqual(keys);
    client.close();
    for (const datagram of client.outgoing()) server?.take(datagram);
    expect(server?.exportKeys()).toEqual(keys);
  });

  test('a lost flight is sent again when its time has come', async () => {
    const lost: Buffer[] = [];
    const { client, server } = converse(new DtlsEndpoint(others), new DtlsEndpoint(ours), (datagram) => {
      // The second flight of the server, once.
      const loses = lost.length === 0 && datagram[13] === 2;
      if (loses) lost.push(datagram);
      return loses;
    });
    expect(lost).toHaveLength(1);
    if (server === undefined) throw new Error('no session');
    const exchange = (): void => {
      for (const datagram of server.outgoing()) client.take(datagram);
      for (const datagram of client.outgoing()) server.take(datagram);
    };
    await eventually(() => {
      server.expire();
      client.expire();
      exchange();
      exchange();
      return [client, server].every(({ state }) => state.name === 'established') || undefined;
    }, 20_000);
    expect(client.exportKeys()?.own).toEqual(server.exportKeys()?.theirs);
  });
});

describe('certificate and fingerprint (RFC 8122)', () => {
  test('ours is one that others can read, and valid now', () => {
    const certificate = new X509Certificate(Buffer.from(ours.certificate));
    expect(certificate.fingerprint256).toBe(ours.fingerprint);
    expect(certificate.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(Date.parse(certificate.validFrom)).toBeLessThan(Date.now());
    expect(Date.parse(certificate.validTo)).toBeGreaterThan(Date.now() + 300 * 86_400_000);
    expect(ours.fingerprint).not.toBe(others.fingerprint);
  });

  test('the strongest hash decides; any certificate announced under it will do', () => {
    const der = Buffer.from(ours.certificate);
    const certificate = new X509Certificate(der);
    const sha256 = { hash: 'sha-256', value: ours.fingerprint } as const;
    const sha1 = { hash: 'sha-1', value: certificate.fingerprint } as const;
    const foreign = { hash: 'sha-256', value: others.fingerprint } as const;
    expect(isAnnounced(der, [sha256])).toBe(true);
    expect(isAnnounced(der, [sha1])).toBe(true);
    expect(isAnnounced(der, [{ hash: 'sha-512', value: certificate.fingerprint512 }, foreign])).toBe(true);
    expect(isAnnounced(der, [foreign, sha256])).toBe(true);
    expect(isAnnounced(der, [foreign, sha1])).toBe(false);
    expect(isAnnounced(der, [])).toBe(false);
    expect(isAnnounced(Buffer.alloc(0), [sha256])).toBe(false);
  });
});

test('datagrams are told apart by their first byte (RFC 7983), and flights cut between records', () => {
  expect([0, 3, 4, 19, 20, 63, 64, 127, 128, 191, 192].map(packetKind)).toEqual(
    'stun stun other other dtls dtls other other rtp rtp other'.split(' '),
  );
  const record = Buffer.alloc(13 + 500, 0x16);
  record.writeUInt16BE(500, 11);
  const flight = Buffer.concat([record, record, record]);
  expect(toDatagrams(flight).map(({ length }) => length)).toEqual([1026, 513]);
  expect(toDatagrams(Buffer.alloc(0))).toEqual([]);
  expect(record.length * 2).toBeLessThan(DATAGRAM_BYTES);
  expect(dtlsObstacle()).toBeUndefined();
});

/** A foreign end: a command of openssl, whose words are collected. */
class Foreign {
  readonly #child: ChildProcess;
  #said = '';

  constructor(args: readonly string[]) {
    this.#child = spawn('openssl', args, { stdio: ['pipe', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (text: Buffer) => {
        this.#said += text.toString();
      });
  }

  get said(): string {
    return this.#said;
  }

  /** What it exported, as hex. */
  keys(): string | undefined {
    return /Keying material: ([0-9A-F]+)/.exec(this.#said)?.[1]?.toLowerCase();
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}

const COMMON = (profile: string, bytes: number, files: { certificate: string; key: string }): string[] => [
  '-dtls1_2',
  '-use_srtp',
  profile,
  '-keymatexport',
  'EXTRACTOR-dtls_srtp',
  '-keymatexportlen',
  String(bytes),
  '-cert',
  files.certificate,
  '-key',
  files.key,
];

const FOREIGN: readonly (readonly [string, number, SuiteName])[] = [
  ['SRTP_AES128_CM_SHA1_80', 60, 'AES_CM_128_HMAC_SHA1_80'],
  ['SRTP_AEAD_AES_256_GCM', 88, 'AEAD_AES_256_GCM'],
];

describe('a foreign end (SRTP-6)', () => {
  test.each(FOREIGN)(
    'openssl s_client with %s and we export the same keys',
    async (profile, bytes, suite) => {
      const files = mill.issue(`client-${bytes}`);
      const socket = await boundSocket();
      const endpoint = new DtlsEndpoint(ours);
      let session: DtlsSession | undefined;
      socket.on('message', (datagram, { address, port }) => {
        const reply = (datagrams: readonly Buffer[]): void => {
          for (const each of datagrams) socket.send(each, port, address);
        };
        if (session === undefined) {
          const heard = endpoint.listen(datagram, `${address}:${port}`);
          if (Array.isArray(heard)) reply(heard as readonly Buffer[]);
          else session = heard as DtlsSession;
        } else session.take(datagram);
        reply(session?.outgoing() ?? []);
      });
      const client = new Foreign([
        's_client',
        '-connect',
        `127.0.0.1:${socket.address().port}`,
        ...COMMON(profile, bytes, files),
      ]);
      try {
        const keys = await eventually(() => client.keys(), 20_000);
        expect(session?.state.name).toBe('established');
        const agreed = session?.exportKeys();
        expect(agreed?.theirs.suite).toBe(suite);
        expect(agreed && exported(agreed, 'passive')).toBe(keys);
        const shown = session?.peerCertificate() ?? Buffer.alloc(0);
        expect(new X509Certificate(shown).fingerprint256).toBe(
          new X509Certificate(files.cert).fingerprint256,
        );
      } finally {
        await client.end();
        socket.close();
      }
    },
    60_000,
  );

  test.each(FOREIGN)(
    'openssl s_server with %s and we export the same keys',
    async (profile, bytes, suite) => {
      const files = mill.issue(`server-${bytes}`);
      const probe = await boundSocket();
      const { port } = probe.address();
      probe.close();
      const server = new Foreign([
        's_server',
        '-accept',
        `127.0.0.1:${port}`,
        '-Verify',
        '1',
        '-listen',
        ...COMMON(profile, bytes, files),
      ]);
      const socket = await boundSocket();
      const endpoint = new DtlsEndpoint(ours);
      try {
        await eventually(() => (server.said.includes('ACCEPT') ? true : undefined), 20_000);
        const session = endpoint.connect();
        const send = (): void => {
          for (const each of session.outgoing()) socket.send(each, port, '127.0.0.1');
        };
        socket.on('message', (datagram) => {
          session.take(datagram);
          send();
        });
        send();
        const keys = await eventually(() => {
          session.expire();
          send();
          return server.keys();
        }, 20_000);
        await eventually(() => (session.state.name === 'established' ? true : undefined), 20_000);
        const agreed = session.exportKeys();
        expect(agreed?.own.suite).toBe(suite);
        expect(agreed && exported(agreed, 'active')).toBe(keys);
        const announced = { hash: 'sha-256', value: new X509Certificate(files.cert).fingerprint256 } as const;
        expect(isAnnounced(session.peerCertificate(), [announced])).toBe(true);
      } finally {
        await server.end();
        socket.close();
      }
    },
    60_000,
  );
});

async function boundSocket(): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}
