import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CapturedFile, CaptureLine, LineRole } from '../../src/media/capture.ts';
import { recoverFile } from '../../src/media/recover-file.ts';
import { decode, ffmpeg, loudness, toneIn } from '../support/ffmpeg.ts';
import { readOgg } from '../support/ogg.ts';
import { EngineHarness, START } from './engine-harness.ts';
import { octets } from './rtp-builder.ts';

const CALLER = 20_000;
const CALLEE = 20_002;

let harness: EngineHarness;

beforeEach(async () => {
  harness = await EngineHarness.create();
});

afterEach(async () => {
  await harness.dispose();
});

/** A line that offers what a modern client does. */
const wideLine = (line: number, role: LineRole): CaptureLine => ({
  line,
  role,
  active: true,
  formats: [
    { payloadType: 111, encoding: 'OPUS', clockRate: 48_000, channels: 2 },
    { payloadType: 9, encoding: 'G722', clockRate: 8000, channels: 1 },
    { payloadType: 8, encoding: 'PCMA', clockRate: 8000, channels: 1 },
    { payloadType: 18, encoding: 'G729', clockRate: 8000, channels: 1 },
    { payloadType: 100, encoding: 'L16', clockRate: 16_000, channels: 1 },
    { payloadType: 96, encoding: 'AMR', clockRate: 8000, channels: 1 },
    { payloadType: 101, encoding: 'TELEPHONE-EVENT', clockRate: 48_000, channels: 1 },
  ],
});

interface Burst {
  readonly type: number;
  /** Timestamp units from one packet to the next. */
  readonly step: number;
  readonly sequence?: number;
  readonly clock?: number;
  readonly skip?: (index: number) => boolean;
}

/** Sends payloads in real time, 20 ms apart. */
function send(port: number, from: number, payloads: readonly Buffer[], burst: Burst): void {
  const { type, step, sequence = 1, clock = 0, skip = () => false } = burst;
  payloads.forEach((payload, index) => {
    if (skip(index)) return;
    harness.send(port, from + index * 20, {
      payloadType: type,
      sequenceNumber: sequence + index,
      timestamp: clock + index * step,
      ssrc: type,
      payload,
    });
  });
}

const slices = (bytes: Buffer, size: number): readonly Buffer[] =>
  Array.from({ length: Math.floor(bytes.length / size) }, (_none, at) =>
    bytes.subarray(at * size, (at + 1) * size),
  );

/** A tone as Opus packets of 20 ms, encoded by somebody else's encoder. */
function opusTone(hertz: number, seconds: number): readonly Buffer[] {
  const path = join(harness.folder, `tone-${hertz}.ogg`);
  const source = `sine=f=${hertz}:r=48000:d=${seconds}`;
  ffmpeg(['-f', 'lavfi', '-i', source, '-c:a', 'libopus', '-b:a', '24k', '-application', 'voip', path]);
  return readOgg(path).packets;
}

function g722Tone(hertz: number, seconds: number): Buffer {
  const path = join(harness.folder, `tone-${hertz}.g722`);
  ffmpeg(['-f', 'lavfi', '-i', `sine=f=${hertz}:r=16000:d=${seconds}`, '-c:a', 'g722', '-f', 'g722', path]);
  return readFileSync(path);
}

/** The file under the name it will have, checked for what holds for every one. */
function finished(file: CapturedFile | undefined): string {
  if (file === undefined) throw new Error('there is no file');
  const bytes = readFileSync(file.path);
  expect(bytes.length).toBe(file.bytes);
  const audio = bytes.subarray(file.audioOffset);
  expect(createHash('sha256').update(audio).digest('hex')).toBe(file.audioSha256);
  const path = file.path.replace(/\.part$/, '');
  renameSync(file.path, path);
  return path;
}

const probe = (path: string): string =>
  execFileSync('ffprobe', [
    ...['-v', 'error', '-show_entries', 'stream=codec_name,sample_rate,channels', '-of', 'csv=p=0', path],
  ])
    .toString()
    .trim();

describe('G.722', () => {
  test('keeps every octet in a WAV a leg, gaps filled, and readable by others', async () => {
    await harness.engine.open(harness.request([wideLine(0, 'caller'), wideLine(1, 'callee')]));
    const caller = g722Tone(440, 2);
    const callee = g722Tone(900, 1);
    send(CALLER, 0, slices(caller, 160), { type: 9, step: 160, skip: (index) => index === 30 });
    send(CALLEE, 2500, slices(callee, 160), { type: 9, step: 160, clock: 77 });
    const result = await harness.close();
    expect(result.files.map(({ suffix, codec, extension }) => [suffix, codec, extension])).toEqual([
      ['caller', 'G722', 'wav'],
      ['callee', 'G722', 'wav'],
    ]);
    expect(result.legs.map(({ lost, codecs }) => [lost, codecs])).toEqual([
      [1, ['G722']],
      [0, ['G722']],
    ]);
    const [left, right] = result.files.map(finished) as [string, string];
    const expected = Buffer.concat([
      caller.subarray(0, 4800),
      Buffer.alloc(160, 0xfd),
      caller.subarray(4960),
      Buffer.alloc(12_000, 0xfd),
    ]);
    expect(readFileSync(left).subarray(58).equals(expected)).toBe(true);
    expect(
      readFileSync(right)
        .subarray(58 + 20_000)
        .equals(callee),
    ).toBe(true);
    expect(probe(right)).toBe('adpcm_g722,16000,1');
    const heard = decode(right, 16_000);
    expect(heard.length).toBe(56_000);
    expect(toneIn(heard, 16_000, 2.6, 3.4)).toBe(900);
    expect(loudness(heard, 16_000, 0.1, 2.4)).toBeLessThan(60);
  });

  test('puts a straggler into its place', async () => {
    await harness.engine.open(harness.request([wideLine(0, 'mixed')]));
    const audio = octets(0, 16_000);
    const packets = slices(audio, 160);
    send(CALLER, 0, packets, { type: 9, step: 160, skip: (index) => index === 20 });
    harness.send(CALLER, 2001, {
      payloadType: 9,
      sequenceNumber: 21,
      timestamp: 3200,
      ssrc: 9,
      payload: packets[20] ?? audio,
    });
    const result = await harness.close();
    expect(
      readFileSync(finished(result.files[0]))
        .subarray(58, 58 + 16_000)
        .equals(audio),
    ).toBe(true);
    expect(result.legs[0]).toMatchObject({ reordered: 1, lost: 0, gapCount: 0 });
  });
});

describe('Opus', () => {
  test('keeps every packet in Ogg, with a granule position that only its packets move', async () => {
    await harness.engine.open(harness.request([wideLine(0, 'mixed')]));
    const tone = opusTone(440, 3);
    // Ten packets lost, a straggler, and a pause of the sender's encoder.
    const lost = (index: number): boolean => (index >= 50 && index < 60) || index === 70;
    send(CALLER, 1000, tone.slice(0, 100), { type: 111, step: 960, skip: lost, clock: 5000 });
    harness.send(CALLER, 3001, {
      payloadType: 111,
      sequenceNumber: 71,
      timestamp: 5000 + 70 * 960,
      ssrc: 111,
      payload: tone[70] ?? tone[0] ?? Buffer.alloc(0),
    });
    send(CALLER, 4000, tone.slice(100), { type: 111, step: 960, sequence: 101, clock: 5000 + 150 * 960 });
    const result = await harness.close();
    const [file] = result.files;
    expect(file).toMatchObject({
      suffix: '',
      codec: 'OPUS',
      extension: 'opus',
      rate: 48_000,
      audioOffset: 0,
    });
    expect(result.legs[0]).toMatchObject({ lost: 10, reordered: 1, rejected: 0, gapCount: 2 });
    const path = finished(file);
    const ogg = readOgg(path);
    expect(ogg.headers[0]?.toString('latin1', 0, 8)).toBe('OpusHead');
    expect(ogg.headers[0]?.[9]).toBe(1);
    expect(ogg.headers[1]?.toString('latin1', 0, 8)).toBe('OpusTags');
    expect([ogg.flags[0], ogg.flags.at(-1)]).toEqual([2, 4]);
    // A second of lead, two of packets, one of pause, then the rest; and the linger of the end.
    const total = 1000 + 3000 + (tone.length - 100) * 20;
    expect(Math.abs((ogg.granules.at(-1) ?? 0) / 48 - total)).toBeLessThan(150);
    expect(ogg.granules.slice(2).every((granule, at, all) => at === 0 || granule > (all[at - 1] ?? 0))).toBe(
      true,
    );
    expect(
      Math.max(...ogg.granules.slice(2).map((granule, at, all) => granule - (all[at - 1] ?? 0))),
    ).toBeLessThanOrEqual(48_000);
    const sent = tone.filter((_packet, index) => index < 50 || index >= 60);
    const kept = ogg.packets.filter((packet) => sent.some((one) => one.equals(packet)));
    expect(kept.length).toBeGreaterThanOrEqual(sent.length);
    expect(probe(path)).toBe('opus,48000,1');
    const heard = decode(path, 8000);
    expect(Math.abs(heard.length / 8 - total)).toBeLessThan(150);
    expect(toneIn(heard, 8000, 1.2, 1.9)).toBe(440);
    expect(loudness(heard, 8000, 0, 0.98)).toBe(0);
    expect(loudness(heard, 8000, 1.1, 1.9)).toBeGreaterThan(1000);
    // Silence where nothing was sent, after what a decoder conceals.
    expect(loudness(heard, 8000, 3.6, 3.95)).toBeLessThan(30);
    expect(toneIn(heard, 8000, 4.2, 4.8)).toBe(440);
  });

  test('loses at most a second to a crash', async () => {
    await harness.engine.open(harness.request([wideLine(0, 'caller'), wideLine(1, 'callee')]));
    const tone = opusTone(620, 4);
    send(CALLER, 0, tone, { type: 111, step: 960 });
    const crashed = join(harness.folder, 'caller.opus.part.copy.opus.part');
    copyFileSync(join(harness.folder, 'caller.opus.part'), crashed);
    // Half a page came last.
    const cut = readFileSync(crashed);
    writeFileSync(crashed, Buffer.concat([cut, cut.subarray(0, 100)]));
    const stopped = `${crashed}.stopped.opus.part`;
    copyFileSync(crashed, stopped);
    const until = await recoverFile(stopped, { startedAt: START, until: START + 1500 });
    expect(until.samples).toBeLessThanOrEqual(1.5 * 8000);
    expect(until.samples).toBeGreaterThan(0);
    expect(readFileSync(stopped).length).toBe(until.bytes);
    const file = await recoverFile(crashed);
    expect(file.samples).toBeGreaterThan(2.9 * 8000);
    const heard = decode(finished(file), 8000);
    expect(toneIn(heard, 8000, 2, 2.8)).toBe(620);
    await harness.close();
  });
});

test('G.729 is kept frame by frame; silence descriptors are comfort noise', async () => {
  await harness.engine.open(harness.request([wideLine(0, 'mixed')]));
  const audio = octets(0, 2000);
  const packets = slices(audio, 20).map((packet, index) =>
    index === 10 ? Buffer.concat([packet, Buffer.from([1, 2])]) : packet,
  );
  send(CALLER, 0, packets, { type: 18, step: 160, skip: (index) => index === 40 });
  harness.send(CALLER, 2000, {
    payloadType: 18,
    sequenceNumber: 101,
    timestamp: 16_000,
    ssrc: 18,
    payload: Buffer.from([3, 4]),
  });
  const result = await harness.close();
  expect(result.legs[0]).toMatchObject({ comfortNoise: 1, lost: 1, codecs: ['G729'] });
  const path = finished(result.files[0]);
  const expected = Buffer.concat([audio.subarray(0, 800), Buffer.alloc(20), audio.subarray(820)]);
  expect(
    readFileSync(path)
      .subarray(58, 58 + 2000)
      .equals(expected),
  ).toBe(true);
  expect(probe(path)).toBe('g729,8000,1');
});

test('L16 of both sides shares a stereo file, low octets first', async () => {
  await harness.engine.open(harness.request([wideLine(0, 'caller'), wideLine(1, 'callee')]));
  const sine = (hertz: number): Buffer =>
    Buffer.from(ffmpeg(['-f', 'lavfi', '-i', `sine=f=${hertz}:r=16000:d=2`, '-f', 's16be', 'pipe:1']));
  send(CALLER, 0, slices(sine(500), 640), { type: 100, step: 320 });
  send(CALLEE, 2500, slices(sine(1200), 640), { type: 100, step: 320 });
  const result = await harness.close();
  expect(result.files).toHaveLength(1);
  const path = finished(result.files[0]);
  expect(probe(path)).toBe('pcm_s16le,16000,2');
  const [left, right] = [decode(path, 16_000, 0), decode(path, 16_000, 1)];
  expect([toneIn(left, 16_000, 0.1, 1.9), toneIn(right, 16_000, 2.6, 4.4)]).toEqual([500, 1200]);
  expect([loudness(left, 16_000, 2, 4.5), loudness(right, 16_000, 0, 2.5)]).toEqual([0, 0]);
  expect(left.length).toBe(72_000);
});

test('a codec without a file format is kept as it came, for Wireshark', async () => {
  await harness.engine.open(harness.request([wideLine(0, 'caller'), wideLine(1, 'callee')]));
  send(CALLER, 0, slices(octets(0, 3200), 32), { type: 96, step: 160, skip: (index) => index === 7 });
  send(CALLEE, 0, slices(octets(0, 16_000), 160), { type: 8, step: 160 });
  // A number nobody announced, in the middle of the stream.
  harness.send(CALLER, 2000, { payloadType: 120, sequenceNumber: 101, timestamp: 16_000, ssrc: 96 });
  const result = await harness.close();
  expect(
    result.files.map(({ suffix, codec, extension = 'wav' }) => [suffix, codec, extension]).sort(),
  ).toEqual([
    ['', 'PCMA', 'wav'],
    ['caller-rtp', 'AMR', 'pcap'],
  ]);
  expect(result.legs[0]).toMatchObject({ codecs: ['AMR', 'UNKNOWN'], lost: 1, rejected: 0 });
  const path = finished(result.files.find(({ extension }) => extension === 'pcap'));
  const fields = ['ip.src', 'udp.dstport', 'rtp.p_type', 'rtp.seq', 'rtp.timestamp'].flatMap((name) => [
    '-e',
    name,
  ]);
  const rows = execFileSync('tshark', ['-r', path, '-d', 'udp.port==20000,rtp', '-T', 'fields', ...fields], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
    .toString()
    .trim()
    .split('\n');
  expect(rows).toHaveLength(100);
  expect(rows[0]).toBe('192.0.2.1\t20000\t96\t1\t0');
  expect(rows.at(-1)).toBe('192.0.2.1\t20000\t120\t101\t16000');
});

test('a codec change in mid-call begins a further file at the same zero (SDP-16)', async () => {
  await harness.engine.open(harness.request([wideLine(0, 'caller'), wideLine(1, 'callee')]));
  harness.stream(CALLER, 0, 100, { ssrc: 111 });
  harness.stream(CALLEE, 0, 200, { salt: 1 });
  const tone = opusTone(440, 1);
  send(CALLER, 4000, tone, { type: 111, step: 960, sequence: 201, clock: 999 });
  harness.stream(CALLER, 6000, 50, { sequence: 201 + tone.length, clock: 50_000, ssrc: 111 });
  const result = await harness.close();
  expect(result.files.map(({ suffix, codec }) => [suffix, codec])).toEqual([
    ['', 'PCMA'],
    ['caller-opus', 'OPUS'],
  ]);
  const heard = decode(finished(result.files[1]), 8000);
  expect(loudness(heard, 8000, 0, 3.98)).toBe(0);
  expect(toneIn(heard, 8000, 4.1, 4.9)).toBe(440);
  const law = decode(finished(result.files[0]), 8000);
  expect(loudness(law, 8000, 4, 5.98)).toBeLessThan(20);
  expect(loudness(law, 8000, 6, 6.98)).toBeGreaterThan(1000);
});
