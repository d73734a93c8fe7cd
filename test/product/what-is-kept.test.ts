import { createSocket } from 'node:dgram';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { encode } from '../../src/media/g711-encoder.ts';
import type { CallReport } from '../../src/client/call.ts';
import { audioLine, RecordingClient, recordingSession, sdpOf } from '../sip/recording-client.ts';
import { Peer } from '../sip/peer.ts';
import { joined, keyTone, quiet } from '../support/keypad.ts';
import { awaitRecording, callTo, expectIntact, ProductRoom } from '../support/product-room.ts';
import { eventually, filesBelow, type RecorderProcess } from '../support/recorder-process.ts';
import { sendRtp } from '../support/rtp-sender.ts';
import { recordingsIn, run, type SealedRecording } from '../support/sealed-recording.ts';
import { readWav } from '../support/wav.ts';

/** A sine at 8 kHz; every one of these calls has frequencies of its own, so that none can be taken for another. */
const sine = (hertz: number, seconds: number): Int16Array =>
  Int16Array.from({ length: seconds * 8000 }, (_none, at) =>
    Math.round(9000 * Math.sin((2 * Math.PI * hertz * at) / 8000)),
  );
const tone = (hertz: number, seconds = 1.5): Buffer => encode(sine(hertz, seconds), 'PCMA');

const CALLS = {
  callerOnly: { callee: '210', tones: [440, 1010] },
  calleeOnly: { callee: '220', tones: [610, 890] },
  both: { callee: '230', tones: [470, 1330] },
} as const;

const RULES = {
  default: 'record',
  rules: [
    { id: 'caller-only', when: { callee: ['210'] }, record: true, legs: 'caller', layout: 'per-leg' },
    { id: 'callee-only', when: { callee: ['220'] }, record: true, legs: 'callee', layout: 'per-leg' },
    { id: 'apart', when: { callee: ['230'] }, record: true, layout: 'per-leg' },
    { id: 'private', when: { number: ['0170*'] }, record: false },
    { id: 'may-stop', when: { callee: ['240'] }, record: true, layout: 'per-leg', mayStop: true },
  ],
};

/** What the callee of the stopped call says before, dials, and says after. */
const BUSINESS = sine(530, 1);
const DIALLED = joined(
  keyTone({ key: '*', milliseconds: 100 }),
  quiet(80),
  keyTone({ key: '1', milliseconds: 100 }),
);
const PRIVATE = sine(730, 1.4);

/** Who is called in a call that the rules keep out. */
const LEFT_OUT = '01701234567';

/** Where a call that is recorded is forwarded to. */
const MOBILE = '01709999999';

const room = new ProductRoom();
let recorder: RecorderProcess;
let reports: Readonly<Record<keyof typeof CALLS | 'stopped', CallReport>>;
let early: SealedRecording;

beforeAll(async () => {
  const config = { rules: RULES, stop: { tones: true }, evidence: { checkpointSeconds: 1 } };
  recorder = await room.start({ config });
  const place = ({ callee, tones: [one, other] }: (typeof CALLS)[keyof typeof CALLS]): Promise<CallReport> =>
    callTo(recorder, {
      caller: { number: '100', law: 'PCMA', audio: tone(one) },
      callee: { number: callee, law: 'PCMA', audio: tone(other) },
    });
  const [callerOnly, calleeOnly, both, stopped] = await Promise.all([
    place(CALLS.callerOnly),
    place(CALLS.calleeOnly),
    place(CALLS.both),
    callTo(recorder, {
      caller: { number: '100', law: 'PCMA', audio: tone(1170, 2.6) },
      callee: { number: '240', law: 'PCMA', audio: encode(joined(BUSINESS, DIALLED, PRIVATE), 'PCMA') },
    }),
    ringingCall(),
    dialledCall('keys'),
    dialledCall('info'),
    callTo(recorder, {
      caller: { number: '100', law: 'PCMA', audio: tone(370) },
      callee: { number: LEFT_OUT, law: 'PCMA', audio: tone(1490) },
    }),
  ]);
  reports = { callerOnly, calleeOnly, both, stopped };
  for (const report of [callerOnly, calleeOnly, both, stopped])
    await awaitRecording(recorder.archive, report, 60_000);
  early = await eventually(
    () => recordingsIn(recorder.archive).find(({ info }) => info.get('SIP-Call-ID') === earlyCallId),
    60_000,
  );
}, 180_000);

afterAll(() => room.close());

let earlyCallId = '';
const RINGING = 425;
const QUEUE = 330;
const BEFORE = 560;
const VOICES = [650, 1090] as const;

const party = (user: string, label: number): string =>
  `<participant participant_id="${user}"><nameID aor="sip:${user}@pbx.example"/></participant>` +
  `<stream stream_id="st${label}" session_id="s1"><label>${label}</label></stream>` +
  `<participantstreamassoc participant_id="${user}"><send>st${label}</send></participantstreamassoc>`;
const metadata = (...parties: readonly string[]): string =>
  `<recording xmlns="urn:ietf:params:xml:ns:recording:1"><datamode>complete</datamode><session session_id="s1"/>${parties.join('')}</recording>`;

/** An SBC that records from set-up on: it rings, a queue plays, somebody answers, the call goes on to a mobile phone and is put on hold, and each is told as it comes. */
async function ringingCall(): Promise<void> {
  const peer = await Peer.open('udp', { address: '127.0.0.1', port: recorder.udpPort });
  const client = new RecordingClient(peer);
  earlyCallId = client.callId;
  const offer = (direction = 'sendonly'): string =>
    sdpOf(audioLine('1', direction), audioLine('2', direction, 49_172));
  const answer = await client.invite(recordingSession(offer(), metadata(party('4930100', 1))));
  const ports = [...answer.body.matchAll(/^m=audio (\d+)/gm)].map(([, port]) => Number(port));
  const start = (line: number, seconds: number) => ({
    ssrc: line + 1,
    sequence: 10 + seconds * 50,
    timestamp: 1000 + seconds * 8000,
  });
  const say = async (from: number, ...tones: readonly number[]): Promise<void> => {
    await sendRtp(
      tones.map((hertz, line) => ({
        address: '127.0.0.1',
        port: ports[line] ?? 0,
        law: 'PCMA',
        audio: tone(hertz, 1),
        start: start(line, from),
      })),
    );
  };
  await say(0, RINGING, RINGING);
  await say(1, QUEUE, QUEUE);
  await client.invite(recordingSession(offer(), metadata(party('4930100', 1), party('4989200', 2))));
  // It goes on to a number whose own calls the rules keep out.
  await client.invite(recordingSession(offer(), metadata(party('4930100', 1), party(MOBILE, 2))));
  await say(2, ...VOICES);
  await client.invite(recordingSession(offer('inactive'), metadata(party('4930100', 1), party(MOBILE, 2))));
  await client.bye();
  peer.close();
}

/** How the user of a call dials *1 beside its audio, and what is said after that, which is in no other call. */
const DIALLINGS = {
  keys: { later: 810, dial: sendEvents },
  info: {
    later: 930,
    dial: async (client: RecordingClient) => {
      await client.request('INFO', { type: 'application/dtmf-relay', body: 'Signal=*\r\nDuration=160\r\n' });
      await client.request('INFO', { type: 'application/dtmf', body: '1' });
    },
  },
} as const;
const dialledCallIds: Record<string, string> = {};

/** Telephone events (RFC 4733) where the audio of a line goes. */
async function sendEvents(_client: RecordingClient, port: number): Promise<void> {
  const socket = createSocket('udp4');
  for (const [at, event] of [10, 1].entries()) {
    const packet = Buffer.alloc(16);
    packet.writeUInt16BE(0x80_65, 0);
    packet.writeUInt16BE(60 + at, 2);
    packet.writeUInt32BE(9000 + at * 1600, 4);
    packet.writeUInt32BE(1, 8);
    packet.writeUInt8(event, 12);
    packet.writeUInt8(10, 13);
    await new Promise((resolve) => {
      socket.send(packet, port, '127.0.0.1', resolve);
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  socket.close();
}

/** A call that says something, dials and says more; the audio goes on whatever the recorder does. */
async function dialledCall(how: keyof typeof DIALLINGS): Promise<void> {
  const { later, dial } = DIALLINGS[how];
  const peer = await Peer.open('udp', { address: '127.0.0.1', port: recorder.udpPort });
  const client = new RecordingClient(peer);
  dialledCallIds[how] = client.callId;
  const parties = metadata(party('100', 1), party('240', 2));
  const answer = await client.invite(
    recordingSession(sdpOf(audioLine('1'), audioLine('2', 'sendonly', 49_172)), parties),
  );
  const ports = [...answer.body.matchAll(/^m=audio (\d+)/gm)].map(([, port]) => Number(port));
  const say = async (hertz: number, sequence: number): Promise<void> => {
    await sendRtp(
      ports.map((port, line) => ({
        address: '127.0.0.1',
        port,
        law: 'PCMA',
        audio: tone(hertz, 1),
        start: { ssrc: line + 1, sequence, timestamp: 1000 + (sequence - 10) * 160 },
      })),
    );
  };
  await say(BEFORE, 10);
  await dial(client, ports[0] ?? 0);
  await say(later, 80);
  await client.bye();
  peer.close();
}

/** The frequency that sox measures in a file, between two seconds: to a tenth, as it says itself. */
function frequencyIn(path: string, from = 0.2, to = 1.2): number {
  const { output } = run('sox', [path, '-n', 'trim', String(from), `=${to}`, 'stat']);
  return Number(/Rough\s+frequency:\s+(\d+)/.exec(output)?.[1]);
}

const audioOf = ({ folder, name }: SealedRecording): readonly string[] =>
  readdirSync(folder)
    .filter((file) => file.startsWith(name) && /\.(?:wav|opus|pcap)$/.test(file))
    .map((file) => file.slice(name.length));

/** Whether octets are in any file, of the recorder or of the archive. */
function isAnywhere(octets: Buffer): boolean {
  return filesBelow(recorder.dataDir).some((file) => {
    // What is there when the list is made may be delivered and gone a moment later.
    try {
      return readFileSync(join(recorder.dataDir, file)).includes(octets);
    } catch {
      return false;
    }
  });
}

describe('of a call of which only one side may be kept', () => {
  test.each([
    ['callerOnly', '_caller.wav', 0],
    ['calleeOnly', '_callee.wav', 1],
  ] as const)(
    '%s: that side is in the only file, and no octet of the other is on the disk',
    async (call, file, kept) => {
      const recording = await awaitRecording(recorder.archive, reports[call]);
      expect(audioOf(recording)).toEqual([file]);
      expect(frequencyIn(recording.path(file)) / CALLS[call].tones[kept]).toBeCloseTo(1, 0.7);
      expect(
        run('ffprobe', ['-v', 'error', '-show_entries', 'stream=channels,codec_name', recording.path(file)])
          .output,
      ).toMatch(/codec_name=pcm_alaw\s+channels=1/);
      expect(isAnywhere(tone(CALLS[call].tones[kept]).subarray(800, 1600))).toBe(true);
      expect(isAnywhere(tone(CALLS[call].tones[1 - kept] ?? 0).subarray(800, 880))).toBe(false);
      expect(recording.info.get('Rule-Legs')).toBe(kept === 0 ? 'caller' : 'callee');
      expect(recording.info.get('Rule-Layout')).toBe('per-leg');
    },
  );
});

test('of a call with one file a leg each has its own side, both are as long, and the evidence holds for both', async () => {
  const recording = await awaitRecording(recorder.archive, reports.both);
  expect(audioOf(recording).toSorted()).toEqual(['_callee.wav', '_caller.wav']);
  const [caller, callee] = ['_caller.wav', '_callee.wav'].map((file) => recording.path(file)) as [
    string,
    string,
  ];
  expect(frequencyIn(caller) / 470).toBeCloseTo(1, 0.7);
  expect(frequencyIn(callee) / 1330).toBeCloseTo(1, 0.7);
  expect(readWav(caller).audio[0]?.length).toBe(readWav(callee).audio[0]?.length);
  const sums = readFileSync(recording.path('_hash.txt'), 'utf8');
  for (const side of ['_caller.wav', '_callee.wav']) expect(sums).toContain(`${recording.name}${side}`);
  expect(run('sha256sum', ['-c', recording.path('_hash.txt')], recording.folder).output).not.toMatch(
    /FAILED/,
  );
});

test('a stop by tones in the audio keeps what was said before, and nothing from the first tone on', async () => {
  const recording = await awaitRecording(recorder.archive, reports.stopped);
  expect(recording.info.get('End-Reason')).toBe('stopped');
  expect(recording.info.get('Stopped')).toMatch(/; by user 240; tones$/);
  const [heard] = readWav(recording.path('_callee.wav')).audio;
  const business = encode(BUSINESS, 'PCMA');
  const at = heard?.indexOf(business.subarray(0, 7000)) ?? -1;
  expect(at).toBeGreaterThanOrEqual(0);
  expect((heard?.length ?? 0) - at).toBeLessThanOrEqual(business.length);
  expect(isAnywhere(encode(DIALLED, 'PCMA').subarray(100, 180))).toBe(false);
  expect(isAnywhere(encode(PRIVATE, 'PCMA').subarray(800, 880))).toBe(false);
  expect(reports.stopped.byeStatus).toBe(200);
});

test.each(['keys', 'info'] as const)(
  'a stop told beside the audio (%s) keeps what was said before, and nothing of what came after',
  async (how) => {
    const { info, path } = await eventually(
      () =>
        recordingsIn(recorder.archive).find((each) => each.info.get('SIP-Call-ID') === dialledCallIds[how]),
      30_000,
    );
    expect(info.get('End-Reason')).toBe('stopped');
    expect(info.get('Stopped')).toMatch(new RegExp(`^\\S+Z; \\d\\.\\d{3} s; by user (?:100|240); ${how}$`));
    const said = tone(BEFORE, 1).subarray(0, 7000);
    for (const file of ['_caller.wav', '_callee.wav'])
      expect(readWav(path(file)).audio[0]?.includes(said)).toBe(true);
    expect(isAnywhere(tone(DIALLINGS[how].later).subarray(800, 880))).toBe(false);
    // The same search finds what was said before.
    expect(isAnywhere(said.subarray(800, 880))).toBe(true);
  },
);

test('what is streamed before the answer is in the file, and what follows a forward to a private phone, with marks for each', () => {
  const marks = [...early.info].filter(([key]) => key.startsWith('Mark-')).map(([, value]) => value);
  expect(marks.map((mark) => mark.split('; ')[0])).toEqual(['ringing', 'answered', 'transferred', 'held']);
  expect(marks[1]).toMatch(/^answered; .*Z; \d+\.\d{3} s; 4989200; by metadata participants$/);
  const wav = early.path('.wav');
  const [left] = readWav(wav).audio;
  const places = [RINGING, QUEUE, VOICES[0]].map(
    (hertz) => left?.indexOf(tone(hertz, 1).subarray(0, 7000)) ?? -1,
  );
  expect(places[0]).toBeGreaterThanOrEqual(0);
  expect(places[1]).toBeGreaterThan(places[0] ?? NaN);
  expect(places[2]).toBeGreaterThan(places[1] ?? NaN);
  const answered = Number(/; (\d+\.\d{3}) s;/.exec(marks[1] ?? '')?.[1]) * 8000;
  // The mark stands between the music of the queue and the first word.
  expect(answered).toBeGreaterThan((places[1] ?? NaN) + 4000);
  expect(answered).toBeLessThan((places[2] ?? NaN) + 8000);
});

test('the API tells the marks, and both verifiers find everything whole after an orderly end', async () => {
  const token = readFileSync(join(recorder.dataDir, 'admin-token'), 'utf8').trim();
  const id = early.info.get('Recording-Id') ?? '';
  const answer = await fetch(`${recorder.web}/api/v1/recordings/${id}`, {
    headers: { Authorization: `Bearer ${token}` },
  });
  const { marks } = (await answer.json()) as { readonly marks: readonly { readonly kind: string }[] };
  expect(marks.map(({ kind }) => kind)).toEqual(['ringing', 'answered', 'transferred', 'held']);
  expect(await recorder.stop()).toBe(0);
  expectIntact(recorder.archive);
});

test('of a call that the rules keep out no number is on the disk, neither in SIP traces nor in what a restart would need', () => {
  expect(isAnywhere(Buffer.from(LEFT_OUT))).toBe(false);
  // The same search finds the numbers of a call that was recorded, in its traces and elsewhere.
  expect(isAnywhere(Buffer.from('sip:4989200@pbx.example'))).toBe(true);
});
