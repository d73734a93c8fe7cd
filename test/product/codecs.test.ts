import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CallReport } from '../../src/client/call.ts';
import { encodeTones, type TestCodec } from '../../src/client/encoded-tones.ts';
import { CALLEE_VOICE, CALLER_VOICE } from '../../src/client/tones.ts';
import { decode, loudness, toneIn } from '../support/ffmpeg.ts';
import { awaitRecording, callTo, callToBeCutOff, ProductRoom } from '../support/product-room.ts';
import { eventually, mediaPorts, type RecorderProcess } from '../support/recorder-process.ts';
import { recordingsIn, verifyNode, verifyShell, type SealedRecording } from '../support/sealed-recording.ts';

jest.setTimeout(120_000);

const room = new ProductRoom();
let recorder: RecorderProcess;

beforeAll(async () => {
  recorder = await room.start({ config: { evidence: { checkpointSeconds: 1 } } });
});

afterAll(async () => {
  await room.close();
});

async function callIn(codec: TestCodec, seconds: number): Promise<SealedRecording> {
  const report: CallReport = await callTo(recorder, {
    caller: { number: '100', ...(await encodeTones(CALLER_VOICE, seconds, codec)) },
    callee: { number: '200', ...(await encodeTones(CALLEE_VOICE, seconds, codec)), startDelay: 300 },
  });
  expect(report.statusLine).toBe('SIP/2.0 200 OK');
  return awaitRecording(recorder.archive, report, 30_000);
}

const filesOf = ({ folder, name }: SealedRecording): readonly string[] =>
  readdirSync(folder)
    .filter((file) => file.startsWith(name) && /\.(wav|opus|pcap)$/.test(file))
    .map((file) => file.slice(name.length))
    .sort();

describe.each<[TestCodec, string, readonly string[]]>([
  ['opus', 'OPUS', ['_callee.opus', '_caller.opus', '_playable.wav']],
  ['g722', 'G722', ['_callee.wav', '_caller.wav', '_playable.wav']],
])('a call in %s', (codec, name, files) => {
  let recording: SealedRecording;

  beforeAll(async () => {
    recording = await callIn(codec, 3);
  });

  test('keeps the originals and a playable copy, all hashed, signed and named', async () => {
    expect(filesOf(recording)).toEqual(files);
    expect(recording.info.get('Status')).toBe('complete');
    expect(recording.info.get('Codec')).toBe(name);
    expect(recording.info.get('File-3')).toBe(`${recording.name}_playable.wav`);
    expect(recording.info.get('File-3-Derivative')).toMatch(/^made of the other files by ffmpeg \d/);
    expect(recording.info.get('Caller-Verdict')).toBe('good');
    expect(recording.info.get('Callee-Levels')).toBe('measured on the playable copy');
    expect(Number.parseFloat(recording.info.get('Callee-Sounding') ?? '0')).toBeGreaterThan(10);
    await intact(recording);
  });

  test('plays the caller left and the callee right, each where it was heard', () => {
    const path = recording.path('_playable.wav');
    const [left, right] = [decode(path, 16_000, 0), decode(path, 16_000, 1)];
    expect(left.length).toBe(right.length);
    // The callee began 0.3 s later; its turn to speak comes 1.5 s after that.
    const firstSound = (samples: Int16Array): number => {
      for (let at = 0; at < samples.length; at += 160)
        if (loudness(samples, 16_000, at / 16_000, at / 16_000 + 0.02) > 100) return at / 16_000;
      return NaN;
    };
    const begin = firstSound(left);
    expect(begin).toBeLessThan(1.5);
    expect(toneIn(left, 16_000, begin + 0.3, begin + 1.1)).toBe(440);
    expect(toneIn(right, 16_000, begin + 2.1, begin + 2.9)).toBe(620);
    const [caller, callee] = [recording.path(files[1] ?? ''), recording.path(files[0] ?? '')];
    expect(toneIn(decode(caller, 16_000), 16_000, begin + 0.3, begin + 1.1)).toBe(440);
    expect(toneIn(decode(callee, 16_000), 16_000, begin + 2.1, begin + 2.9)).toBe(620);
  });
});

test('a call in G.729 is kept, and one in linear samples shares a stereo file', async () => {
  const g729 = await callIn('g729', 1);
  expect(filesOf(g729)).toEqual(['_callee.wav', '_caller.wav', '_playable.wav']);
  expect(g729.info.get('Caller-Codecs')).toBe('G729');
  const l16 = await callIn('l16', 1);
  expect(filesOf(l16)).toEqual(['.wav', '_playable.wav']);
  expect(l16.info.get('File-1-Channels')).toBe('2 (left caller, right callee)');
});

test('linear samples of two channels in one stream are a stereo file a leg, and one side of the copy', async () => {
  const recording = await callIn('l16-stereo', 3);
  expect(filesOf(recording)).toEqual(['_callee.wav', '_caller.wav', '_playable.wav']);
  expect(recording.info.get('Caller-Codecs')).toBe('L16');
  const channels = ['File-1-Channels', 'File-2-Channels'].map((key) => recording.info.get(key));
  expect(channels.sort()).toEqual(['2 (left callee, right callee)', '2 (left caller, right caller)']);
  const [caller, copy] = ['_caller.wav', '_playable.wav'].map((ending) => recording.path(ending)) as [
    string,
    string,
  ];
  // In the first turn it is the caller's to speak; the right channel is an octave higher.
  const heard = [0, 1].map((channel) => toneIn(decode(caller, 16_000, channel), 16_000, 0.4, 1.2));
  expect(heard).toEqual([440, 880]);
  const left = decode(copy, 16_000, 0);
  expect([440, 880]).toContain(toneIn(left, 16_000, 0.4, 1.2));
  expect(loudness(left, 16_000, 0.4, 1.2)).toBeGreaterThan(1000);
  expect([620, 1240]).toContain(toneIn(decode(copy, 16_000, 1), 16_000, 2, 2.8));
  await intact(recording);
});

test('without ffmpeg the recording is complete without a copy, and says so', async () => {
  const bare = await room.start({
    config: { media: { ports: mediaPorts(), render: { ffmpeg: '/nowhere/ffmpeg' } } },
  });
  const report = await callTo(bare, {
    caller: { number: '100', ...(await encodeTones(CALLER_VOICE, 1, 'g722')) },
    callee: { number: '200', ...(await encodeTones(CALLEE_VOICE, 1, 'g722')) },
  });
  const recording = await awaitRecording(bare.archive, report, 30_000);
  expect(filesOf(recording)).toEqual(['_callee.wav', '_caller.wav']);
  expect(recording.info.get('Status')).toBe('complete');
  expect(recording.info.get('Playable-Copy')).toBe('none; MISSING: no program /nowhere/ffmpeg');
});

test('a crash in mid-call costs a second; the next start takes up files of every codec', async () => {
  const first = await room.start();
  const hangUp = new AbortController();
  await callToBeCutOff(first, {
    signal: hangUp.signal,
    caller: { number: '100', ...(await encodeTones(CALLER_VOICE, 20, 'opus')) },
    callee: { number: '200', ...(await encodeTones(CALLEE_VOICE, 20, 'g722')) },
  });
  await eventually(() => (partsOf(first.dataDir).length === 2 ? true : undefined), 10_000);
  await first.kill();
  // Its packets would reach whoever gets these ports next.
  hangUp.abort();
  // Half a page came last.
  const [opus] = partsOf(first.dataDir).filter((part) => part.endsWith('.opus.part'));
  writeFileSync(opus ?? '', Buffer.from('OggS'), { flag: 'a' });
  const second = await room.start({ dataDir: first.dataDir });
  const [recording] = await eventually(() => {
    const all = recordingsIn(second.archive);
    return all.length > 0 ? all : undefined;
  }, 30_000);
  if (recording === undefined) throw new Error('nothing was recovered');
  expect([recording.info.get('Status'), recording.info.get('Warning-1')]).toEqual([
    'recovered',
    'statistics of the legs were lost with the process that crashed',
  ]);
  expect(filesOf(recording)).toEqual(['_callee.wav', '_caller.opus', '_playable.wav']);
  const heard = decode(recording.path('_caller.opus'), 8000);
  expect(heard.length).toBeGreaterThan(0);
  await intact(recording);
});

/** Both verifiers find it whole, once its entry has been exported and no export is under way. */
async function intact(recording: SealedRecording): Promise<void> {
  const path = recording.path('_playable.wav');
  await eventually(() => (verifyNode(path).status === 0 ? true : undefined), 20_000);
  await eventually(() => (verifyShell(['dash'], path).status === 0 ? true : undefined), 20_000);
}

const partsOf = (dataDir: string): readonly string[] => {
  const spool = join(dataDir, 'spool');
  return readdirSync(spool).flatMap((folder) =>
    readdirSync(join(spool, folder))
      .filter((name) => name.endsWith('.part'))
      .map((name) => join(spool, folder, name)),
  );
};
