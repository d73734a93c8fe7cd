import { afterEach, beforeEach, expect } from '@jest/globals';
import { createHash } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  answeredCall,
  awaitRecording,
  callTo,
  entryTypes,
  expectIntact,
  healthOf,
  optionsStatus,
  ProductRoom,
  recordingOf,
} from '../support/product-room.ts';
import { CALLER_VOICE, speakTones } from '../../src/client/tones.ts';
import { testWithMount } from '../support/mounting.ts';
import { eventually, filesBelow, type RecorderProcess } from '../support/recorder-process.ts';
import { run } from '../support/sealed-recording.ts';
import { readWav } from '../support/wav.ts';

const room = new ProductRoom();
let disk: string;
let outside: string;

beforeEach(() => {
  disk = mkdtempSync(join(tmpdir(), 'sealtape-disk-'));
  outside = mkdtempSync(join(tmpdir(), 'sealtape-outside-'));
  expect(run('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', disk]).output).toBe('');
});

afterEach(async () => {
  try {
    await room.close();
  } finally {
    expect(run('umount', [disk]).output).toBe('');
    for (const folder of [disk, outside]) rmSync(folder, { recursive: true });
  }
});

/** A recorder whose data directory is the small disk and whose archive is somewhere else. */
async function start(config: Readonly<Record<string, unknown>> = {}): Promise<RecorderProcess> {
  const dataDir = join(disk, 'data');
  mkdirSync(dataDir);
  return room.start({
    dataDir,
    config: {
      spool: { minFreeMegabytes: 20 },
      destinations: [{ name: 'archive', kind: 'path', root: outside }],
      ...config,
    },
  });
}

const FILLER = 'filler';

/** Fills the disk until so many megabytes are left. */
function fillUpTo(megabytesLeft: number, filler = FILLER): void {
  const { bavail, bsize } = statfsSync(disk);
  const bytes = bavail * bsize - megabytesLeft * 1_000_000;
  try {
    writeFileSync(join(disk, filler), Buffer.alloc(Math.max(0, bytes)));
  } catch (error) {
    if ((error as { readonly code?: string }).code !== 'ENOSPC') throw error;
  }
}

/** Name and SHA-256 of every file. */
const hashesBelow = (folder: string): readonly string[] =>
  filesBelow(folder).map(
    (file) =>
      `${file} ${createHash('sha256')
        .update(readFileSync(join(folder, file)))
        .digest('hex')}`,
  );

const optionsBecome = (recorder: RecorderProcess, status: number): Promise<true> =>
  eventually(async () => ((await optionsStatus(recorder.udpPort)) === status ? true : undefined), 8000);

testWithMount(
  'below the limit calls are refused at once, running ones go on whole, and with space calls are taken again',
  async () => {
    const recorder = await start();
    const { over } = await answeredCall(recorder, {
      caller: { number: '1', law: 'PCMA', audio: speakTones(CALLER_VOICE, 4, 'PCMA') },
    });
    fillUpTo(10);
    await optionsBecome(recorder, 503);
    expect(await healthOf(recorder)).toMatchObject({ recording: false, parts: { spool: { ok: false } } });
    await expect(callTo(recorder)).rejects.toMatchObject({ code: 'REFUSED', status: 503 });
    const running = await over;
    expect((await awaitRecording(outside, running)).info.get('Status')).toBe('complete');

    unlinkSync(join(disk, FILLER));
    await optionsBecome(recorder, 200);
    const report = await callTo(recorder);
    expect((await awaitRecording(outside, report)).info.get('Status')).toBe('complete');
    expect(await recorder.stop()).toBe(0);
    expect(entryTypes(outside)).toContain('refused');
    expectIntact(outside);
  },
  60_000,
);

testWithMount(
  'full to the last byte in mid-call: the recording is sealed when there is space, and says that it is partial',
  async () => {
    const recorder = await start();
    const audio = speakTones(CALLER_VOICE, 6, 'PCMA');
    const { over } = await answeredCall(recorder, { caller: { number: '1', law: 'PCMA', audio } });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    fillUpTo(0);
    const running = await over;
    expect(running.outcome).toBe('completed');
    await optionsBecome(recorder, 503);
    expect(recordingOf(outside, running)).toBeUndefined();

    unlinkSync(join(disk, FILLER));
    const recording = await awaitRecording(outside, running, 20_000);
    expect(recording.info.get('Status')).toBe('partial');
    const [left] = readWav(recording.path('.wav')).audio as [Buffer];
    const begin = left.indexOf(audio.subarray(0, 800));
    expect(begin).toBeGreaterThanOrEqual(0);
    await optionsBecome(recorder, 200);
    const report = await callTo(recorder);
    expect((await awaitRecording(outside, report, 15_000)).info.get('Status')).toBe('complete');
    expect(await recorder.stop()).toBe(0);
    expectIntact(outside);
  },
  90_000,
);

testWithMount(
  'with the archive away and hardly any room, whoever chose to record is alarmed, takes calls up to the last byte, and drops nothing that is sealed',
  async () => {
    const recorder = await start({
      spool: { whenFull: 'record' },
      destinations: [{ name: 'archive', kind: 'path', root: outside, marker: '.mounted' }],
    });
    const before = await callTo(recorder);
    const signature = () => filesBelow(join(recorder.dataDir, 'spool')).find((file) => file.endsWith('.sig'));
    await eventually(signature, 8000);
    const sealed = hashesBelow(join(recorder.dataDir, 'spool'));
    fillUpTo(1);
    await eventually(async () => {
      const { alarms } = await healthOf(recorder);
      const filling = alarms.filter(({ code }) => code === 'spool-filling');
      return filling.length === 3 ? filling : undefined;
    }, 8000);
    expect(await optionsStatus(recorder.udpPort)).toBe(200);
    const { over } = await answeredCall(recorder);
    // Of a call of which nothing is on the disk there would be no recording.
    const spool = join(recorder.dataDir, 'spool');
    await eventually(() => {
      const file = filesBelow(spool).find((each) => each.endsWith('.part'));
      return file !== undefined && statSync(join(spool, file)).size > 8000 ? file : undefined;
    }, 8000);
    fillUpTo(0, 'more');
    const during = await over;
    expect(during.outcome).toBe('completed');
    expect(hashesBelow(join(recorder.dataDir, 'spool'))).toEqual(expect.arrayContaining([...sealed]));

    for (const filler of [FILLER, 'more']) unlinkSync(join(disk, filler));
    writeFileSync(join(outside, '.mounted'), '');
    // The next try may be half a minute away.
    expect((await awaitRecording(outside, before, 45_000)).info.get('Status')).toBe('complete');
    // There may be room again before its file is closed; that it is said where not, the test above shows.
    expect((await awaitRecording(outside, during, 45_000)).info.get('Status')).toMatch(
      /^(?:partial|complete)$/,
    );
    await optionsBecome(recorder, 200);
    expect(await recorder.stop()).toBe(0);
    expectIntact(outside);
  },
  120_000,
);
