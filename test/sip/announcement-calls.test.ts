import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { clipOf, type ClipEncoding } from '../../src/media/clip.ts';
import { threadSrtp } from '../../src/media/srtp/load-engine.ts';
import { SrtpReceiver } from '../../src/media/srtp/srtp-receiver.ts';
import type { Announcement } from '../../src/recorder/announcements.ts';
import type { AnnouncedEvent } from '../../src/recorder/events.ts';
import type { AnnouncementSource } from '../../src/sip/announcement-calls.ts';
import { openAnyBench, type AnyBench } from './any-server.ts';
import { PlayerEngine } from '../../src/sip/player-engine.ts';
import { ListeningClient, type HeardCall } from './listening-client.ts';
import { plainSdp, recordingSession, type RequestParts } from './recording-client.ts';

const FRAMES = 15;
/** 300 ms in which no frame is like another. */
const OCTETS = Buffer.from(
  Array.from({ length: FRAMES * 160 }, (_, at) => (at * 7 + Math.floor(at / 160)) % 256),
);
const PCMA_OFFER = ['rtpmap:8 PCMA/8000', 'sendrecv'];

let bench: AnyBench;
let announced: AnnouncedEvent[];

const inbound = (locale: string): Announcement => ({
  name: 'inbound',
  locale,
  sha256: `hash of ${locale}`,
  milliseconds: FRAMES * 20,
  encodings: ['PCMA', 'PCMU', 'G722', 'OPUS'],
  source: 'shipped',
});

/** Packets of Opus in Ogg, each on a page of its own after the two headers. */
function ogg(packets: readonly Buffer[]): Buffer {
  const pages = [Buffer.from('OpusHead'), Buffer.from('OpusTags'), ...packets].map((packet) =>
    Buffer.concat([Buffer.alloc(26), Buffer.from([1, packet.length]), packet]),
  );
  return Buffer.concat(pages);
}

const OPUS = Array.from({ length: FRAMES }, (_, at) => Buffer.alloc(20 + at, at + 1));

function source(): AnnouncementSource {
  return {
    find: (name, locale) => (name === 'inbound' ? inbound(locale ?? 'en') : undefined),
    clip: (_announcement, encoding) =>
      Promise.resolve(clipOf(encoding, encoding === 'OPUS' ? ogg(OPUS) : OCTETS)),
    numbers: { '9001': { play: 'inbound', locale: 'de' } },
    most: 2,
    keepFor: 1000,
    announced: (event) => {
      announced.push(event);
      return Promise.resolve();
    },
  };
}

beforeEach(async () => {
  announced = [];
  bench = await openAnyBench({ announcements: source() });
});

afterEach(() => bench.close());

async function hear(
  uri: string,
  offer: {
    readonly numbers?: string;
    readonly attributes?: readonly string[];
    readonly profile?: string;
  } = {},
  headers: RequestParts['headers'] = {},
): Promise<HeardCall> {
  const phone = await ListeningClient.open(await bench.client());
  const { numbers = '8', attributes = PCMA_OFFER, profile } = offer;
  return phone.hear(uri, { ...plainSdp(phone.offer(numbers, attributes, profile)), headers });
}

const payloads = (packets: readonly Buffer[]): Buffer =>
  Buffer.concat(packets.map((packet) => packet.subarray(12)));

/** Timestamps in frames since the first packet. */
const places = (packets: readonly Buffer[], step = 160): readonly number[] =>
  packets.map((packet) => ((packet.readUInt32BE(4) - (packets[0]?.readUInt32BE(4) ?? 0)) >>> 0) / step);

const upTo = (count: number, from = 0): readonly number[] =>
  Array.from({ length: count }, (_, at) => from + at);

test('a call to annc hears the announcement, octet for octet and in its pace, and is hung up', async () => {
  const { status, sdp, packets } = await hear(
    'sip:annc@127.0.0.1;play=inbound',
    {},
    { 'P-Asserted-Identity': '<sip:+4930123456@pbx.example>', 'X-Genesys-CallUUID': 'genesys-1' },
  );
  expect(status).toBe(200);
  expect(sdp).toMatch(/m=audio \d+ RTP\/AVP 8\r\na=rtpmap:8 PCMA\/8000\r\na=ptime:20\r\na=sendonly\r\n$/);
  expect(payloads(packets).equals(OCTETS)).toBe(true);
  expect(places(packets)).toEqual(upTo(FRAMES));
  const [first] = packets;
  expect(packets.map((each) => (each.readUInt16BE(2) - (first?.readUInt16BE(2) ?? 0)) & 0xffff)).toEqual(
    upTo(FRAMES),
  );
  expect(packets.map((each) => each.readUInt8(1))).toEqual([0x88, ...Array<number>(FRAMES - 1).fill(0x08)]);
  // What was heard is stated, with who heard it; nothing is recorded, nothing refused.
  expect(announced).toMatchObject([
    {
      name: 'inbound',
      locale: 'en',
      sha256: 'hash of en',
      milliseconds: 300,
      whole: true,
      trunk: 'loopback',
    },
  ]);
  expect(announced[0]?.numbers).toEqual(['+4930123456', '+15550100']);
  expect(announced[0]?.callIds).toContain('genesys-1');
  expect([bench.recorder.calls, bench.recorder.refusals]).toEqual([[], []]);
});

test.each<{ encoding: ClipEncoding; numbers: string; attributes: readonly string[] }>([
  { encoding: 'PCMU', numbers: '0 8', attributes: [] },
  { encoding: 'G722', numbers: '18 9', attributes: ['rtpmap:18 G729/8000', 'rtpmap:9 G722/8000'] },
  { encoding: 'OPUS', numbers: '96', attributes: ['rtpmap:96 opus/48000/2', 'fmtp:96 useinbandfec=1'] },
])('it is heard in $encoding where the offer has that first', async ({ encoding, numbers, attributes }) => {
  const { sdp, packets } = await hear('sip:annc@127.0.0.1;play=inbound', { numbers, attributes });
  const payloadType = Number(/m=audio \d+ RTP\/AVP (\d+)\r/.exec(sdp)?.[1]);
  expect(sdp.toUpperCase()).toContain(`A=RTPMAP:${payloadType} ${encoding}/`);
  expect(packets.every((each) => (each.readUInt8(1) & 0x7f) === payloadType)).toBe(true);
  expect(payloads(packets).equals(encoding === 'OPUS' ? Buffer.concat(OPUS) : OCTETS)).toBe(true);
  expect(places(packets, encoding === 'OPUS' ? 960 : 160)).toEqual(upTo(FRAMES));
});

test.each([
  ['repeat=2', [...upTo(FRAMES), ...upTo(FRAMES, FRAMES)]],
  ['repeat=2;delay=100', [...upTo(FRAMES), ...upTo(FRAMES, FRAMES + 5)]],
  ['duration=100', upTo(5)],
  ['repeat=forever;duration=400', upTo(20)],
])('%s says how often and how long', async (parameters, expected) => {
  const { packets } = await hear(`sip:annc@127.0.0.1;play=inbound;${parameters}`);
  expect(places(packets)).toEqual(expected);
  // Who begins after a silence says so (RFC 3551 §4.1).
  expect(packets.filter((each) => each.readUInt8(1) >= 0x80)).toHaveLength(
    parameters.includes('delay') ? 2 : 1,
  );
});

test('a language is asked for in the address, and a number can stand for both', async () => {
  await hear('sip:annc@127.0.0.1;locale=de_AT;play=file://prompts/inbound.wav;duration=20');
  await hear('sip:9001@127.0.0.1;duration=20');
  expect(announced.map(({ name, locale }) => `${name} ${locale}`)).toEqual(['inbound de', 'inbound de']);
});

test('where the call offers SRTP keys it is heard under a key of ours (RFC 4568)', async () => {
  await bench.close();
  const trunk = { name: 'loopback', from: ['127.0.0.0/8'], mode: 'compat', srtpWithoutTls: true } as const;
  bench = await openAnyBench({ announcements: source(), trunks: [trunk] });
  const key = Buffer.alloc(30, 7).toString('base64');
  const attributes = [...PCMA_OFFER, `crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${key}`];
  const { sdp, packets } = await hear('sip:annc@127.0.0.1;play=inbound', { attributes, profile: 'RTP/SAVP' });
  const [, ours = ''] = /a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:([^\r|]+)/.exec(sdp) ?? [];
  expect(sdp).toContain('RTP/SAVP 8');
  expect(ours).not.toBe(key);
  const receiver = new SrtpReceiver(threadSrtp(), {
    suite: 'AES_CM_128_HMAC_SHA1_80',
    masters: [{ bytes: Buffer.from(ours, 'base64') }],
  });
  const opened = packets.map((packet) => {
    const length = receiver.open(packet, 0, packet.length, Date.now());
    return Buffer.from(receiver.clear.subarray(0, length));
  });
  expect(payloads(opened).equals(OCTETS)).toBe(true);
});

test.each([
  ['an unknown name', 'sip:annc@127.0.0.1;play=farewell', {}, 404],
  ['a name elsewhere', 'sip:annc@127.0.0.1;play=http%3A%2F%2Fx.example%2Fa.wav', {}, 404],
  ['no name', 'sip:annc@127.0.0.1', {}, 400],
  ['a repeat that is no number', 'sip:annc@127.0.0.1;play=inbound;repeat=often', {}, 400],
  ['codecs we cannot send', 'sip:annc@127.0.0.1;play=inbound', { numbers: '18', attributes: [] }, 488],
  ['a line that hears nothing', 'sip:annc@127.0.0.1;play=inbound', { attributes: ['sendonly'] }, 488],
  ['SRTP without TLS', 'sip:annc@127.0.0.1;play=inbound', { profile: 'RTP/SAVP' }, 488],
])('%s gets its status and the reason, and the call is over', async (_name, uri, offer, expected) => {
  const { status, warning } = await hear(uri, offer);
  expect(status).toBe(expected);
  expect(warning).toMatch(/^399 \S+ ".+"/);
  expect([announced, bench.recorder.refusals]).toEqual([[], []]);
});

test('a recorder that cannot record does not say that it does', async () => {
  bench.recorder.ready = { ready: false, reason: 'spool disk nearly full' };
  expect((await hear('sip:annc@127.0.0.1;play=inbound')).status).toBe(503);
});

test('a recording session that is sent to the address is recorded', async () => {
  const client = await bench.client();
  const answer = await client.invite({ ...recordingSession(), uri: 'sip:annc@127.0.0.1;play=inbound' });
  expect(answer.status).toBe(200);
  expect(bench.recorder.calls).toHaveLength(1);
  await client.bye();
  expect(announced).toEqual([]);
});

test('a call without an offer is offered one, and hears what it answers (CUCM, third-party call control)', async () => {
  const phone = await ListeningClient.open(await bench.client());
  const answer = await phone.invite('sip:annc@127.0.0.1;play=inbound', {});
  expect(answer.body).toMatch(/m=audio \d+ RTP\/AVP 8 0 9 111\r\n/);
  expect(answer.body).toContain('a=rtpmap:111 opus/48000/2');
  phone.client.ack(plainSdp(phone.offer('9', ['rtpmap:9 G722/8000', 'recvonly'])));
  await phone.hungUp();
  phone.close();
  expect(payloads(phone.packets).equals(OCTETS)).toBe(true);
});

test('a caller who hangs up, and one on hold, hear no more; what they heard is stated', async () => {
  const phone = await ListeningClient.open(await bench.client());
  const parts = plainSdp(phone.offer('8', PCMA_OFFER));
  await phone.invite('sip:annc@127.0.0.1;play=inbound;repeat=forever', parts);
  phone.client.ack();
  await until(() => phone.packets.length > 10);
  const held = await phone.invite('sip:annc@127.0.0.1', plainSdp(phone.offer('8', ['inactive'])));
  phone.client.ack();
  expect(held.body).toContain('a=inactive');
  const heard = phone.packets.length;
  await new Promise((resolve) => setTimeout(resolve, 400));
  // Some may have been on their way; twenty would have come.
  expect(phone.packets.length).toBeLessThan(heard + 10);
  await phone.invite('sip:annc@127.0.0.1', parts);
  phone.client.ack();
  await until(() => phone.packets.length > heard + 12);
  expect((await phone.client.bye()).status).toBe(200);
  phone.close();
  await until(() => announced.length > 0);
  expect(announced).toMatchObject([{ whole: false }]);
  expect(announced[0]?.milliseconds).toBeGreaterThan(200);
});

test('who is hearing something when the recorder ends is hung up, and what they heard is stated before that', async () => {
  const phone = await ListeningClient.open(await bench.client());
  await phone.invite(
    'sip:annc@127.0.0.1;play=inbound;repeat=forever',
    plainSdp(phone.offer('8', PCMA_OFFER)),
  );
  phone.client.ack();
  await until(() => phone.packets.length > 10);
  await Promise.all([bench.application.hangUpHeard(), phone.hungUp()]);
  expect(announced).toMatchObject([{ name: 'inbound', whole: false }]);
  expect(announced[0]?.milliseconds).toBeGreaterThanOrEqual(200);
  phone.close();
});

test('a re-INVITE may change keys and numbers: what follows is sent as it says (RFC 3264 §8, RFC 4568 §7.1.4)', async () => {
  await bench.close();
  const trunk = { name: 'loopback', from: ['127.0.0.0/8'], mode: 'compat', srtpWithoutTls: true } as const;
  bench = await openAnyBench({ announcements: source(), trunks: [trunk] });
  const phone = await ListeningClient.open(await bench.client());
  const offer = (suite: string, octets: number, number: number): RequestParts =>
    plainSdp(
      phone.offer(
        String(number),
        [
          `rtpmap:${number} opus/48000/2`,
          `crypto:1 ${suite} inline:${Buffer.alloc(octets, 7).toString('base64')}`,
        ],
        'RTP/SAVP',
      ),
    );
  const uri = 'sip:annc@127.0.0.1;play=inbound;repeat=forever';
  await phone.invite(uri, offer('AES_CM_128_HMAC_SHA1_80', 30, 96));
  phone.client.ack();
  await until(() => phone.packets.length > 5);
  const { status, body } = await phone.invite(uri, offer('AES_256_CM_HMAC_SHA1_80', 46, 111));
  phone.client.ack();
  expect(status).toBe(200);
  const moved = (): readonly Buffer[] => phone.packets.filter((each) => (each.readUInt8(1) & 0x7f) === 111);
  await until(() => moved().length > 5);
  const [, ours = ''] = /a=crypto:1 AES_256_CM_HMAC_SHA1_80 inline:([^\r|]+)/.exec(body) ?? [];
  const receiver = new SrtpReceiver(threadSrtp(), {
    suite: 'AES_256_CM_HMAC_SHA1_80',
    masters: [{ bytes: Buffer.from(ours, 'base64') }],
  });
  for (const packet of moved()) {
    const length = receiver.open(packet, 0, packet.length, Date.now());
    const [header, payload] = [12, receiver.clear.subarray(12, length)];
    expect(length).toBeGreaterThan(header);
    expect(OPUS.some((each) => each.equals(payload))).toBe(true);
  }
  // A codec that is none of ours is refused, and what is played goes on.
  const before = phone.packets.length;
  expect((await phone.invite(uri, plainSdp(phone.offer('18', ['rtpmap:18 G729/8000'])))).status).toBe(488);
  phone.client.ack();
  await until(() => phone.packets.length > before + 5);
  await phone.client.bye();
  phone.close();
});

test('the ports they are played from may be named', async () => {
  const engine = new PlayerEngine({ first: 38_100, last: 38_103 });
  const lines = [];
  for (let count = 0; count < 4; count++) lines.push(await engine.open('127.0.0.1'));
  expect(lines.map(({ port }) => port).toSorted()).toEqual([38_100, 38_101, 38_102, 38_103]);
  await expect(engine.open('127.0.0.1')).rejects.toMatchObject({ code: 'EADDRINUSE' });
  engine.closeAll();
});

async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds(); tries++) {
    if (tries > 1500) throw new Error('it never came');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
