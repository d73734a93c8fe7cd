import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { render, type RenderDeps } from '../../src/jobs/render.ts';
import { seal } from '../../src/jobs/seal.ts';
import type { CaptureLine, CaptureResult, LineRole } from '../../src/media/capture.ts';
import type { LegVerdict } from '../../src/media/verdict.ts';
import { Ffmpeg } from '../../src/store/ffmpeg.ts';
import { EngineHarness, START } from '../media/engine-harness.ts';
import { ffmpeg } from '../support/ffmpeg.ts';
import { readOgg } from '../support/ogg.ts';
import { SealingRoom } from '../support/sealing-room.ts';

const SECONDS = 4;
/** What an encoder of G.729 makes of digital silence, once it is settled: 10 ms. */
const G729_SILENCE = Buffer.from('785280a000fac20007d6', 'hex');

const NOBODY = 'anullsrc=r=48000:cl=mono';
/** A voice as far as levels go: syllables of some tones, its peaks at half of the full scale. */
const VOICE = "aevalsrc='0.5*(0.5-0.5*cos(25*t))*(0.6*sin(1500*t)+0.3*sin(3300*t)+0.1*sin(9000*t)):s=48000'";
/** The same 12 dB louder than fits. */
const CLIPPED = `${VOICE},volume=18dB,aformat=sample_fmts=s16`;

let folder = '';
let room: SealingRoom;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'levels-'));
  room = await SealingRoom.open();
});
afterAll(async () => {
  await room.dispose();
  rmSync(folder, { recursive: true });
});

/** One leg: packets of 20 ms of what a filter of ffmpeg makes, and how they travel. */
interface Spoken {
  readonly encoding: string;
  readonly payloadType: number;
  readonly clockRate: number;
  readonly packets: readonly Buffer[];
}

function opus(source: string): Spoken {
  const path = join(folder, `${Math.random()}.ogg`);
  const options = ['-c:a', 'libopus', '-b:a', '24k', '-application', 'voip', '-frame_duration', '20'];
  ffmpeg(['-f', 'lavfi', '-i', source, '-t', String(SECONDS), ...options, path]);
  return { encoding: 'OPUS', payloadType: 111, clockRate: 48_000, packets: readOgg(path).packets };
}

function g722(source: string): Spoken {
  const output = ['-t', String(SECONDS), '-ar', '16000', '-c:a', 'g722', '-f', 'g722', 'pipe:1'];
  const octets = ffmpeg(['-f', 'lavfi', '-i', source, ...output]);
  const packets = Array.from({ length: SECONDS * 50 }, (_none, at) =>
    octets.subarray(at * 160, (at + 1) * 160),
  );
  return { encoding: 'G722', payloadType: 9, clockRate: 8000, packets };
}

const g729Silence = (): Spoken => ({
  encoding: 'G729',
  payloadType: 18,
  clockRate: 8000,
  packets: new Array<Buffer>(SECONDS * 50).fill(Buffer.concat([G729_SILENCE, G729_SILENCE])),
});

const pcmaSilence = (): Spoken => ({
  encoding: 'PCMA',
  payloadType: 8,
  clockRate: 8000,
  packets: new Array<Buffer>(SECONDS * 50).fill(Buffer.alloc(160, 0xd5)),
});

const lineOf = ({ encoding, payloadType, clockRate }: Spoken, line: number, role: LineRole): CaptureLine => ({
  line,
  role,
  active: true,
  formats: [{ encoding, payloadType, clockRate, channels: encoding === 'OPUS' ? 2 : 1 }],
});

/** Records the legs side by side into the folder of a recording. */
async function capture(into: string, legs: readonly (readonly [LineRole, Spoken])[]): Promise<CaptureResult> {
  const harness = await EngineHarness.create();
  const lines = legs.map(([role, spoken], line) => lineOf(spoken, line, role));
  await harness.engine.open({ ...harness.request(lines), folder: into });
  for (let index = 0; index < SECONDS * 50; index++)
    legs.forEach(([, { payloadType, clockRate, packets }], line) => {
      harness.send(20_000 + 2 * line, index * 20, {
        payloadType,
        sequenceNumber: index,
        timestamp: (index * clockRate) / 50,
        ssrc: line + 1,
        payload: packets[index] ?? Buffer.alloc(0),
      });
    });
  const result = await harness.close();
  await harness.dispose();
  return result;
}

interface Judged {
  readonly info: string;
  readonly verdicts: readonly LegVerdict[];
}

const FFMPEG = new Ffmpeg({ program: 'ffmpeg', timeoutSeconds: 60, memoryMegabytes: 1024 });

/** Records, renders and seals; a null for the renderer: copies are switched off. */
async function sealed(
  legs: readonly (readonly [LineRole, Spoken])[],
  renderer: Ffmpeg | null = FFMPEG,
): Promise<Judged> {
  const id = await room.recordCapture((into) => capture(into, legs), START);
  const { store, spool: files } = room;
  const deps: RenderDeps = {
    ...{ store, files, maxRate: 48_000, patience: Infinity, now: Date.now },
    renderer: renderer ?? undefined,
  };
  await render(id, deps, new AbortController().signal);
  const judged: LegVerdict[] = [];
  await seal(id, { ...room.deps, onJudged: (_row, verdicts) => judged.push(...verdicts) });
  const row = await store.recording(id);
  const info = readFileSync(files.path(id, `${row?.fileName ?? ''}_info.txt`), 'utf8');
  return { info, verdicts: judged };
}

test('a silent leg in G.722 beside one that speaks Opus is faulty; the info file says where that is known from', async () => {
  const { info, verdicts } = await sealed([
    ['caller', g722(NOBODY)],
    ['callee', opus(VOICE)],
  ]);
  expect(info).toContain('\nCaller-Verdict: faulty; one-way audio: nothing but silence on this leg\n');
  expect(info).toContain('\nCaller-Levels: measured on the playable copy\nCaller-Sounding: 0.00 percent\n');
  expect(info).toContain('\nCallee-Verdict: good\n');
  expect(Number(/^Callee-Sounding: (\S+) percent$/m.exec(info)?.[1])).toBeGreaterThan(60);
  expect(verdicts.map(({ role, word }) => [role, word])).toEqual([
    ['caller', 'faulty'],
    ['callee', 'good'],
  ]);
});

test.each([
  ['Opus', opus],
  ['G.722', g722],
])(
  '%s that was clipped before it was encoded is degraded; silent G.729 and G.711 beside it are faulty',
  async (_name, encode) => {
    const { info } = await sealed([
      ['caller', encode(CLIPPED)],
      ['callee', encode === opus ? g729Silence() : pcmaSilence()],
    ]);
    expect(info).toMatch(/^Caller-Verdict: degraded; clipped in \d+\.\d percent of the samples$/m);
    expect(info).toContain('\nCallee-Verdict: faulty; one-way audio: nothing but silence on this leg\n');
    // G.711 is measured on its own octets.
    expect(info.includes('Callee-Levels')).toBe(encode === opus);
  },
);

test('nothing is said of levels where a channel of the copy is shared, and where there is no copy', async () => {
  const shared = await sealed([
    ['caller', g722(NOBODY)],
    ['callee', opus(VOICE)],
    ['extra', opus(VOICE)],
  ]);
  const alone = await sealed([['mixed', g722(NOBODY)]], null);
  for (const { info, verdicts } of [shared, alone]) {
    expect(info).not.toContain('-Sounding');
    expect(verdicts.map(({ word }) => word)).not.toContain('faulty');
  }
  const mixed = await sealed([['mixed', g722(NOBODY)]]);
  expect(mixed.info).toContain('-Verdict: degraded; nothing but silence\n');
});
