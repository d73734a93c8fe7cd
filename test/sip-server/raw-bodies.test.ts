import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { annotated } from '../../src/sip-server/for-application.ts';
import type { Flow } from '../../src/sip-server/flow.ts';
import type { SipRequest } from '../../src/sip-server/message.ts';
import { newCall, type RawPeer } from './raw-peer.ts';
import { startTestServer, type TestServer } from './test-server.ts';

let site: TestServer;
/** Body and X-Sealtape-Raw-Body of each MESSAGE, as the application saw them. */
let seen: { body: string; raw: string | undefined }[];

beforeEach(async () => {
  seen = [];
  site = await startTestServer();
  await site.application((srf) => {
    srf.use('message', (req, res) => {
      seen.push({ body: req.body, raw: req.get('X-Sealtape-Raw-Body') });
      res.send(200);
    });
  });
});

afterEach(async () => {
  await site.close();
});

/** Sends a MESSAGE with these octets as body; resolves once it is answered 200. */
async function deliver(peer: RawPeer, octets: Buffer, headers: string[] = []): Promise<void> {
  const call = newCall();
  const all = ['Content-Type: application/rs-metadata+xml', ...headers];
  const head = peer
    .compose('MESSAGE', call, { headers: all })
    .replace('Content-Length: 0', `Content-Length: ${octets.length}`);
  peer.sendOctets(Buffer.concat([Buffer.from(head, 'latin1'), octets]));
  await peer.next(new RegExp(`^SIP/2\\.0 200 [\\s\\S]*Call-ID: ${call.callId}\\r`));
}

const XML = '<?xml version="1.0"?>\r\n\r\n<recording><name>Jörg Müßig</name></recording>';
const markedUtf16 = Buffer.from(`\uFEFF${XML}`, 'utf16le');

describe.each(['udp', 'tcp'] as const)('a body over %s (META-1)', (protocol) => {
  test.each([
    ['ISO-8859-1', Buffer.from(XML, 'latin1')],
    ['UTF-16 little-endian', markedUtf16],
    ['UTF-16 big-endian', Buffer.from(markedUtf16).swap16()],
    ['every octet there is', Buffer.from(Array.from({ length: 256 }, (_none, octet) => octet))],
  ])('of %s reaches the application octet for octet', async (_name, octets) => {
    await deliver(await site.open(protocol), octets);
    const [{ raw = '' } = { raw: '' }] = seen;
    expect(Buffer.from(raw, 'base64').equals(octets)).toBe(true);
  });

  test('of UTF-8 is handed over as text alone', async () => {
    await deliver(await site.open(protocol), Buffer.from(XML, 'utf8'));
    expect(seen).toEqual([{ body: XML, raw: undefined }]);
  });

  test('cannot be replaced by a header of the peer', async () => {
    const forged = 'X-Sealtape-Raw-Body: Zm9yZ2Vk';
    await deliver(await site.open(protocol), Buffer.from(XML, 'utf8'), [forged]);
    await deliver(await site.open(protocol), Buffer.from(XML, 'latin1'), [forged]);
    expect(seen.map(({ raw }) => raw)).toEqual([undefined, Buffer.from(XML, 'latin1').toString('base64')]);
  });
});

test.each([
  ['UTF-8', Buffer.from('ä'.repeat(32_000), 'utf8')],
  ['ISO-8859-1', Buffer.from('ä'.repeat(64_000), 'latin1')],
])('a datagram of 64 KiB with %s arrives whole (SIG-8)', async (_name, octets) => {
  const peer = await site.open('udp');
  await deliver(peer, octets);
  const [{ body, raw } = { body: '', raw: '' }] = seen;
  const received = raw === undefined ? Buffer.from(body, 'utf8') : Buffer.from(raw, 'base64');
  expect(received.equals(octets)).toBe(true);
});

const NO_FLOW = {} as Flow;

test('whatever the octets, the application can have them back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => {
      const body = Buffer.from(octets).toString('latin1');
      const message: SipRequest = { kind: 'request', method: 'INFO', uri: 'sip:x', headers: [], body };
      const raw = annotated(message, NO_FLOW).headers[0]?.value;
      const text = Buffer.from(octets).toString('utf8');
      const back = raw === undefined ? Buffer.from(text, 'utf8') : Buffer.from(raw, 'base64');
      return back.equals(octets);
    }),
  );
});
