import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { Peer, type Received } from '../sip/peer.ts';
import { COMPLETE, multipart, RecordingClient } from '../sip/recording-client.ts';
import { decode, loudness, toneIn } from '../support/ffmpeg.ts';
import { pause, ProductRoom } from '../support/product-room.ts';
import { eventually, type RecorderProcess } from '../support/recorder-process.ts';
import { recordingsIn, type SealedRecording } from '../support/sealed-recording.ts';
import { PAYLOAD, stepHertz, stepPayloads, type SteppedCodec } from '../support/tone-steps.ts';

jest.setTimeout(240_000);

/** So long a call is. */
const SECONDS = 20;
const RATE = 8000;

interface Packet {
  /** Milliseconds from the start of the media. */
  readonly at: number;
  readonly bytes: Buffer;
}

interface Head {
  readonly type: number;
  readonly sequence: number;
  readonly timestamp: number;
  readonly ssrc: number;
  readonly marker?: boolean;
  readonly csrcs?: number;
  readonly extension?: Buffer;
  readonly padding?: number;
}

function packet(head: Head, payload: Uint8Array): Buffer {
  const { csrcs = 0, extension, padding = 0 } = head;
  const fixed = Buffer.alloc(12 + csrcs * 4, 7);
  fixed[0] = 0x80 | csrcs | (extension === undefined ? 0 : 0x10) | (padding > 0 ? 0x20 : 0);
  fixed[1] = (head.marker === true ? 0x80 : 0) | head.type;
  fixed.writeUInt16BE(head.sequence & 0xffff, 2);
  fixed.writeUInt32BE(head.timestamp >>> 0, 4);
  fixed.writeUInt32BE(head.ssrc, 8);
  const pad = Buffer.alloc(padding, 0);
  if (padding > 0) pad[padding - 1] = padding;
  return Buffer.concat([fixed, extension ?? Buffer.alloc(0), payload, pad]);
}

interface Stream {
  readonly codec: SteppedCodec;
  readonly from?: number;
  readonly to?: number;
  /** Milliseconds of a packet. */
  readonly length?: number;
  readonly ssrc?: number;
  readonly sequence?: number;
  /** Of what would be second 0. */
  readonly timestamp?: number;
  readonly head?: Partial<Head>;
  readonly keep?: (at: number) => boolean;
}

/** The packets of a side between two seconds. */
function stream(side: number, of: Stream): readonly Packet[] {
  const { codec, from = 0, to = SECONDS, length = 20, ssrc = 0x1000 + side, sequence = 100, keep } = of;
  const { type, clock } = PAYLOAD[codec];
  return stepPayloads(side, SECONDS, codec, length).flatMap((payload, index) => {
    const at = index * length;
    if (at < from * 1000 || at >= to * 1000 || keep?.(at) === false) return [];
    const timestamp = (of.timestamp ?? 5000) + (at * clock) / 1000;
    const head = { type, sequence: sequence + index, timestamp, ssrc, ...of.head };
    return [{ at, bytes: packet(head, payload) }];
  });
}

/** Octets of a law in packets of changing size. */
function oddSizes(side: number): readonly Packet[] {
  const whole = Buffer.concat(stepPayloads(side, SECONDS, 'pcma'));
  const packets: Packet[] = [];
  for (let from = 0, index = 0; from < whole.length; index++) {
    const size = [37, 160, 201, 80, 1, 319][index % 6] ?? 160;
    const head = { type: 8, sequence: index, timestamp: from, ssrc: 9 };
    packets.push({ at: from / 8, bytes: packet(head, whole.subarray(from, from + size)) });
    from += size;
  }
  return packets;
}

/** A sender report (RFC 3550 §6.4.1) and a name, every two seconds, on the port of the audio. */
const reports = (ssrc: number): readonly Packet[] =>
  Array.from({ length: SECONDS / 2 }, (_none, index) => {
    const at = index * 2000 + 7;
    const report = Buffer.alloc(28 + 12);
    report[0] = 0x80;
    report[1] = 200;
    report.writeUInt16BE(6, 2);
    report.writeUInt32BE(ssrc, 4);
    const wall = Date.now() / 1000 + 2_208_988_800 + at / 1000;
    report.writeUInt32BE(Math.floor(wall) >>> 0, 8);
    report.writeUInt32BE(5000 + at * 8, 16);
    report.writeUInt32BE(index * 100, 20);
    report[28] = 0x81;
    report[29] = 202;
    report.writeUInt16BE(2, 30);
    report.writeUInt32BE(ssrc, 32);
    report[36] = 1;
    report[37] = 1;
    report[38] = 0x61;
    return { at, bytes: report };
  });

interface Scenario {
  readonly sides: readonly (readonly Packet[])[];
  /** Seconds in which each side is heard; all where it is left out. */
  readonly heard?: readonly ((second: number) => boolean)[];
  /** Seconds from and to which the lines are inactive. */
  readonly holds?: readonly (readonly [number, number])[];
  readonly mux?: boolean;
  /** Lines of other media behind the two of audio. */
  readonly more?: string;
  readonly info?: Readonly<Record<string, string | RegExp>>;
}

const SCENARIOS: Readonly<Record<string, () => Scenario>> = {
  'the codec changes again and again, also back': () => ({
    sides: [
      [
        stream(0, { codec: 'pcma', to: 4 }),
        stream(0, { codec: 'opus', from: 4, to: 7 }),
        stream(0, { codec: 'g722', from: 7, to: 10 }),
        stream(0, { codec: 'opus', from: 10, to: 13 }),
        stream(0, { codec: 'pcmu', from: 13, to: 16 }),
        stream(0, { codec: 'pcma', from: 16 }),
      ].flat(),
      [stream(1, { codec: 'g722', to: 9 }), stream(1, { codec: 'pcma', from: 9 })].flat(),
    ],
    info: { 'Caller-Codecs': 'PCMA, OPUS, G722, PCMU', 'Callee-Codecs': 'G722, PCMA' },
  }),
  'hold and resume, with a client that goes on sending and one that does not': () => ({
    sides: [
      stream(0, { codec: 'opus' }),
      inSequence(
        stream(1, {
          codec: 'g722',
          keep: (at) => !(at >= 5000 && at < 8000) && !(at >= 12_000 && at < 16_000),
        }),
      ),
    ],
    holds: [
      [5, 8],
      [12, 16],
    ],
    heard: [0, 1].map(() => (second) => !(second >= 5 && second < 8) && !(second >= 12 && second < 16)),
  }),
  'a leg that begins late, and both with one SSRC': () => ({
    sides: [
      stream(0, { codec: 'pcma', ssrc: 77 }),
      stream(1, { codec: 'pcma', ssrc: 77, from: 12, timestamp: 900_000 }),
    ],
    heard: [() => true, (second) => second >= 12],
    info: { 'Caller-SSRCs': '0000004d', 'Callee-SSRCs': '0000004d', 'Callee-Verdict': /degraded/ },
  }),
  'another SSRC with a clock that begins anew, in Opus and G.722': () => ({
    sides: [
      [
        stream(0, { codec: 'opus', to: 8 }),
        stream(0, { codec: 'opus', from: 8, ssrc: 3, timestamp: -8 * 48_000, sequence: 40_000 }),
      ].flat(),
      [
        stream(1, { codec: 'g722', to: 11 }),
        stream(1, { codec: 'g722', from: 11, ssrc: 4, timestamp: 3_000_000_000, sequence: 9 }),
      ].flat(),
    ],
  }),
  'the numbers and the clock turn over': () => ({
    sides: [
      stream(0, { codec: 'opus', sequence: 65_400, timestamp: 2 ** 32 - 6 * 48_000 }),
      stream(1, { codec: 'g722', sequence: 65_100, timestamp: 2 ** 32 - 8 * 8000 }),
    ],
  }),
  'silence is left out: comfort noise, and Opus that sends nothing': () => ({
    sides: [
      [
        ...stream(0, { codec: 'pcma', keep: (at) => Math.floor(at / 1000) % 3 !== 1 }),
        ...stream(0, {
          codec: 'pcma',
          head: { type: 13 },
          keep: (at) => Math.floor(at / 1000) % 3 === 1 && at % 200 === 0,
        }).map(({ at, bytes }) => ({ at, bytes: bytes.subarray(0, 13) })),
      ],
      [
        ...stream(1, { codec: 'opus', keep: (at) => Math.floor(at / 1000) % 4 !== 2 }),
        // Now and then a packet of which only the first octet is left: nothing has changed (RFC 6716 §3.1).
        ...stream(1, {
          codec: 'opus',
          keep: (at) => Math.floor(at / 1000) % 4 === 2 && at % 400 === 0,
        }).map(({ at, bytes }) => ({ at, bytes: bytes.subarray(0, 13) })),
      ],
    ].map(inSequence),
    heard: [(second) => second % 3 !== 1, (second) => second % 4 !== 2],
    info: { 'Caller-Packets-Lost': '0', 'Callee-Packets-Lost': '0' },
  }),
  'packets of 10 and 60 ms': () => ({
    sides: [stream(0, { codec: 'opus', length: 60 }), stream(1, { codec: 'g722', length: 10 })],
  }),
  'packets of 30 and 40 ms': () => ({
    sides: [stream(0, { codec: 'pcma', length: 30 }), stream(1, { codec: 'opus', length: 40 })],
  }),
  'extensions, contributing sources and padding': () => ({
    sides: [
      stream(0, {
        codec: 'opus',
        head: { csrcs: 3, extension: Buffer.from('bede000210aa21bbbb000000', 'hex') },
      }),
      stream(1, {
        codec: 'pcma',
        head: { csrcs: 15, padding: 8, extension: Buffer.from('10000000', 'hex') },
      }),
    ],
  }),
  'payloads of odd sizes, and reports on the port of the audio': () => ({
    sides: [oddSizes(0), [...stream(1, { codec: 'pcma' }), ...reports(0x1001)]],
    mux: true,
    info: { 'Callee-Reports': /^10 received/ },
  }),
  'lines of other media beside the audio': () => ({
    sides: [stream(0, { codec: 'g722' }), stream(1, { codec: 'g722' })],
    more:
      'm=video 50000 RTP/AVP 99\r\na=rtpmap:99 H264/90000\r\na=label:3\r\na=sendonly\r\n' +
      'm=application 50002 UDP/BFCP *\r\n' +
      'm=image 50004 udptl t38\r\n' +
      'm=message 50006 TCP/MSRP *\r\n',
  }),
};

/** Numbers in the order of sending: what is left out has none. */
function inSequence(packets: readonly Packet[]): readonly Packet[] {
  return [...packets]
    .sort((one, other) => one.at - other.at)
    .map(({ at, bytes }, index) => {
      const own = Buffer.from(bytes);
      own.writeUInt16BE(index, 2);
      return { at, bytes: own };
    });
}

const offerOf = (sockets: readonly Socket[], scenario: Scenario, active: boolean): string =>
  `v=0\r\no=client 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n${sockets
    .map(
      (socket, side) =>
        `m=audio ${socket.address().port} RTP/AVP 8 0 9 111 13 101\r\na=rtpmap:111 opus/48000/2\r\n` +
        `a=rtpmap:101 telephone-event/8000\r\na=label:${side + 1}\r\na=${active ? 'sendonly' : 'inactive'}\r\n${scenario.mux === true ? 'a=rtcp-mux\r\n' : ''}`,
    )
    .join('')}${scenario.more ?? ''}`;

interface Told {
  readonly answer: Received;
  readonly callId: string;
  /** Epoch milliseconds of the first packet. */
  readonly begun: number;
  /** From the answer to a hold to the request that ends it, in seconds from there. */
  readonly held: readonly (readonly [number, number])[];
}

/** One call, in real time. */
async function place(recorder: RecorderProcess, scenario: Scenario): Promise<Told> {
  const sockets = await Promise.all(
    scenario.sides.map(async () => {
      const socket = createSocket('udp4').bind(0, '127.0.0.1');
      await once(socket, 'listening');
      return socket;
    }),
  );
  const peer = await Peer.open('udp', { address: '127.0.0.1', port: recorder.udpPort });
  const client = new RecordingClient(peer);
  const answer = await client.invite({
    headers: { Require: 'siprec' },
    ...multipart(offerOf(sockets, scenario, true), COMPLETE),
  });
  const ports = [...answer.body.matchAll(/^m=audio (\d+)/gm)].map(([, port]) => Number(port));
  const due = scenario.sides
    .flatMap((packets, side) => packets.map(({ at, bytes }) => ({ at, bytes, side })))
    .sort((one, other) => one.at - other.at);
  const begun = Date.now();
  const holding = holdAndResume(client, begun, scenario, sockets);
  for (const { at, bytes, side } of due) {
    const wait = begun + at - Date.now();
    if (wait > 0) await pause(wait);
    sockets[side]?.send(bytes, ports[side] ?? 0, '127.0.0.1');
  }
  const held = await holding;
  await pause(100);
  await client.bye();
  peer.close();
  for (const socket of sockets) socket.close();
  return { answer, callId: client.callId, begun, held };
}

async function holdAndResume(
  client: RecordingClient,
  begun: number,
  scenario: Scenario,
  sockets: readonly Socket[],
): Promise<Told['held']> {
  const offer = async (second: number, active: boolean): Promise<void> => {
    await pause(begun + second * 1000 - Date.now());
    const sdp = { type: 'application/sdp', body: offerOf(sockets, scenario, active) };
    expect((await client.request('INVITE', sdp)).status).toBe(200);
    client.ack();
  };
  const held: [number, number][] = [];
  for (const [from, to] of scenario.holds ?? []) {
    await offer(from, false);
    held.push([(Date.now() - begun) / 1000, to]);
    await offer(to, true);
  }
  return held;
}

const room = new ProductRoom();
const calls = new Map<string, { told: Told; recording: SealedRecording; scenario: Scenario }>();

beforeAll(async () => {
  const recorder = await room.start({ config: { trunks: [{ name: 'phones', from: ['127.0.0.1'] }] } });
  // Encoding would hold up what is sent.
  const made = Object.entries(SCENARIOS).map(([name, make]) => [name, make()] as const);
  await Promise.all(
    made.map(async ([name, scenario]) => {
      const told = await place(recorder, scenario);
      const recording = await eventually(
        () => recordingsIn(recorder.archive).find(({ info }) => info.get('SIP-Call-ID') === told.callId),
        120_000,
      );
      calls.set(name, { told, recording, scenario });
    }),
  );
});

afterAll(() => room.close());

function callOf(name: string): { told: Told; recording: SealedRecording; scenario: Scenario } {
  const call = calls.get(name);
  if (call === undefined) throw new Error('there was no such call');
  return call;
}

describe.each(Object.keys(SCENARIOS))('%s', (name) => {
  test('each second of each side is heard where it was said, and nothing else is', () => {
    const { told, recording, scenario } = callOf(name);
    const copy = recording.path('_playable.wav');
    const path = existsSync(copy) ? copy : recording.path('.wav');
    const shift = (told.begun - Date.parse(recording.info.get('Started') ?? '')) / 1000;
    for (const [side] of scenario.sides.entries()) {
      const samples = decode(path, RATE, side);
      const wrong = Array.from({ length: SECONDS }, (_none, second) => second).flatMap((second) => {
        const [from, to] = [second + shift + 0.25, second + shift + 0.75];
        const expected = scenario.heard?.[side]?.(second) === false ? 0 : stepHertz(side, second);
        const found = loudness(samples, RATE, from, to) < 150 ? 0 : toneIn(samples, RATE, from, to);
        // A hold begins, and ends, when the recorder hears of it.
        const atEdge = (scenario.holds ?? []).flat().includes(second);
        return Math.abs(found - expected) <= 10 || atEdge ? [] : [{ side, second, expected, found }];
      });
      expect(wrong).toEqual([]);
      for (const [from, to] of told.held)
        // The first packet may have been on its way for longer than the others, and then all of them stand later by that.
        expect(loudness(samples, RATE, from + shift + 0.5, to + shift - 0.1)).toBeLessThan(60);
    }
  });

  test('the info file tells it as it was', () => {
    const { recording, scenario } = callOf(name);
    for (const side of ['Caller', 'Callee'])
      for (const fault of ['Late', 'Rejected', 'Duplicate', 'Lost'])
        expect([side, fault, recording.info.get(`${side}-Packets-${fault}`)]).toEqual([side, fault, '0']);
    for (const [key, expected] of Object.entries(scenario.info ?? {}))
      expect(recording.info.get(key)).toEqual(
        typeof expected === 'string' ? expected : expect.stringMatching(expected),
      );
    expect(recording.info.get('Status')).toBe('complete');
  });
});

test('lines that are no audio are refused in their place (SDP-1, SDP-2)', () => {
  const { answer } = callOf('lines of other media beside the audio').told;
  expect([...answer.body.matchAll(/^m=.*$/gm)].slice(2).map(([line]) => line.trim())).toEqual([
    'm=video 0 RTP/AVP 99',
    'm=application 0 UDP/BFCP *',
    'm=image 0 udptl t38',
    'm=message 0 TCP/MSRP *',
  ]);
});
