import { createHash } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { nodeDisk, type AudioDisk } from '../../src/media/audio-disk.ts';
import type { CaptureResult } from '../../src/media/capture.ts';
import { WriteBehind } from '../../src/media/write-behind.ts';
import { startSyncer, Writer } from '../../src/media/writer.ts';
import { FrozenDisk } from '../support/frozen-disk.ts';
import { buildMedia } from './built-media.ts';
import { aLine, EngineHarness } from './engine-harness.ts';
import { octets } from './rtp-builder.ts';
import { channelsOf, expectSameAudio, silenceWith } from './wav-checks.ts';

const [SLOW, OTHER] = [20_000, 20_002];
/** What a leg keeps while its disk does not answer. */
const BUFFER_SECONDS = 20;

/** Until something is so, with patience for a slow machine. */
async function until(what: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!what()) {
    if (Date.now() > deadline) throw new Error('it never came about');
    await delay(2);
  }
}

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

let harness: EngineHarness;
const root = mkdtempSync(join(tmpdir(), 'sealtape-stall-'));
const frozen = FrozenDisk.make(root);
/** Where nobody may mount a file system, these are seen as skipped, not as passed. */
const testOnFrozenDisk = frozen === undefined ? test.skip : test;

const built = join(root, 'built');
let writer: Writer | undefined;
let syncer: Writer | undefined;

beforeAll(async () => {
  await buildMedia(built);
});

afterAll(() => {
  frozen?.remove();
  rmSync(root, { recursive: true, force: true });
});

afterEach(async () => {
  frozen?.thaw();
  await harness.dispose();
  await writer?.stop();
  await syncer?.stop();
  writer = undefined;
  syncer = undefined;
});

/** Two calls, one on the disk that will stall. */
async function start(folder: string, disk: AudioDisk): Promise<void> {
  harness = await EngineHarness.create(disk, {
    flushSeconds: 1,
    syncSeconds: 10,
    bufferSeconds: BUFFER_SECONDS,
  });
  const other = join(harness.folder, 'other');
  mkdirSync(other);
  await harness.engine.open({ ...harness.request([aLine(0, 'mixed')], 'slow'), folder });
  await harness.engine.open({ ...harness.request([aLine(0, 'mixed')], 'other'), folder: other });
}

/** The second file to be made. */
const OTHER_FILE = 2;

/** Both calls talk for so many seconds; the disk of the other one is waited for every second, as real time would. */
async function talk(from: number, seconds: number, disk: WriteBehind): Promise<void> {
  for (let second = from; second < from + seconds; second++) {
    for (let packet = second * 50; packet < second * 50 + 50; packet++) {
      harness.stream(SLOW, packet * 20, 1, { sequence: packet, clock: packet * 160 });
      harness.stream(OTHER, packet * 20, 1, { sequence: packet, clock: packet * 160, salt: 1 });
    }
    await until(() => disk.ready(OTHER_FILE));
  }
}

/** The other call is closed a moment later and ends in silence. */
const begin = ({ files }: CaptureResult, seconds: number): Buffer | undefined =>
  channelsOf(files[0])[0]?.subarray(0, seconds * 8000);

const whole = (seconds: number, salt = 0): Buffer => octets(0, seconds * 8000, salt);

/** Of 45 s, with a disk that was away from second 5 to second 40: one gap, after all that could be kept. */
function expectDiskGap({ legs: [leg], files }: CaptureResult): void {
  const { from = 0, to = 0 } = leg?.gaps[0] ?? {};
  expect(leg?.gaps).toEqual([expect.objectContaining({ cause: 'disk', packets: leg?.unwritten })]);
  expect(leg).toMatchObject({ received: 45 * 50, lost: 0, rejected: 0, gapCount: 1 });
  expect(from).toBeGreaterThan((5 + BUFFER_SECONDS) * 8000 - 16_000);
  expect(to).toBeLessThanOrEqual(43 * 8000);
  const kept = silenceWith(45 * 8000, 0xd5, [
    [0, octets(0, from)],
    [to, octets(to, 45 * 8000 - to)],
  ]);
  expectSameAudio(channelsOf(files[0])[0], kept);
}

let folders = 0;

/** On the disk that stalls. */
function newFolder(name: string): string {
  const folder = join(String(frozen?.path), `${name}${++folders}`);
  mkdirSync(folder);
  return folder;
}

/** Who writes and syncs: the pool of Node alone, or threads of their own with the pool behind them. */
const writers = [
  ['the pool', () => new WriteBehind()],
  [
    'a thread',
    () => {
      writer = new Writer(pathToFileURL(join(built, 'writer-thread.js')));
      syncer = startSyncer(pathToFileURL(join(built, 'sync-thread.js')));
      return new WriteBehind(writer, syncer);
    },
  ],
] as const;

describe.each(writers)('a disk that does not answer %s', (_who, newDisk) => {
  testOnFrozenDisk('for a while costs nothing, and the packets of nobody are held up', async () => {
    const folder = newFolder('short');
    const disk = newDisk();
    await start(folder, disk);
    await talk(0, 5, disk);
    frozen?.freeze();
    await talk(5, 15, disk);
    const reached = sizeOf(join(folder, 'audio.wav.part'));
    expect(reached).toBeLessThan(9 * 8000);
    frozen?.thaw();
    await until(() => sizeOf(join(folder, 'audio.wav.part')) > reached);
    await talk(20, 5, disk);
    const [slow, unharmed] = [await harness.close('slow'), await harness.close('other')];
    expectSameAudio(channelsOf(slow.files[0])[0], whole(25));
    expectSameAudio(begin(unharmed, 25), whole(25, 1));
    expect([...slow.legs, ...unharmed.legs].map(({ gapCount, rejected }) => [gapCount, rejected])).toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect(harness.failures).toEqual([]);
  });

  testOnFrozenDisk(
    'for longer than there is room says so in the gaps of its own call, and in no other',
    async () => {
      const folder = newFolder('long');
      const disk = newDisk();
      await start(folder, disk);
      await talk(0, 5, disk);
      frozen?.freeze();
      await talk(5, 35, disk);
      expect(disk.waiting).toBeGreaterThan(0);
      frozen?.thaw();
      await until(() => {
        disk.collect();
        return disk.waiting === 0;
      });
      await talk(40, 5, disk);
      const [slow, unharmed] = [await harness.close('slow'), await harness.close('other')];
      expectDiskGap(slow);
      expectSameAudio(begin(unharmed, 45), whole(45, 1));
      expect(unharmed.legs[0]?.gapCount).toBe(0);
    },
  );

  testOnFrozenDisk('when the call ends is waited for', async () => {
    const folder = newFolder('end');
    const disk = newDisk();
    await start(folder, disk);
    await talk(0, 5, disk);
    frozen?.freeze();
    await talk(5, 5, disk);
    const closing = harness.close('slow');
    expect((await harness.close('other')).files).toHaveLength(1);
    frozen?.thaw();
    expectSameAudio(channelsOf((await closing).files[0])[0], whole(10));
  });
});

describe.each(writers)('a disk that is full for %s', (_who, newDisk) => {
  const filler = (): string => join(String(frozen?.path), 'filler');
  const fill = (): void => {
    // What is left is taken to the last block.
    const fd = openSync(filler(), 'w');
    try {
      for (const size of [1 << 20, 4096]) while (writeSync(fd, Buffer.alloc(size)) === size);
    } catch {
      for (let left = true; left;) left = tryWrite(fd, 4096);
    } finally {
      closeSync(fd);
    }
  };
  const tryWrite = (fd: number, size: number): boolean => {
    try {
      return writeSync(fd, Buffer.alloc(size)) > 0;
    } catch {
      return false;
    }
  };

  testOnFrozenDisk('is asked again until there is room, and nothing is missing then', async () => {
    const folder = newFolder('full');
    const disk = newDisk();
    await start(folder, disk);
    await talk(0, 5, disk);
    fill();
    await talk(5, 15, disk);
    expect(harness.failures).toEqual([{ id: 'slow', code: 'DISK' }]);
    unlinkSync(filler());
    await talk(20, 5, disk);
    const slow = await harness.close('slow');
    expectSameAudio(begin(slow, 25), whole(25));
    expect(slow.legs[0]).toMatchObject({ gapCount: 0, rejected: 0 });
    await harness.close('other');
  });

  testOnFrozenDisk('until the end gives the audio that got there, as a right file', async () => {
    const folder = newFolder('fullend');
    const disk = newDisk();
    await start(folder, disk);
    await talk(0, 5, disk);
    fill();
    await talk(5, 10, disk);
    const [file] = (await harness.close('slow')).files;
    unlinkSync(filler());
    expect(file?.samples).toBeGreaterThan(3 * 8000);
    expect(file?.samples).toBeLessThan(15 * 8000);
    const audio = channelsOf(file)[0];
    expectSameAudio(audio, octets(0, file?.samples ?? 0));
    const hash = createHash('sha256').update(readFileSync(String(file?.path)).subarray(file?.audioOffset));
    expect(file?.audioSha256).toBe(hash.digest('hex'));
    await harness.close('other');
  });
});

/** The same for machines that cannot mount: the file system is real, the stall is not. */
test('a disk that takes nothing for a minute is told apart from a sender that is ahead', async () => {
  let stalled = false;
  const disk: AudioDisk = { ...nodeDisk, ready: () => !stalled };
  harness = await EngineHarness.create(disk, { flushSeconds: 1, syncSeconds: 10, bufferSeconds: 20 });
  await harness.engine.open(harness.request([aLine(0, 'mixed')]));
  harness.stream(SLOW, 0, 100);
  stalled = true;
  harness.stream(SLOW, 2000, 2000, { sequence: 101, clock: 16_000 });
  stalled = false;
  harness.stream(SLOW, 42_000, 100, { sequence: 2101, clock: 2100 * 160 });
  const result = await harness.close();
  const [leg] = result.legs;
  expect(leg?.gaps).toEqual([expect.objectContaining({ cause: 'disk', packets: leg?.unwritten })]);
  expect(leg).toMatchObject({ rejected: 0, lost: 0, received: 2200 });
  expect(leg?.unwritten).toBeGreaterThan(800);
  expect(harness.failures).toEqual([]);
});
