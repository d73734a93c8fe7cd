import { createHash } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import { placeCall, type CallLeg, type CallOptions } from '../../src/client/call.ts';
import { headerOf, serialize } from '../../src/client/sip-message.ts';
import { CALLEE_VOICE, CALLER_VOICE, speakTones } from '../../src/client/tones.ts';
import {
  answerSdp,
  openSink,
  ScriptedPeer,
  type Received,
  type RtpPacket,
  type RtpSink,
} from './scripted-peer.ts';

/** For tests in which the peer keeps silent; elsewhere a slow machine would repeat requests that are not lost. */
const IMPATIENT = { t1: 20, t2: 40, timeout: 5000 };
const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function sinks(count = 2, address?: string): Promise<RtpSink[]> {
  const opened = await Promise.all(Array.from({ length: count }, () => openSink(address)));
  closers.push(
    ...opened.map((sink) => () => {
      sink.close();
    }),
  );
  return opened;
}

async function peer(
  transport: 'udp' | 'tcp',
  script: (received: Received) => void,
  address?: string,
): Promise<ScriptedPeer> {
  const started = await ScriptedPeer.start(transport, script, address);
  closers.push(() => {
    started.close();
  });
  return started;
}

const SDP = [
  ['Contact', '<sip:srs@127.0.0.1:5999>;+sip.srs'],
  ['Content-Type', 'application/sdp'],
] as const;

/** Accepts everything, the audio going to these sinks. */
const accepting =
  (ports: readonly RtpSink[], address?: string) =>
  ({ method, reply }: Received): void => {
    if (method === 'INVITE') {
      reply('100 Trying');
      reply(
        '200 OK',
        SDP,
        answerSdp(
          ports.map((sink) => sink.port),
          'recvonly',
          address,
        ),
      );
    } else if (method !== 'ACK') reply('200 OK');
  };

const leg = (side: 'caller' | 'callee', seconds: number, more: Partial<CallLeg> = {}): CallLeg => ({
  number: side === 'caller' ? '+493012345' : '+498955501',
  law: 'PCMA',
  audio: speakTones(side === 'caller' ? CALLER_VOICE : CALLEE_VOICE, seconds, 'PCMA'),
  ...more,
});

const options = (to: string, more: Partial<CallOptions> = {}): CallOptions => ({
  to,
  caller: leg('caller', 0.2),
  callee: leg('callee', 0.2),
  linger: 20,
  ...more,
});

const octetsOf = (packets: readonly RtpPacket[]): Buffer =>
  Buffer.concat([...packets].sort((a, b) => a.timestamp - b.timestamp).map(({ payload }) => payload));

const received = (sink: RtpSink | undefined): Buffer => octetsOf(sink?.packets ?? []);

const sha256 = (octets: Uint8Array): string => createHash('sha256').update(octets).digest('hex');

describe.each(['udp', 'tcp'] as const)('over %s', (transport) => {
  test('a call delivers every octet of both legs and reports their hashes', async () => {
    const [left, right] = await sinks();
    const server = await peer(transport, accepting([left, right] as RtpSink[]));
    const call = options(server.uri);

    const report = await placeCall(call);

    expect(report).toMatchObject({ outcome: 'completed', statusLine: 'SIP/2.0 200 OK', byeStatus: 200 });
    expect(received(left).equals(call.caller.audio)).toBe(true);
    expect(received(right).equals(call.callee?.audio ?? Buffer.alloc(0))).toBe(true);
    expect(report.legs.map(({ sha256: hash }) => hash)).toEqual([
      sha256(received(left)),
      sha256(received(right)),
    ]);
    expect(report.legs.map(({ packets, octets }) => ({ packets, octets }))).toEqual([
      { packets: 10, octets: 1600 },
      { packets: 10, octets: 1600 },
    ]);
    expect(server.methods()).toEqual(['INVITE', 'ACK', 'BYE']);
  });

  test('a refusal is acknowledged and thrown with its status', async () => {
    const server = await peer(transport, ({ method, reply }) => {
      if (method === 'INVITE') reply('503 Service Unavailable');
    });

    await expect(placeCall(options(server.uri))).rejects.toMatchObject({ code: 'REFUSED', status: 503 });
    await server.seen('ACK');
    expect(server.methods()).toEqual(['INVITE', 'ACK']);
  });

  test('a CANCEL ends a call that is not answered yet', async () => {
    let invite: Received | undefined;
    const server = await peer(transport, (request) => {
      if (request.method === 'INVITE') {
        invite = request;
        request.reply('100 Trying');
      } else if (request.method === 'CANCEL') {
        request.reply('200 OK');
        invite?.reply('487 Request Terminated');
      }
    });

    const report = await placeCall(options(server.uri, { cancelAfter: 10 }));

    expect(report).toMatchObject({
      outcome: 'cancelled',
      statusLine: 'SIP/2.0 487 Request Terminated',
      legs: [],
    });
    const [first, cancel] = server.requests;
    expect(cancel && headerOf(cancel, 'via')).toBe(first && headerOf(first, 'via'));
    expect(cancel && headerOf(cancel, 'cseq')).toBe('1 CANCEL');
  });
});

test('the offer is a recording session with two labelled lines and complete metadata', async () => {
  const ports = await sinks();
  const server = await peer('udp', accepting(ports));

  await placeCall(options(server.uri, { caller: leg('caller', 0.1, { name: 'A & <B>', law: 'PCMU' }) }));

  const [invite] = server.requests;
  const body = invite?.body.toString() ?? '';
  expect(invite && headerOf(invite, 'contact')).toMatch(/;\+sip\.src$/);
  expect(invite && headerOf(invite, 'require')).toBe('siprec');
  expect(invite && headerOf(invite, 'content-type')).toMatch(/^multipart\/mixed;boundary=/);
  expect(body.match(/^m=audio \d+ RTP\/AVP (0|8) 101\r$/gm)).toHaveLength(2);
  expect(body).toContain('a=sendonly\r\na=label:1');
  expect(body).toContain('<name xml:lang="en">A &amp; &lt;B&gt;</name>');
  expect(body).toContain('Content-Type: application/rs-metadata+xml');
});

test.each([
  ['absent', 'application/sdp'],
  ['broken', 'multipart/mixed'],
] as const)('metadata can be %s', async (metadata, type) => {
  const server = await peer('udp', accepting(await sinks()));
  await placeCall(options(server.uri, { metadata }));
  const [invite] = server.requests;
  expect(invite && headerOf(invite, 'content-type')).toContain(type);
  expect(invite?.body.toString()).not.toContain('</recording>');
});

test('an unanswered INVITE is repeated over UDP until it is answered', async () => {
  const ports = await sinks();
  let seen = 0;
  const server = await peer('udp', (request) => {
    if (request.method !== 'INVITE' || ++seen >= 3) accepting(ports)(request);
  });

  const report = await placeCall(options(server.uri, { timers: IMPATIENT }));

  expect(report.outcome).toBe('completed');
  const invites = server.requests.filter((request) => request.startLine.startsWith('INVITE'));
  expect(invites.length).toBeGreaterThanOrEqual(3);
  expect(new Set(invites.map((invite) => headerOf(invite, 'via'))).size).toBe(1);
});

test('a repeated 200 is acknowledged again', async () => {
  const ports = await sinks();
  let ok: (() => void) | undefined;
  const server = await peer('udp', (request) => {
    if (request.method === 'INVITE')
      ok = () => {
        accepting(ports)(request);
      };
    if (request.method !== 'ACK') accepting(ports)(request);
    else if (server.methods().filter((method) => method === 'ACK').length === 1) ok?.();
  });

  await placeCall(options(server.uri));

  expect(server.methods()).toEqual(['INVITE', 'ACK', 'ACK', 'BYE']);
});

test('audio flows before a late ACK', async () => {
  const ports = await sinks();
  let before = 0;
  const server = await peer('udp', (request) => {
    if (request.method === 'ACK') before = ports[0]?.packets.length ?? 0;
    accepting(ports)(request);
  });

  await placeCall(options(server.uri, { ackDelay: 100 }));

  expect(before).toBeGreaterThan(1);
});

test('hold pauses the audio and resume goes on at the right timestamp', async () => {
  const ports = await sinks();
  const server = await peer('udp', accepting(ports));
  const call = options(server.uri, {
    caller: leg('caller', 0.6, { rtp: { sequence: 65_530, timestamp: 0xffff_ff00 } }),
    hold: { at: 150, until: 350 },
  });

  const report = await placeCall(call);

  const offers = server.requests.filter((request) => request.startLine.startsWith('INVITE'));
  expect(offers.map((offer) => /^a=(inactive|sendonly)\r$/m.exec(offer.body.toString())?.[1])).toEqual([
    'sendonly',
    'inactive',
    'sendonly',
  ]);
  expect(offers.map((offer) => headerOf(offer, 'cseq'))).toEqual(['1 INVITE', '2 INVITE', '3 INVITE']);
  const [missing] = report.legs[0]?.missing ?? [];
  expect(missing).toBeDefined();
  const audio = call.caller.audio;
  const sent = Buffer.concat([audio.subarray(0, missing?.from), audio.subarray(missing?.to)]);
  expect(octetsOf(unwrapped(ports[0])).equals(sent)).toBe(true);
  expect(report.legs[0]?.sha256).toBe(sha256(sent));
  expect(ports[0]?.packets.filter(({ marker }) => marker)).toHaveLength(2);
});

/** Timestamps that wrapped come after those that did not. */
const unwrapped = (sink: RtpSink | undefined): readonly RtpPacket[] =>
  (sink?.packets ?? []).map((packet) => ({
    ...packet,
    timestamp: packet.timestamp < 0x8000_0000 ? packet.timestamp + 0x1_0000_0000 : packet.timestamp,
  }));

test('a refused line gets no audio and is reported', async () => {
  const [left, right] = await sinks();
  const server = await peer('udp', ({ method, reply }) => {
    if (method === 'INVITE') reply('200 OK', SDP, answerSdp([left?.port ?? 0, 0]));
    else if (method !== 'ACK') reply('200 OK');
  });

  const report = await placeCall(options(server.uri));

  expect(report.legs.map(({ packets, sentTo }) => [packets, sentTo])).toEqual([
    [10, `127.0.0.1:${left?.port ?? 0}`],
    [0, undefined],
  ]);
  expect(right?.packets).toHaveLength(0);
});

test('a BYE of the server ends the call and is answered', async () => {
  const ports = await sinks();
  const server = await peer('tcp', (request) => {
    accepting(ports)(request);
    if (request.method === 'ACK')
      request.raw(
        serialize({
          startLine: 'BYE sip:src@127.0.0.1 SIP/2.0',
          headers: [
            ['Via', 'SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKpeer'],
            ['CSeq', '1 BYE'],
          ],
          body: Buffer.alloc(0),
        }),
      );
  });

  const report = await placeCall(options(server.uri, { caller: leg('caller', 20) }));

  expect(report).toMatchObject({ outcome: 'ended-by-server', byeStatus: undefined });
});

test('a server that vanishes after the answer is an outcome that still tells what was sent', async () => {
  const ports = await sinks();
  const server = await peer('tcp', (request) => {
    accepting(ports)(request);
    if (request.method === 'ACK') server.close();
  });

  const report = await placeCall(options(server.uri, { caller: leg('caller', 20) }));

  expect(report.outcome).toBe('connection-lost');
  expect(report.failure).toContain('closed by the server');
  expect(report.legs).toHaveLength(2);
});

test('a signal hangs up', async () => {
  const server = await peer('udp', accepting(await sinks()));
  const controller = new AbortController();
  const report = await placeCall(
    options(server.uri, {
      caller: leg('caller', 20),
      signal: controller.signal,
      onStep: () => {
        controller.abort();
      },
    }),
  );
  expect(report).toMatchObject({ outcome: 'completed', byeStatus: 200 });
});

test('a call works over IPv6', async () => {
  const ports = await sinks(2, '::1');
  const server = await peer('udp', accepting(ports, '::1'), '::1');
  const report = await placeCall(options(server.uri));
  expect(report.legs.map(({ packets }) => packets)).toEqual([10, 10]);
  expect(server.requests[0]?.body.toString()).toContain('c=IN IP6 ::1');
});

test.each([
  ['nothing listens there over UDP', ';transport=udp', 'UNREACHABLE', /nothing listens there/],
  ['nothing listens there over TCP', ';transport=tcp', 'UNREACHABLE', /nothing listens there/],
])('%s', async (_name, parameter, code, message) => {
  // A port that was free a moment ago.
  const server = await ScriptedPeer.start('udp', () => undefined);
  const uri = server.uri.replace(';transport=udp', parameter);
  server.close();
  await expect(placeCall(options(uri))).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message) as unknown,
  });
});

test('silence of the server is a timeout', async () => {
  const server = await peer('udp', () => undefined);
  await expect(
    placeCall(options(server.uri, { timers: { ...IMPATIENT, timeout: 200 } })),
  ).rejects.toMatchObject({ code: 'TIMEOUT' });
});

test('an answer without SDP ends the dialog with BYE', async () => {
  const server = await peer('udp', ({ method, reply }) => {
    if (method !== 'ACK') reply('200 OK');
  });
  await expect(placeCall(options(server.uri))).rejects.toMatchObject({ code: 'BAD_ANSWER' });
  expect(server.methods()).toEqual(['INVITE', 'ACK', 'BYE']);
});

test('packets keep to the absolute schedule of 20 ms', async () => {
  const ports = await sinks();
  const server = await peer('udp', accepting(ports));
  await placeCall(options(server.uri, { caller: leg('caller', 2), callee: leg('callee', 2) }));
  const packets = ports[0]?.packets ?? [];
  const lateness = packets.map(({ at }, index) => at - (packets[0]?.at ?? 0) - index * 20);
  expect(packets).toHaveLength(100);
  // Single packets are late on a busy machine, but the schedule itself does not slip: towards the end one at least is on time.
  expect(Math.min(...lateness.slice(80))).toBeLessThan(40);
});
