import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { SipRequest } from '../../src/sip/drachtio.ts';
import { receivedBody } from '../../src/sip/received-body.ts';
import { openBench, type Bench } from './bench.ts';
import type { Received } from './peer.ts';
import { COMPLETE, TWO_LINES, type RecordingClient } from './recording-client.ts';

let bench: Bench;

beforeEach(async () => {
  bench = await openBench();
});

afterEach(async () => {
  await bench.close();
});

const NAMED = COMPLETE.replace(
  '<nameID aor="sip:anna@pbx.example"/>',
  '<nameID aor="sip:anna@pbx.example"><name>Jörg Müßig</name></nameID>',
);
const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le');

/** Octets of an INVITE whose metadata part has this type and these octets. */
function inviteWith(client: RecordingClient, type: string, metadata: Buffer): Buffer {
  const body = Buffer.concat([
    latin1(
      `--b\r\nContent-Type: application/sdp\r\n\r\n${TWO_LINES}\r\n--b\r\nContent-Type: ${type}\r\n\r\n`,
    ),
    metadata,
    latin1('\r\n--b--\r\n'),
  ]);
  const head = client.compose('INVITE', {
    headers: { Require: 'siprec' },
    type: 'multipart/mixed;boundary=b',
  });
  return Buffer.concat([latin1(head.replace('Content-Length: 0', `Content-Length: ${body.length}`)), body]);
}

const RS = 'application/rs-metadata+xml';

describe.each(['udp', 'tcp'] as const)('metadata over %s in another encoding (META-1)', (protocol) => {
  test.each<[string, string, Buffer]>([
    ['UTF-8', RS, Buffer.from(NAMED, 'utf8')],
    [
      'ISO-8859-1, said by its declaration',
      RS,
      latin1(`<?xml version="1.0" encoding="ISO-8859-1"?>\r\n${NAMED}`),
    ],
    ['ISO-8859-1, said by its media type', `${RS};charset=iso-8859-1`, latin1(NAMED)],
    ['UTF-16 with a byte order mark', RS, utf16(`\uFEFF<?xml version="1.0" encoding="UTF-16"?>\r\n${NAMED}`)],
    ['UTF-16 big-endian', RS, utf16(`\uFEFF${NAMED}`).swap16()],
    ['UTF-16 without a mark', `${RS};charset=utf-16`, utf16(NAMED)],
  ])('is read: %s', async (_name, type, metadata) => {
    const client = await bench.client(protocol);
    client.peer.send(inviteWith(client, type, metadata));
    const answer: Received = await client.peer.final('1 INVITE');
    expect(answer.status).toBe(200);
    const { description } = bench.recorder.calls[0]?.offered ?? {};
    expect(description?.metadataStatus).toBe('complete');
    expect(description?.warnings).toEqual([]);
    expect(JSON.stringify(description)).toContain('Jörg Müßig');
  });

  test('of nothing but ASCII in UTF-16 without a mark is read', async () => {
    const client = await bench.client(protocol);
    client.peer.send(inviteWith(client, RS, utf16(COMPLETE)));
    expect((await client.peer.final('1 INVITE')).status).toBe(200);
    expect(bench.recorder.calls[0]?.offered.description.metadataStatus).toBe('complete');
  });

  test('that lies about itself is read as ISO-8859-1 and said so', async () => {
    const client = await bench.client(protocol);
    client.peer.send(inviteWith(client, RS, latin1(NAMED)));
    expect((await client.peer.final('1 INVITE')).status).toBe(200);
    const { description } = bench.recorder.calls[0]?.offered ?? {};
    expect(description?.warnings).toEqual(['metadata is not valid UTF-8, read as ISO-8859-1']);
    expect(JSON.stringify(description)).toContain('Jörg Müßig');
  });
});

test('SDP beside metadata that is not UTF-8 keeps its own UTF-8', () => {
  const octets = Buffer.concat([Buffer.from('s=Gespräch', 'utf8'), latin1('<x>ä</x>')]);
  const get = (name: string): string | undefined =>
    name === 'X-Sealtape-Raw-Body' ? octets.toString('base64') : undefined;
  const { text, asText, asXml } = receivedBody({ get, body: 'damaged' } as unknown as SipRequest);
  expect(asText(text.slice(0, 11))).toBe('s=Gespräch');
  expect(asXml(text.slice(11))).toEqual(latin1('<x>ä</x>'));
});
