import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { placeCall, type CallReport } from '../../src/client/call.ts';
import { CALLEE_VOICE, CALLER_VOICE, speakTones } from '../../src/client/tones.ts';
import { startRecorder, type RecorderProcess } from '../support/recorder-process.ts';
import {
  awaitRecordings,
  expectedOctets,
  findOctets,
  recordingsIn,
  run,
  verifyNode,
  verifyShell,
  type SealedRecording,
} from '../support/sealed-recording.ts';
import { readWav } from '../support/wav.ts';

let recorder: RecorderProcess;

beforeAll(async () => {
  recorder = await startRecorder();
});

afterAll(async () => {
  await recorder.stop();
  rmSync(recorder.dataDir, { recursive: true });
});

const caller = speakTones(CALLER_VOICE, 3, 'PCMA');
const callee = speakTones(CALLEE_VOICE, 3, 'PCMA');

describe.each(['udp', 'tcp'] as const)('a call over %s', (transport) => {
  let report: CallReport;
  let recording: SealedRecording;
  let sealedAfter: number;

  beforeAll(async () => {
    const before = recordingCount();
    const port = transport === 'udp' ? recorder.udpPort : recorder.tcpPort;
    report = await placeCall({
      to: `sip:127.0.0.1:${port}`,
      transport,
      caller: { number: '+49301234567', name: 'Anna Adler', law: 'PCMA', audio: caller },
      callee: { number: '+4989555010', name: 'Bert Öhm', law: 'PCMA', audio: callee },
    });
    const all = await awaitRecordings(recorder.archive, before + 1);
    sealedAfter = Date.now() - report.endedAt;
    recording = all.find(({ info }) => info.get('SIP-Call-ID') === report.callId) as SealedRecording;
  });

  test('is answered, and sealed in the archive within two seconds of the BYE', () => {
    expect(report.statusLine).toBe('SIP/2.0 200 OK');
    expect(report.byeStatus).toBe(200);
    expect(sealedAfter).toBeLessThan(2000);
  });

  test('holds the octets that were sent, caller left and callee right', () => {
    const wav = readWav(recording.path('.wav'));
    expect(wav).toMatchObject({ formatTag: 6, channels: 2, rate: 8000, bits: 8 });
    const [left, right] = wav.audio as [Buffer, Buffer];
    expect(report.legs.map((leg) => leg.missing)).toEqual([[], []]);
    expect(findOctets(left, caller, 'PCMA')).toBeGreaterThanOrEqual(0);
    expect(findOctets(right, callee, 'PCMA')).toBeGreaterThanOrEqual(0);
    // Both legs began together; the timeline says so.
    expect(Math.abs(findOctets(left, caller, 'PCMA') - findOctets(right, callee, 'PCMA'))).toBeLessThan(160);
  });

  test('names the parties and the call in its info file', () => {
    expect(recording.name).toMatch(/^\d{8}T\d{6}\.\d{3}Z_[a-z]+_\+49301234567_\+4989555010_[0-9a-f]{8}$/);
    expect(recording.infoText).toContain('Anna Adler');
    expect(recording.infoText).toContain('Bert Öhm');
    expect(recording.info.get('SIP-Call-ID')).toBe(report.callId);
    expect(recording.info.get('Status')).toBe('complete');
  });

  test('can be read by sox and ffprobe', () => {
    const sox = run('soxi', [recording.path('.wav')]);
    expect(sox.output).toMatch(/Channels\s*: 2/);
    expect(sox.output).toMatch(/A-law/);
    const probe = run('ffprobe', [
      '-v',
      'error',
      '-show_entries',
      'stream=codec_name,channels,sample_rate',
      '-of',
      'csv=p=0',
      recording.path('.wav'),
    ]);
    expect(probe.output.trim()).toBe('pcm_alaw,8000,2');
  });

  test('can be checked with openssl and shasum alone', () => {
    const certificate = readdirSync(recorder.archive, { recursive: true })
      .map(String)
      .find((name) => name.endsWith('.pem'));
    const key = run('sh', [
      '-c',
      `openssl x509 -in '${join(recorder.archive, String(certificate))}' -pubkey -noout > '${recorder.dataDir}/pub.pem'`,
    ]);
    expect(key.status).toBe(0);
    const signature = run('openssl', [
      'dgst',
      '-sha256',
      '-verify',
      join(recorder.dataDir, 'pub.pem'),
      '-signature',
      recording.path('_hash.SHA256withRSA.sig'),
      recording.path('_hash.txt'),
    ]);
    expect(signature.output).toContain('Verified OK');
    const hashes = run('shasum', ['-a', '256', '-c', recording.path('_hash.txt')], recording.folder);
    expect(hashes.output.match(/: OK/g)).toHaveLength(2);
    expect(hashes.status).toBe(0);
  });

  test('is found, described and given out by the API, and who took it is in its history', async () => {
    const { recordings } = (await ask('/recordings?number=%2B4930*&limit=5')).json as {
      recordings: { recording: string; callId: string }[];
    };
    const found = recordings.find(({ callId }) => callId === report.callId);
    const at = `/recordings/${found?.recording ?? ''}`;
    expect((await ask(at)).json).toMatchObject({
      fileName: recording.name,
      status: 'complete',
      caller: { number: '+49301234567', name: 'Anna Adler' },
      decision: { rule: 'default' },
    });
    const audio = await ask(`${at}/files/${encodeURIComponent(`${recording.name}.wav`)}?purpose=complaint`);
    expect(audio.octets.equals(readFileSync(recording.path('.wav')))).toBe(true);
    const part = await ask(`${at}/files/${encodeURIComponent(`${recording.name}.wav`)}?as=play`, {
      Range: 'bytes=0-3',
    });
    expect([part.status, part.octets.toString()]).toEqual([206, 'RIFF']);
    expect((await ask(`${at}/files/..%2F..%2Fadmin-token`)).status).toBe(404);
    expect((await ask(at, { Authorization: 'Bearer no' })).status).toBe(401);
    const { steps } = (await ask(at)).json as { steps: { step: string; detail?: string }[] };
    expect(steps.filter(({ step }) => step === 'download' || step === 'play')).toEqual([
      expect.objectContaining({ step: 'download', detail: 'admin-token, purpose complaint' }),
      expect.objectContaining({ step: 'play', detail: 'admin-token, purpose unstated' }),
    ]);
  });

  test('is found intact by both verifiers', () => {
    const node = verifyNode(recording.path('.wav'));
    expect(`${node.status} ${node.output}`).toMatch(/^0 /);
    const shell = verifyShell(['dash'], recording.path('.wav'));
    expect(`${shell.status} ${shell.output}`).toMatch(/^0 /);
  });
});

/** A request to the API of the recorder with its own token. */
async function ask(
  path: string,
  headers: Record<string, string> = {},
): Promise<{ readonly status: number; readonly octets: Buffer; readonly json: unknown }> {
  const token = readFileSync(join(recorder.dataDir, 'admin-token'), 'utf8').trim();
  const response = await fetch(`${recorder.web}/api/v1${path}`, {
    headers: { Authorization: `Bearer ${token}`, ...headers },
  });
  const octets = Buffer.from(await response.arrayBuffer());
  const isJson = (response.headers.get('content-type') ?? '').includes('json');
  return {
    status: response.status,
    octets,
    json: isJson ? (JSON.parse(octets.toString()) as unknown) : undefined,
  };
}

test('the whole archive is intact', () => {
  expect(statSync(join(recorder.archive, 'evidence')).isDirectory()).toBe(true);
  const result = verifyNode(recorder.archive);
  expect(`${result.status} ${result.output}`).toMatch(/^0 /);
});

describe('a disturbed call', () => {
  test('keeps every octet that arrived where it belongs, and counts what did not', async () => {
    const before = recordingCount();
    const report = await placeCall({
      to: `sip:127.0.0.1:${recorder.udpPort}`,
      caller: {
        number: '11',
        law: 'PCMA',
        audio: caller,
        impairment: { loss: 0.1, reorder: 0.1, duplicate: 0.1, seed: 7 },
      },
      callee: {
        number: '12',
        law: 'PCMA',
        audio: callee,
        impairment: { reorder: 0.2, reorderBy: 60, seed: 8 },
        startDelay: 500,
      },
    });
    const recording = (await awaitRecordings(recorder.archive, before + 1)).find(
      ({ info }) => info.get('SIP-Call-ID') === report.callId,
    ) as SealedRecording;
    const [left, right] = readWav(recording.path('.wav')).audio as [Buffer, Buffer];
    const [callerLeg, calleeLeg] = report.legs as [CallReport['legs'][0], CallReport['legs'][0]];
    expect(callerLeg.lost).toBeGreaterThan(5);
    const heardLeft = findOctets(left, expectedOctets(caller, callerLeg, 'PCMA'), 'PCMA');
    const heardRight = findOctets(right, expectedOctets(callee, calleeLeg, 'PCMA'), 'PCMA');
    expect(heardLeft).toBeGreaterThanOrEqual(0);
    expect(heardRight - heardLeft).toBeGreaterThan(3800);
    expect(heardRight - heardLeft).toBeLessThan(4200);
    expect(recording.info.get('Caller-Packets-Lost')).toBe(`${callerLeg.lost}`);
    expect(recording.info.get('Caller-Packets-Duplicate')).toBe(`${callerLeg.duplicated}`);
  });

  test('with two laws becomes one file a leg, nothing converted', async () => {
    const before = recordingCount();
    const ulaw = speakTones(CALLEE_VOICE, 2, 'PCMU');
    const report = await placeCall({
      to: `sip:127.0.0.1:${recorder.udpPort}`,
      caller: { number: '21', law: 'PCMA', audio: caller },
      callee: { number: '22', law: 'PCMU', audio: ulaw },
    });
    const recording = (await awaitRecordings(recorder.archive, before + 1)).find(
      ({ info }) => info.get('SIP-Call-ID') === report.callId,
    ) as SealedRecording;
    const one = readWav(recording.path('_caller.wav'));
    const other = readWav(recording.path('_callee.wav'));
    expect([one.formatTag, other.formatTag]).toEqual([6, 7]);
    expect(findOctets(one.audio[0] as Buffer, caller, 'PCMA')).toBeGreaterThanOrEqual(0);
    expect(findOctets(other.audio[0] as Buffer, ulaw, 'PCMU')).toBeGreaterThanOrEqual(0);
    const verdict = verifyNode(recording.path('_caller.wav'));
    expect(`${verdict.status} ${verdict.output}`).toMatch(/^0 /);
  });

  test('with one line is mono', async () => {
    const before = recordingCount();
    const report = await placeCall({
      to: `sip:127.0.0.1:${recorder.udpPort}`,
      caller: { number: '31', law: 'PCMU', audio: speakTones(CALLER_VOICE, 1, 'PCMU') },
    });
    const recording = (await awaitRecordings(recorder.archive, before + 1)).find(
      ({ info }) => info.get('SIP-Call-ID') === report.callId,
    ) as SealedRecording;
    expect(readWav(recording.path('.wav'))).toMatchObject({ formatTag: 7, channels: 1 });
  });

  test('with broken metadata is recorded all the same, and flagged', async () => {
    const before = recordingCount();
    const report = await placeCall({
      to: `sip:127.0.0.1:${recorder.udpPort}`,
      metadata: 'broken',
      caller: { number: '41', law: 'PCMA', audio: caller.subarray(0, 8000) },
      callee: { number: '42', law: 'PCMA', audio: callee.subarray(0, 8000) },
    });
    const recording = (await awaitRecordings(recorder.archive, before + 1)).find(
      ({ info }) => info.get('SIP-Call-ID') === report.callId,
    ) as SealedRecording;
    expect(recording.info.get('Metadata-Status')).toBe('invalid');
  });
});

const recordingCount = (): number => recordingsIn(recorder.archive).length;
