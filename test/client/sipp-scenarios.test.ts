import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { headerOf } from '../../src/client/sip-message.ts';
import { writeRtpPcap } from '../support/pcap.ts';
import { runSipp } from '../support/sipp.ts';
import { makeSpeech, type Speech } from '../support/speech.ts';
import { answerSdp, openSink, RtpSink, ScriptedPeer, type Received } from './scripted-peer.ts';

let folder: string;
let speech: Speech;
const closers: (() => void)[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealtape-sipp-'));
  speech = await makeSpeech(folder, 'PCMA');
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** Two sinks whose ports are two apart. */
async function neighbours(): Promise<readonly [RtpSink, RtpSink]> {
  for (;;) {
    const left = await openSink();
    const right = await openSink('127.0.0.1', left.port + 2).catch(() => undefined);
    if (right !== undefined) {
      closers.push(
        () => {
          left.close();
        },
        () => {
          right.close();
        },
      );
      return [left, right];
    }
    left.close();
  }
}

async function peer(transport: 'udp' | 'tcp', script: (received: Received) => void): Promise<ScriptedPeer> {
  const started = await ScriptedPeer.start(transport, script);
  closers.push(() => {
    started.close();
  });
  return started;
}

const portOf = (server: ScriptedPeer): number => Number(/:(\d+);/.exec(server.uri)?.[1]);

const accepting =
  (sinks: readonly RtpSink[]) =>
  (received: Received): void => {
    const contact = ['Contact', '<sip:srs@127.0.0.1:5999>;+sip.srs'] as const;
    const sdp = answerSdp(sinks.map((sink) => sink.port));
    if (received.method === 'INVITE')
      received.reply('200 OK', [contact, ['Content-Type', 'application/sdp']], sdp);
    else if (received.method !== 'ACK') received.reply('200 OK');
  };

const heard = (sink: RtpSink): Buffer => Buffer.concat(sink.packets.map(({ payload }) => payload));

const streams = (caller: Buffer, callee: Buffer): Parameters<typeof writeRtpPcap>[1] => [
  { octets: caller, payloadType: 8, start: { ssrc: 1, sequence: 100, timestamp: 0 }, portOffset: 0 },
  { octets: callee, payloadType: 8, start: { ssrc: 2, sequence: 200, timestamp: 0 }, portOffset: 2 },
];

test.each(['udp', 'tcp'] as const)(
  'SIPp calls over %s and plays both legs from one capture',
  async (transport) => {
    const sinks = await neighbours();
    const server = await peer(transport, accepting(sinks));
    await writeRtpPcap(join(folder, 'legs.pcap'), streams(speech.caller, speech.callee));

    const result = await runSipp({
      scenario: 'basic',
      transport,
      folder,
      server: { address: '127.0.0.1', port: portOf(server) },
    });

    expect(result).toEqual({ code: 0, errors: '' });
    expect(server.methods()).toEqual(['INVITE', 'ACK', 'BYE']);
    expect(heard(sinks[0]).equals(speech.caller)).toBe(true);
    expect(heard(sinks[1]).equals(speech.callee)).toBe(true);
  },
);

test('SIPp holds and resumes', async () => {
  const sinks = await neighbours();
  const server = await peer('udp', accepting(sinks));
  const second = 8000;
  await writeRtpPcap(
    join(folder, 'legs.pcap'),
    streams(speech.caller.subarray(0, second), speech.callee.subarray(0, second)),
  );
  const later = streams(
    speech.caller.subarray(second, 2 * second),
    speech.callee.subarray(second, 2 * second),
  );
  await writeRtpPcap(join(folder, 'legs-resumed.pcap'), later);

  const result = await runSipp({
    scenario: 'hold',
    transport: 'udp',
    folder,
    server: { address: '127.0.0.1', port: portOf(server) },
  });

  expect(result).toEqual({ code: 0, errors: '' });
  const offers = server.requests.filter((request) => request.startLine.startsWith('INVITE'));
  expect(offers.map((offer) => /^a=(inactive|sendonly)\r?$/m.exec(offer.body.toString())?.[1])).toEqual([
    'sendonly',
    'inactive',
    'sendonly',
  ]);
  expect(heard(sinks[0]).equals(speech.caller.subarray(0, 2 * second))).toBe(true);
});

test.each(['udp', 'tcp'] as const)('SIPp cancels over %s', async (transport) => {
  let invite: Received | undefined;
  const server = await peer(transport, (received) => {
    if (received.method === 'INVITE') {
      invite = received;
      received.reply('100 Trying');
    } else if (received.method === 'CANCEL') {
      received.reply('200 OK');
      invite?.reply('487 Request Terminated');
    }
  });

  const result = await runSipp({
    scenario: 'cancel',
    transport,
    folder,
    server: { address: '127.0.0.1', port: portOf(server) },
  });

  expect(result).toEqual({ code: 0, errors: '' });
  expect(server.methods()).toEqual(['INVITE', 'CANCEL', 'ACK']);
  expect(new Set(server.requests.map((request) => headerOf(request, 'via'))).size).toBe(1);
});
