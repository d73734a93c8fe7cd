import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeRtpPcap } from '../support/pcap.ts';
import { startRecorder, type RecorderProcess } from '../support/recorder-process.ts';
import {
  awaitRecordings,
  findOctets,
  recordingsIn,
  run,
  verifyNode,
  verifyShell,
  type SealedRecording,
} from '../support/sealed-recording.ts';
import { runSipp } from '../support/sipp.ts';
import { makeSpeech, type Speech } from '../support/speech.ts';
import { readWav } from '../support/wav.ts';

let recorder: RecorderProcess;
let folder: string;
let speech: Speech;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sealtape-sipp-'));
  speech = await makeSpeech(folder, 'PCMA');
  await writeRtpPcap(join(folder, 'legs.pcap'), [
    {
      octets: speech.caller,
      payloadType: 8,
      start: { ssrc: 0x11, sequence: 65_500, timestamp: 0xffffff00 },
      portOffset: 0,
    },
    {
      octets: speech.callee,
      payloadType: 8,
      start: { ssrc: 0x22, sequence: 7, timestamp: 1600 },
      portOffset: 2,
    },
  ]);
  recorder = await startRecorder();
});

afterAll(async () => {
  await recorder.stop();
  for (const each of [recorder.dataDir, folder]) rmSync(each, { recursive: true });
});

describe.each(['udp', 'tcp'] as const)('SIPp over %s, speaking', (transport) => {
  test('is recorded octet for octet, through the wrap of sequence numbers and timestamps', async () => {
    const before = recordingsIn(recorder.archive).length;
    const port = transport === 'udp' ? recorder.udpPort : recorder.tcpPort;
    const result = await runSipp({
      scenario: 'basic',
      server: { address: '127.0.0.1', port },
      transport,
      folder,
    });
    expect(result).toEqual({ code: 0, errors: '' });
    const recordings = await awaitRecordings(recorder.archive, before + 1);
    const recording = recordings.at(-1);
    const [left, right] = readWav(recording?.path('.wav') ?? '').audio as [Buffer, Buffer];
    expect(findOctets(left, speech.caller, 'PCMA')).toBeGreaterThanOrEqual(0);
    expect(findOctets(right, speech.callee, 'PCMA')).toBeGreaterThanOrEqual(0);
    expect(recording?.info.get('PBX-Software')).toBe('SIPp');
    expect(recording?.info.get('Caller-Packets-Lost')).toBe('0');
    // It is speech still: sox hears about as much in the recording as in what was spoken.
    const heard = loudness(['-t', 'wav', recording?.path('.wav') ?? '', '-n', 'remix', '1', 'stat']);
    const spoken = loudness(['-t', 'wav', join(folder, 'caller.wav'), '-n', 'stat']);
    expect(heard).toBeGreaterThan(spoken / 4);
  });
});

test('a second communication session in the same dialog is a second recording, and no octet falls between the two', async () => {
  const before = recordingsIn(recorder.archive).length;
  const server = { address: '127.0.0.1', port: recorder.udpPort };
  expect(await runSipp({ scenario: 'new-session', server, transport: 'udp', folder })).toEqual({
    code: 0,
    errors: '',
  });
  const found = await awaitRecordings(recorder.archive, before + 2);
  const [first, second] = found.slice(-2) as [SealedRecording, SealedRecording];
  expect(first.info.get('End-Reason')).toBe('replaced');
  expect(second.info.get('Callee-Number')).toBe('+12025550103');
  expect(second.info.get('Previous-Recording')).toBe(first.name);
  const packets = [first, second].map(({ info }) => Number(info.get('Caller-Packets-Received')));
  expect(packets.reduce((sum, count) => sum + count)).toBe(speech.caller.length / 160);
  expectContinued(first, second, 0, speech.caller);
  expectContinued(first, second, 1, speech.callee);
});

/** What the first recording ends with, the second goes on from: between them at most the silence of one packet's way. */
function expectContinued(
  first: SealedRecording,
  second: SealedRecording,
  channel: number,
  spoken: Buffer,
): void {
  const [head, tail] = [first, second].map(({ path }) => readWav(path('.wav')).audio[channel]) as [
    Buffer,
    Buffer,
  ];
  const begin = head.indexOf(spoken.subarray(0, 8000));
  const rest = tail.indexOf(spoken.subarray(-8000));
  expect(begin).toBeGreaterThanOrEqual(0);
  expect(rest).toBeGreaterThanOrEqual(0);
  expect(Math.abs(head.length - begin + rest + 8000 - spoken.length)).toBeLessThan(320);
}

test('SIPp holding and resuming hears no 4xx, and the archive stays intact', async () => {
  const before = recordingsIn(recorder.archive).length;
  await writeRtpPcap(join(folder, 'legs-resumed.pcap'), [
    {
      octets: speech.caller,
      payloadType: 8,
      start: { ssrc: 0x11, sequence: 2000, timestamp: 900_000 },
      portOffset: 0,
    },
    {
      octets: speech.callee,
      payloadType: 8,
      start: { ssrc: 0x22, sequence: 3000, timestamp: 900_000 },
      portOffset: 2,
    },
  ]);
  const result = await runSipp({
    scenario: 'hold',
    server: { address: '127.0.0.1', port: recorder.udpPort },
    transport: 'udp',
    folder,
  });
  expect(result).toEqual({ code: 0, errors: '' });
  await awaitRecordings(recorder.archive, before + 1);
  const node = verifyNode(recorder.archive);
  expect(`${String(node.status)} ${node.output}`).toMatch(/^0 /);
  for (const shell of [['dash'], ['busybox', 'sh']]) {
    const verdict = verifyShell(shell, recorder.archive);
    expect(`${String(verdict.status)} ${verdict.output}`).toMatch(/^0 /);
  }
});

/** RMS amplitude as sox measures it. */
function loudness(args: readonly string[]): number {
  return Number(/RMS\s+amplitude:\s+([\d.]+)/.exec(run('sox', args).output)?.[1]);
}
