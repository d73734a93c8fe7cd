import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { CertificateMill } from '../support/certificates.ts';
import { newCall, TcpPeer, TlsPeer, type Call, type RawPeer } from './raw-peer.ts';
import { SDP, startTestServer, type TestServer } from './test-server.ts';

let mill: CertificateMill;
let site: TestServer;

beforeAll(async () => {
  mill = new CertificateMill();
  const { certificate, key } = mill.issue('recorder.example');
  site = await startTestServer({
    listen: ['udp://127.0.0.1:0', 'tcp://127.0.0.1:0', 'tls://127.0.0.1:0'],
    tls: { certificate, key },
    // What is under test is that noise does no harm, not that it is limited.
    limits: { messagesPerSecond: 1_000_000, connectionsPerSecond: 1_000_000 },
  });
  await site.application((srf) => {
    srf.invite((req, res) => {
      srf.createUAS(req, res, { localSdp: SDP }, (error, dialog) => {
        if (error !== null) return;
        dialog.on('info', (_info, response) => {
          response.send(200);
        });
      });
    });
  });
});

afterAll(async () => {
  await site.close();
  mill.remove();
});

async function open(protocol: 'udp' | 'tcp' | 'tls'): Promise<RawPeer> {
  if (protocol !== 'tls') return site.open(protocol);
  const at = site.server.addresses.find((each) => each.protocol === 'tls');
  return TlsPeer.connect(at ?? { address: '127.0.0.1', port: 0 });
}

/** Octets a peer may send by mistake or malice: rubbish, and messages cut, doubled or with octets changed. */
const noise = (peer: RawPeer, call: Call): fc.Arbitrary<Buffer> => {
  const message = Buffer.from(peer.compose('INFO', { ...call, callId: 'nobody@example.net' }, { body: SDP }));
  return fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((octets) => Buffer.from(octets)),
    fc.nat(message.length).map((end) => message.subarray(0, end)),
    fc
      .tuple(fc.nat(message.length - 1), fc.nat(255))
      .map(([at, octet]) =>
        Buffer.concat([message.subarray(0, at), Buffer.from([octet]), message.subarray(at + 1)]),
      ),
    fc
      .constantFrom('\r\n\r\n', '\r\n', '\n', 'SIP/2.0\r\n\r\n', 'INVITE\r\n\r\n', ':\r\n\r\n', 'l:1\r\n\r\n')
      .map((text) => Buffer.from(text)),
  );
};

/** An INFO inside the call, answered 200. */
async function speak(peer: RawPeer, call: Call): Promise<void> {
  call.cseq += 1;
  peer.request('INFO', call);
  await peer.next(new RegExp(`^SIP/2\\.0 200 [\\s\\S]*CSeq: ${call.cseq} INFO\\r`));
}

describe('noise never disturbs a running call', () => {
  test('in datagrams from its own address, between its messages', async () => {
    const peer = await open('udp');
    const call = newCall();
    await peer.setUp(call, { body: SDP });
    await fc.assert(
      fc.asyncProperty(fc.array(noise(peer, call), { minLength: 1, maxLength: 5 }), async (datagrams) => {
        for (const datagram of datagrams) peer.sendOctets(datagram);
        await speak(peer, call);
      }),
      { numRuns: 200 },
    );
    await peer.hangUp(call);
  });

  test.each(['tcp', 'tls'] as const)('in %s connections beside its own, cut anywhere', async (protocol) => {
    const peer = await open(protocol);
    const call = newCall();
    await peer.setUp(call, { body: SDP });
    await fc.assert(
      fc.asyncProperty(fc.array(noise(peer, call), { minLength: 1, maxLength: 5 }), async (segments) => {
        const other = await open(protocol);
        for (const segment of segments) other.sendOctets(segment);
        await speak(peer, call);
        other.close();
      }),
      { numRuns: 40 },
    );
    await peer.hangUp(call);
  });

  test.each(['tcp', 'tls'] as const)(
    'in whole messages on its own %s connection (SIG-10)',
    async (protocol) => {
      const peer = await open(protocol);
      const call = newCall();
      await peer.setUp(call, { body: SDP });
      // Everything that ends where it says: a length that lies takes the following octets with it on any stream.
      const lines = fc.array(
        fc.string({ maxLength: 40 }).map((line) => line.replace(/[\r\n]|^(?:content-length|l)\s*:/gi, '')),
        { minLength: 1, maxLength: 8 },
      );
      const segment = fc.tuple(lines, fc.boolean()).map(([heads, withLength]) => {
        const head = heads.filter((line) => line !== '').join('\r\n');
        return `${head === '' ? 'x' : head}\r\n${withLength ? 'Content-Length: 4\r\n\r\nbody' : '\r\n'}`;
      });
      await fc.assert(
        fc.asyncProperty(fc.array(segment, { minLength: 1, maxLength: 4 }), async (segments) => {
          for (const text of segments) peer.send(text);
          await speak(peer, call);
        }),
        { numRuns: 150 },
      );
      await peer.hangUp(call);
    },
  );

  test.each(['tcp', 'tls'] as const)(
    'however its own %s messages are cut into segments',
    async (protocol) => {
      const peer = await open(protocol);
      const call = newCall();
      await peer.setUp(call, { body: SDP });
      await fc.assert(
        fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 1 }), async (sizes) => {
          call.cseq += 1;
          const message = Buffer.from(peer.compose('INFO', call, { body: SDP }));
          let at = 0;
          for (let n = 0; at < message.length; n += 1) {
            const size = sizes[n % sizes.length] ?? 1;
            peer.sendOctets(message.subarray(at, at + size));
            at += size;
          }
          await peer.next(new RegExp(`^SIP/2\\.0 200 [\\s\\S]*CSeq: ${call.cseq} INFO\\r`));
        }),
        { numRuns: 50 },
      );
      await peer.hangUp(call);
    },
  );

  test('and leaves nothing behind: no connection, no transaction, no error in the log', async () => {
    const peer = await open('tcp');
    peer.close();
    if (peer instanceof TcpPeer) await peer.until(() => peer.closed);
    expect(site.logged.filter(({ level }) => level === 'error')).toEqual([]);
    expect(site.server.counters()).toMatchObject({ dialogs: 0, handshakes: 0 });
  });
});
