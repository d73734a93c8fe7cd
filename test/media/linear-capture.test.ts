import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import type { CapturedFile, CaptureLine, CaptureResult, LineRole } from '../../src/media/capture.ts';
import { recoverFile } from '../../src/media/recover-file.ts';
import { planRender } from '../../src/media/render-plan.ts';
import { Ffmpeg } from '../../src/store/ffmpeg.ts';
import { decode, loudness, toneIn } from '../support/ffmpeg.ts';
import { EngineHarness } from './engine-harness.ts';

const CALLER = 20_000;
const CALLEE = 20_002;
const RATE = 16_000;
const STEREO = 102;
const MONO = 100;

let harness: EngineHarness;

beforeEach(async () => {
  harness = await EngineHarness.create();
});

afterEach(() => harness.dispose());

const aLine = (line: number, role: LineRole): CaptureLine => ({
  line,
  role,
  active: true,
  formats: [
    { payloadType: STEREO, encoding: 'L16', clockRate: RATE, channels: 2 },
    { payloadType: MONO, encoding: 'L16', clockRate: RATE, channels: 1 },
    { payloadType: 9, encoding: 'G722', clockRate: 8000, channels: 1 },
    { payloadType: 8, encoding: 'PCMA', clockRate: 8000, channels: 1 },
  ],
});

const SIDES = [aLine(0, 'caller'), aLine(1, 'callee')];

/** Linear samples as RTP has them, a tone for each channel. */
function tones(seconds: number, ...hertz: readonly number[]): Buffer {
  const audio = Buffer.alloc(seconds * RATE * hertz.length * 2);
  for (let at = 0, frame = 0; at < audio.length; frame++)
    for (const each of hertz)
      at = audio.writeInt16BE(Math.round(8000 * Math.sin((2 * Math.PI * each * frame) / RATE)), at);
  return audio;
}

interface Talk {
  readonly port: number;
  /** Milliseconds. */
  readonly from: number;
  readonly type: number;
  readonly audio: Buffer;
  readonly channels: number;
  readonly sequence?: number;
  readonly skip?: number;
}

/** Sends packets of 20 ms in real time. */
function talk({ port, from, type, audio, channels, sequence = 1, skip }: Talk): void {
  const size = (RATE / 50) * 2 * channels;
  for (let index = 0; index < audio.length / size; index++) {
    if (index === skip) continue;
    harness.send(port, from + index * 20, {
      payloadType: type,
      sequenceNumber: sequence + index,
      timestamp: (from * RATE) / 1000 + index * (RATE / 50),
      ssrc: port,
      payload: audio.subarray(index * size, (index + 1) * size),
    });
  }
}

const little = (audio: Buffer): Buffer => Buffer.from(audio).swap16();

/** The file under the name it will have, checked for what holds for every one. */
function finished(file: CapturedFile | undefined): string {
  if (file === undefined) throw new Error('there is no file');
  const bytes = readFileSync(file.path);
  expect(bytes.length).toBe(file.bytes);
  const hash = createHash('sha256').update(bytes.subarray(file.audioOffset));
  expect(hash.digest('hex')).toBe(file.audioSha256);
  const path = file.path.replace(/\.part$/, '');
  renameSync(file.path, path);
  const entries = ['-show_entries', 'stream=codec_name,sample_rate,channels', '-of', 'csv=p=0'];
  const found = execFileSync('ffprobe', ['-v', 'error', ...entries, path])
    .toString()
    .trim();
  const codec = file.codec === 'L16' ? `pcm_s16le,${RATE}` : 'adpcm_g722,16000';
  expect(found).toBe(`${codec},${file.channelRoles.length}`);
  return path;
}

const audioOf = (path: string): Buffer => readFileSync(path).subarray(58);
const layout = ({ files }: CaptureResult): unknown =>
  files.map(({ suffix, codec, channelLines, channelRoles }) => [suffix, codec, channelLines, channelRoles]);

describe('linear samples of two channels in one stream', () => {
  test('are a stereo file a leg, octet by octet, with what is lost silent on both channels', async () => {
    await harness.engine.open(harness.request(SIDES));
    const caller = tones(2, 500, 900);
    talk({ port: CALLER, from: 0, type: STEREO, audio: caller, channels: 2, skip: 40 });
    talk({ port: CALLEE, from: 2000, type: STEREO, audio: tones(1, 700, 1300), channels: 2 });
    const result = await harness.close();
    expect(layout(result)).toEqual([
      ['caller', 'L16', [0, 0], ['caller', 'caller']],
      ['callee', 'L16', [1, 1], ['callee', 'callee']],
    ]);
    expect(result.legs.map(({ lost, rejected, codecs }) => [lost, rejected, codecs])).toEqual([
      [1, 0, ['L16']],
      [0, 0, ['L16']],
    ]);
    const [left, right] = result.files.map(finished) as [string, string];
    const expected = little(caller);
    expected.fill(0, 40 * 1280, 41 * 1280);
    expect(audioOf(left).subarray(0, expected.length).equals(expected)).toBe(true);
    expect(
      audioOf(right)
        .subarray(2 * RATE * 4)
        .equals(little(tones(1, 700, 1300))),
    ).toBe(true);
    const heard = [0, 1].map((channel) => toneIn(decode(right, RATE, channel), RATE, 2.1, 2.9));
    expect(heard).toEqual([700, 1300]);
  });

  test('as the second codec of a line are a further file from the same zero, and going back returns to the first', async () => {
    await harness.engine.open(harness.request(SIDES));
    talk({ port: CALLER, from: 0, type: MONO, audio: tones(1, 500), channels: 1 });
    talk({ port: CALLEE, from: 1000, type: MONO, audio: tones(1, 600), channels: 1 });
    talk({
      port: CALLER,
      from: 2000,
      type: STEREO,
      audio: tones(1, 700, 1100),
      channels: 2,
      sequence: 51,
    });
    talk({ port: CALLER, from: 3000, type: MONO, audio: tones(1, 800), channels: 1, sequence: 101 });
    const result = await harness.close();
    expect(layout(result)).toEqual([
      ['', 'L16', [0, 1], ['caller', 'callee']],
      [`caller-l16-${RATE}-stereo`, 'L16', [0, 0], ['caller', 'caller']],
    ]);
    expect(result.legs.map(({ lost, rejected }) => [lost, rejected])).toEqual([
      [0, 0],
      [0, 0],
    ]);
    const [shared, own] = result.files.map(finished) as [string, string];
    const [left, right] = [0, 1].map((channel) => decode(shared, RATE, channel)) as [Int16Array, Int16Array];
    expect([toneIn(left, RATE, 0.1, 0.9), toneIn(left, RATE, 3.1, 3.9)]).toEqual([500, 800]);
    expect(toneIn(right, RATE, 1.1, 1.9)).toBe(600);
    expect(loudness(left, RATE, 1, 3)).toBe(0);
    expect(
      audioOf(own)
        .subarray(2 * RATE * 4, 3 * RATE * 4)
        .equals(little(tones(1, 700, 1100))),
    ).toBe(true);
    expect(audioOf(own).subarray(0, 2 * RATE * 4)).toEqual(Buffer.alloc(2 * RATE * 4));
  });

  test('and their static number need no words in the SDP (RFC 3551 table 4)', async () => {
    const line = { ...aLine(0, 'mixed'), formats: [{ payloadType: 8, encoding: 'PCMA', clockRate: 8000 }] };
    await harness.engine.open(harness.request([line]));
    harness.send(CALLER, 20, { payloadType: 10, payload: Buffer.alloc(441 * 4, 3) });
    const { files, legs } = await harness.close();
    expect(files).toMatchObject([{ codec: 'L16', rate: 44_100, channelLines: [0, 0] }]);
    expect(legs[0]).toMatchObject({ codecs: ['L16'], rejected: 0 });
  });

  test.each([
    ['caller', 'caller', [700, 0]],
    ['mixed', '', [700, 1300]],
  ] as const)(
    'of the %s are put in order after a crash, and play where they belong',
    async (role, suffix, expected) => {
      const lines = role === 'mixed' ? [aLine(0, role)] : SIDES;
      await harness.engine.open(harness.request(lines));
      talk({ port: CALLER, from: 0, type: STEREO, audio: tones(2, 700, 1300), channels: 2 });
      harness.advanceTo(4000);
      const [part] = readdirSync(harness.folder).filter((name) => name.endsWith('.part'));
      const torn = join(harness.folder, `torn/${part ?? ''}`.replace('torn/', 'torn-'));
      copyFileSync(join(harness.folder, part ?? ''), torn);
      const result = await harness.close();
      expect(result.files[0]).toMatchObject({ suffix, channelRoles: [role, role] });
      renameSync(torn, join(harness.folder, part ?? ''));
      const recovered = await recoverFile(join(harness.folder, part ?? ''));
      // The name of the only line is also that of both sides; the journal knows better.
      const roles = role === 'mixed' ? ['caller', 'callee'] : [role, role];
      expect(recovered).toMatchObject({ suffix, rate: RATE, channelRoles: roles });
      expect(recovered.samples).toBeGreaterThanOrEqual(16_000);

      const plan = planRender({ ...result, files: [{ ...recovered, channelRoles: [role, role] }] }, 48_000);
      if (plan === undefined) throw new Error('nothing can be decoded');
      const copy = join(harness.folder, 'playable.wav');
      const renderer = new Ffmpeg({ program: 'ffmpeg', timeoutSeconds: 60, memoryMegabytes: 1024 });
      await renderer.render(plan, copy, new AbortController().signal);
      const [left, right] = [0, 1].map((channel) => decode(copy, RATE, channel)) as [Int16Array, Int16Array];
      expect(toneIn(left, RATE, 0.2, 1.8)).toBe(expected[0]);
      if (expected[1] === 0) expect(loudness(right, RATE, 0, 2)).toBe(0);
      else expect(toneIn(right, RATE, 0.2, 1.8)).toBe(expected[1]);
    },
  );
});

describe('the stereo file of linear samples', () => {
  test.each([
    ['at once', 0],
    ['after the file has been begun', 3000],
  ])('becomes the first side’s own when the second speaks another codec, %s', async (_when, later) => {
    await harness.engine.open({ ...harness.request(SIDES), mayBeCut: true });
    const caller = tones(2 + later / 1000, 500);
    const size = (RATE / 50) * 2;
    const before = Math.max(1, Math.round(later / 20));
    talk({
      port: CALLER,
      from: 0,
      type: MONO,
      audio: caller.subarray(0, before * size),
      channels: 1,
    });
    harness.send(CALLEE, before * 20, { payloadType: 9, sequenceNumber: 1, payload: Buffer.alloc(160, 7) });
    talk({
      port: CALLER,
      from: before * 20,
      type: MONO,
      audio: caller.subarray(before * size),
      channels: 1,
      sequence: 1 + before,
    });
    const result = await harness.close();
    expect(layout(result)).toEqual([
      ['caller', 'L16', [0], ['caller']],
      ['callee', 'G722', [1], ['callee']],
    ]);
    expect(readdirSync(harness.folder).sort()).toEqual(['callee.wav.part', 'caller.wav.part']);
    const [own] = result.files.map(finished) as [string];
    expect(audioOf(own).equals(little(caller))).toBe(true);
  });

  test('is one channel less also where the recording is cut back to before that', async () => {
    await harness.engine.open({ ...harness.request(SIDES), mayBeCut: true });
    const caller = tones(6, 500);
    const size = (RATE / 50) * 2;
    talk({ port: CALLER, from: 0, type: MONO, audio: caller.subarray(0, 250 * size), channels: 1 });
    harness.send(CALLEE, 5000, { payloadType: 8, sequenceNumber: 1, payload: Buffer.alloc(160, 7) });
    talk({
      port: CALLER,
      from: 5000,
      type: MONO,
      audio: caller.subarray(250 * size),
      channels: 1,
      sequence: 251,
    });
    const cut = harness.wall - 3000;
    const result = await harness.engine.close('rec1', cut, true);
    expect(layout(result)).toEqual([
      ['caller', 'L16', [0], ['caller']],
      ['callee', 'PCMA', [1], ['callee']],
    ]);
    const own = audioOf(finished(result.files[0]));
    expect(own.length).toBeGreaterThan(2.9 * RATE * 2);
    expect(own.length).toBeLessThanOrEqual(3 * RATE * 2);
    expect(own.equals(little(caller).subarray(0, own.length))).toBe(true);
  });
});
