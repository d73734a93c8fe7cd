import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createHmac } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { on, once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { iceCheck } from '../media/ice/check-builder.ts';
import { octets, rtp } from '../media/rtp-builder.ts';
import { Peer } from '../sip/peer.ts';
import { plainSdp, RecordingClient, recordingSession, sdpOf } from '../sip/recording-client.ts';
import { freePort } from '../support/free-port.ts';
import { pause, ProductRoom } from '../support/product-room.ts';
import { eventually } from '../support/recorder-process.ts';
import { awaitRecordings } from '../support/sealed-recording.ts';
import { readWav } from '../support/wav.ts';

const THEIRS = 'a=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\n';

let room: ProductRoom;
let sockets: readonly Socket[];

beforeEach(async () => {
  room = new ProductRoom();
  sockets = await Promise.all([aSocket(), aSocket()]);
});

afterEach(async () => {
  for (const socket of sockets) socket.close();
  await room.close();
});

async function aSocket(): Promise<Socket> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

/** Two lines of a client that speaks ICE. */
const offer = (): string =>
  sdpOf(
    ...sockets.map((socket, line) => {
      const { port } = socket.address();
      return (
        `m=audio ${port} RTP/AVP 8\r\na=label:${line + 1}\r\na=sendonly\r\na=rtcp-mux\r\n${THEIRS}` +
        `a=candidate:1 1 UDP 2130706431 127.0.0.1 ${port} typ host\r\n`
      );
    }),
  );

interface Way {
  readonly socket: Socket;
  readonly port: number;
  readonly ufrag: string;
  readonly password: string;
}

/** What the answer says of each line, and the socket that stands for it. */
function waysIn(sdp: string): readonly Way[] {
  const value = (section: string, name: string): string =>
    new RegExp(`^a=${name}:(\\S+)`, 'm').exec(section)?.[1] ?? '';
  return sdp
    .split(/^(?=m=)/m)
    .slice(1)
    .map((section, line) => ({
      socket: sockets[line] as Socket,
      port: Number(/^m=audio (\d+)/.exec(section)?.[1]),
      ufrag: value(section, 'ice-ufrag'),
      password: value(section, 'ice-pwd'),
    }));
}

const BINDING_SUCCESS = 0x0101;

/** Sends a check with nomination; true when a right answer comes from the very port, signed under the password of the answer. */
async function isAnswered({ socket, port, ufrag, password }: Way): Promise<boolean> {
  const check = iceCheck({ username: `${ufrag}:8hhY`, password, nominates: true });
  socket.send(check, port, '127.0.0.1');
  try {
    for await (const [answer, from] of on(socket, 'message', {
      signal: AbortSignal.timeout(1000),
    }) as AsyncIterable<[Buffer, { readonly port: number }]>)
      // Reports of what was heard come here, too.
      if (answer.readUInt16BE(0) === BINDING_SUCCESS)
        return from.port === port && answersTo(answer, check, password);
    return false;
  } catch {
    return false;
  }
}

/** Whether an answer is that to a check, signed under a password. */
function answersTo(answer: Buffer, check: Buffer, password: string): boolean {
  // Its integrity is 24 octets, and its fingerprint the 8 behind it (RFC 8489 §14.5, §14.7).
  const signed = Buffer.from(answer.subarray(0, -32));
  signed.writeUInt16BE(answer.length - 20 - 8, 2);
  const sum = createHmac('sha1', password).update(signed).digest();
  return answer.subarray(4, 20).equals(check.subarray(4, 20)) && answer.subarray(-28, -8).equals(sum);
}

/** Half of a second and more of audio on every line; `from` is the number of its first packet. */
async function talk(ways: readonly Way[], from: number, count: number): Promise<void> {
  for (let index = from; index < from + count; index += 1) {
    for (const [line, { socket, port }] of ways.entries()) {
      const packet = { sequenceNumber: index, timestamp: index * 160, ssrc: 7 + line };
      socket.send(rtp({ ...packet, payload: octets(index * 160, 160, line) }), port, '127.0.0.1');
    }
    await pause(20);
  }
}

const heardIn = (path: string): readonly Buffer[] =>
  readWav(path).audio.map((channel) => Buffer.from(channel.filter((octet) => octet !== 0xd5)));

test('ICE outlives a killed recorder: the checks are answered in the same words on the same ports, and what comes is recorded', async () => {
  const listen = [`udp://127.0.0.1:${await freePort()}`];
  const first = await room.start({ config: { sip: { listen } } });
  const client = new RecordingClient(await Peer.open('udp', { address: '127.0.0.1', port: first.udpPort }));
  const answer = await client.invite(recordingSession(offer()));
  const ways = waysIn(answer.body);
  expect(ways.map(({ password }) => password.length >= 22)).toEqual([true, true]);
  for (const way of ways) expect(await isAnswered(way)).toBe(true);
  await talk(ways, 0, 75);
  const book = join(first.dataDir, 'dialogs.jsonl');
  await eventually(
    () => (existsSync(book) && readFileSync(book, 'utf8').includes('8hhY')) || undefined,
    10_000,
  );
  await first.kill();
  for (const way of ways) expect(await isAnswered(way)).toBe(false);

  const second = await room.start({ dataDir: first.dataDir, config: { sip: { listen } } });
  // As the client would: before it says or sends anything else, and until it gives up.
  for (const way of ways) await eventually(async () => ((await isAnswered(way)) ? true : undefined), 10_000);
  for (const way of ways) expect(await isAnswered({ ...way, ufrag: 'else' })).toBe(false);
  await talk(ways, 200, 75);
  const again = await client.request('INVITE', plainSdp(offer()));
  client.ack();
  expect(waysIn(again.body)).toEqual(ways);
  for (const way of ways) expect(await isAnswered(way)).toBe(true);
  await talk(ways, 275, 25);
  expect((await client.bye()).status).toBe(200);
  client.peer.close();

  const parts = await awaitRecordings(second.archive, 2, 30_000);
  const last = parts.find(({ info }) => info.get('Status') === 'complete');
  expect(last?.info.get('Continues')).toBe(
    parts.find(({ info }) => info.get('Status') === 'recovered')?.info.get('Recording-Id'),
  );
  const chosen = sockets.map((socket) => `ICE, 127.0.0.1:${socket.address().port} chosen`);
  expect(['Caller', 'Callee'].map((side) => last?.info.get(`${side}-Connectivity`))).toEqual(chosen);
  for (const [line, heard] of heardIn(last?.path('.wav') ?? '').entries())
    expect(heard.equals(octets(200 * 160, 100 * 160, line))).toBe(true);
}, 120_000);

test('a trunk with `ice: off` answers such a client without ICE, leaves its checks alone and records it', async () => {
  const recorder = await room.start({
    config: { trunks: [{ name: 'phones', from: ['127.0.0.1'], ice: 'off' }] },
  });
  const peer = await Peer.open('udp', { address: '127.0.0.1', port: recorder.udpPort });
  const client = new RecordingClient(peer);
  const answer = await client.invite(recordingSession(offer()));
  expect(answer.status).toBe(200);
  expect(answer.body).not.toMatch(/a=(?:ice|candidate)/);
  const ways = waysIn(answer.body);
  // Signed under the right words of nobody.
  for (const way of ways)
    expect(await isAnswered({ ...way, ufrag: 'ours', password: 'x'.repeat(22) })).toBe(false);
  await talk(ways, 0, 50);
  await client.bye();
  peer.close();
  const [recording] = await awaitRecordings(recorder.archive, 1, 30_000);
  expect(recording?.info.has('Caller-Connectivity')).toBe(false);
  expect(recording?.info.get('Caller-Packets-Rejected')).toBe('0');
  for (const [line, heard] of heardIn(recording?.path('.wav') ?? '').entries())
    expect(heard.equals(octets(0, 50 * 160, line))).toBe(true);
}, 60_000);
