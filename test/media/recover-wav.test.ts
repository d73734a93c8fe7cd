import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFile, copyFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { recoverWav } from '../../src/media/recover-wav.ts';
import { recoverCapture } from '../../src/recorder/recover.ts';
import { aDescription } from '../support/recorder-fakes.ts';
import { wavHeader } from '../../src/media/wav-header.ts';
import { aLine, EngineHarness, START } from './engine-harness.ts';
import { octets } from './rtp-builder.ts';
import { channelsOf, expectSameAudio } from './wav-checks.ts';

const run = promisify(execFile);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'recover-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** A file as it lies on disk while recording goes on: the header says less than there is. */
async function partFile(
  name: string,
  format: { law: 'PCMA' | 'PCMU'; channels: number },
  audio: Buffer,
): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, Buffer.concat([wavHeader(format, 0), audio]));
  return path;
}

test('after a kill everything up to the last second is in the file', async () => {
  const harness = await EngineHarness.create();
  try {
    await harness.engine.open(harness.request([aLine(0, 'caller'), aLine(1, 'callee')]));
    for (let index = 0; index < 400; index++) {
      harness.stream(20_000, index * 20, 1, { sequence: index, clock: index * 160 });
      harness.stream(20_002, index * 20, 1, { sequence: index, clock: index * 160, salt: 1 });
    }
    // Nothing is closed here: the process is gone.
    const path = join(harness.folder, 'audio.wav.part');
    const header = await readFile(path);
    expect(header.readUInt32LE(54)).toBeGreaterThanOrEqual(2 * 8000);
    const file = await recoverWav(path);
    expect(file.samples).toBeGreaterThanOrEqual(400 * 160 - 8000);
    expect(file).toMatchObject({
      suffix: '',
      codec: 'PCMA',
      channelRoles: ['caller', 'callee'],
      channelLines: [],
    });
    const [left, right] = channelsOf(file);
    expectSameAudio(left, octets(0, file.samples));
    expectSameAudio(right, octets(0, file.samples, 1));
    expect(await recoverWav(path)).toEqual(file);
  } finally {
    await harness.dispose();
  }
});

test('after a kill during a stop nothing is left from the stop on', async () => {
  const harness = await EngineHarness.create();
  try {
    await harness.engine.open({
      ...harness.request([aLine(0, 'caller'), aLine(1, 'callee')]),
      layout: 'per-leg',
      mayBeCut: true,
    });
    for (let index = 0; index < 400; index++) {
      harness.stream(20_000, index * 20, 1, { sequence: index, clock: index * 160 });
      harness.stream(20_002, index * 20, 1, { sequence: index, clock: index * 160, salt: 1 });
    }
    const parts = ['caller', 'callee'].map((side) => join(harness.folder, `${side}.wav.part`));
    const later = octets(4 * 8000, 160);
    expect((await readFile(parts[0] ?? '')).includes(later)).toBe(true);
    const description = aDescription();
    const stopped = { at: START + 3000, how: 'keys', actor: 'user 4711' } as const;
    const capture = await recoverCapture({ startedAt: START, description, stopped }, parts);
    expect(capture.files.map(({ suffix, samples }) => [suffix, samples])).toEqual([
      ['caller', 24_000],
      ['callee', 24_000],
    ]);
    expect(capture).toMatchObject({ stopped, endedAt: START + 3000 });
    for (const [at, file] of capture.files.entries()) {
      expectSameAudio(channelsOf(file)[0], octets(0, 24_000, at));
      expect((await readFile(file.path)).length).toBe(file.bytes);
    }
  } finally {
    await harness.dispose();
  }
});

describe('recoverWav', () => {
  test.each([
    ['audio.wav.part', 2, { suffix: '', channelRoles: ['caller', 'callee'], channelLines: [] }],
    ['audio.wav.part', 1, { suffix: '', channelRoles: ['mixed'], channelLines: [] }],
    ['mixed-pcmu.wav.part', 1, { suffix: 'mixed-pcmu', channelRoles: ['mixed'], channelLines: [] }],
    ['callee.wav.part', 1, { suffix: 'callee', channelRoles: ['callee'], channelLines: [] }],
    ['caller-pcmu.wav.part', 1, { suffix: 'caller-pcmu', channelRoles: ['caller'], channelLines: [] }],
    ['line12.wav.part', 1, { suffix: 'line12', channelRoles: ['extra'], channelLines: [12] }],
  ])('reads from the name %s with %i channels what the channels are', async (name, channels, wanted) => {
    const path = await partFile(name, { law: 'PCMU', channels }, octets(0, 800));
    expect(await recoverWav(path)).toMatchObject({
      ...wanted,
      codec: 'PCMU',
      samples: 800 / channels,
      audioOffset: 58,
    });
  });

  test('drops half a frame', async () => {
    const path = await partFile('half.wav.part', { law: 'PCMA', channels: 2 }, octets(0, 801));
    const file = await recoverWav(path);
    expect(file).toMatchObject({ samples: 400, bytes: 858 });
    channelsOf(file);
  });

  test('pads odd audio, and does not take the pad for audio when repeated', async () => {
    const path = await partFile('odd.wav.part', { law: 'PCMA', channels: 1 }, octets(0, 801));
    const file = await recoverWav(path);
    expect(file).toMatchObject({ samples: 801, bytes: 860 });
    expectSameAudio(channelsOf(file)[0], octets(0, 801));
    expect(await recoverWav(path)).toEqual(file);
  });

  test('leaves a finished file exactly as it is', async () => {
    const harness = await EngineHarness.create();
    try {
      await harness.engine.open(harness.request([aLine(0, 'mixed')]));
      harness.send(20_000, 0, { payload: octets(0, 161) });
      harness.advanceTo(20);
      const [file] = (await harness.close()).files;
      expect(file).toMatchObject({ samples: 161 });
      const before = await readFile(file?.path ?? '');
      expect(await recoverWav(file?.path ?? '')).toEqual({ ...file, rate: 8000, channelLines: [] });
      expect(await readFile(file?.path ?? '')).toEqual(before);
    } finally {
      await harness.dispose();
    }
  });

  test('refuses what has no header of ours, and leaves it alone', async () => {
    const good = wavHeader({ law: 'PCMA', channels: 1 }, 10);
    const path = join(folder, 'bad.wav.part');
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
          fc.nat(57).map((length) => good.subarray(0, length)),
          // One altered octet outside the three sizes.
          fc.constantFrom(0, 8, 12, 16, 20, 22, 24, 28, 32, 34, 36, 38, 42, 50).map((at) => {
            const bytes = Buffer.from(good);
            bytes[at] = (bytes[at] ?? 0) ^ 0x40;
            return bytes;
          }),
        ),
        async (bytes) => {
          await writeFile(path, bytes);
          await expect(recoverWav(path)).rejects.toMatchObject({ code: 'BAD_WAV' });
          expect(await readFile(path)).toEqual(bytes);
        },
      ),
      { numRuns: 100 },
    );
  });

  test('passes on that there is no file', async () => {
    await expect(recoverWav(join(folder, 'nothing.wav.part'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('hashes what shasum would', async () => {
    const audio = octets(0, 3_000_001);
    const path = await partFile('long.wav.part', { law: 'PCMA', channels: 1 }, audio);
    // An odd number of octets has a pad behind it.
    const whole = Buffer.concat([audio, Buffer.alloc(1)]);
    expect((await recoverWav(path)).audioSha256).toBe(createHash('sha256').update(whole).digest('hex'));
    await truncate(path, 58);
    await appendFile(path, octets(0, 10));
    expect(await recoverWav(path)).toMatchObject({ samples: 10, bytes: 68 });
  });
});

test.each([
  ['PCMA', 2, 'pcm_alaw', 'A-law'],
  ['PCMU', 1, 'pcm_mulaw', 'u-law'],
] as const)(
  'other programs read a file in %s with %i channels',
  async (law, channels, ffmpegName, soxName) => {
    const part = await partFile(`reader-${law}.wav.part`, { law, channels }, octets(0, 16_001));
    const { samples } = await recoverWav(part);
    const path = join(folder, `reader-${law}.wav`);
    await copyFile(part, path);

    const probe = await run('ffprobe', ['-v', 'warning', '-of', 'json', '-show_streams', path]);
    expect(probe.stderr).toBe('');
    const { streams } = JSON.parse(probe.stdout) as { streams: unknown[] };
    expect(streams).toMatchObject([
      { codec_name: ffmpegName, sample_rate: '8000', channels, duration_ts: samples },
    ]);

    const info = await run('soxi', [path]);
    expect(info.stderr).toBe('');
    expect(info.stdout).toContain(`${samples} samples`);
    expect(info.stdout).toContain(soxName);
  },
);
