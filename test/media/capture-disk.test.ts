import { fstatSync } from 'node:fs';
import { afterEach, expect, test } from '@jest/globals';
import { nodeDisk, type AudioDisk } from '../../src/media/audio-disk.ts';
import { aLine, EngineHarness } from './engine-harness.ts';
import { octets } from './rtp-builder.ts';
import { channelsOf, expectSameAudio, silenceWith } from './wav-checks.ts';

const PORT = 20_000;

/** The real disk, with a switch: full (what is there can be written again), broken, or taking writes in small bites. */
class SwitchedDisk implements AudioDisk {
  fault: 'ENOSPC' | 'EIO' | undefined;
  /** The fault goes away after so many refusals. */
  healsAfter = Infinity;
  /** Octets a write takes at most. */
  bite = Infinity;
  refused = 0;

  readonly check = nodeDisk.check;
  readonly read = nodeDisk.read;
  readonly remove = nodeDisk.remove;
  readonly close = nodeDisk.close;
  readonly ready = nodeDisk.ready;
  readonly settled = nodeDisk.settled;
  readonly giveUp = nodeDisk.giveUp;

  create(path: string): number {
    this.#guard(true);
    return nodeDisk.create(path);
  }

  write(fd: number, bytes: Uint8Array, length: number, position: number): number {
    this.#guard(position + length > fstatSync(fd).size);
    return nodeDisk.write(fd, bytes, Math.min(length, this.bite), position);
  }

  truncate(fd: number, length: number): void {
    this.#guard(false);
    nodeDisk.truncate(fd, length);
  }

  sync(fd: number): Promise<void> {
    this.#guard(false);
    return nodeDisk.sync(fd);
  }

  #guard(grows: boolean): void {
    if (this.fault === undefined || (this.fault === 'ENOSPC' && !grows)) return;
    const { fault } = this;
    if (++this.refused >= this.healsAfter) this.fault = undefined;
    throw Object.assign(new Error(`${fault}: as told`), { code: fault });
  }
}

let harness: EngineHarness;

afterEach(async () => {
  await harness.dispose();
});

async function start(disk: SwitchedDisk): Promise<void> {
  harness = await EngineHarness.create(disk);
  await harness.engine.open(harness.request([aLine(0, 'mixed')]));
}

test.each(['ENOSPC', 'EIO'] as const)('a minute of %s costs nothing once the disk is back', async (fault) => {
  const disk = new SwitchedDisk();
  await start(disk);
  harness.stream(PORT, 0, 100);
  disk.fault = fault;
  harness.stream(PORT, 2000, 2500, { sequence: 101, clock: 16_000 });
  expect(harness.failures).toEqual([{ id: 'rec1', code: 'DISK' }]);
  disk.fault = undefined;
  harness.stream(PORT, 52_000, 100, { sequence: 2601, clock: 2600 * 160 });
  const result = await harness.close();
  expectSameAudio(channelsOf(result.files[0])[0], octets(0, 2700 * 160));
  expect(result.legs[0]).toMatchObject({ rejected: 0, gapCount: 0 });
  // Asked again once a second, not with every packet.
  expect(disk.refused).toBeLessThan(60);
});

test('a file that cannot even be made is made later', async () => {
  const disk = new SwitchedDisk();
  disk.fault = 'ENOSPC';
  await start(disk);
  harness.stream(PORT, 0, 200);
  disk.fault = undefined;
  harness.stream(PORT, 4000, 100, { sequence: 201, clock: 32_000 });
  const result = await harness.close();
  expectSameAudio(channelsOf(result.files[0])[0], octets(0, 48_000));
});

test('what the ring can no longer hold is counted, listed as the fault of the disk, and silent in the file', async () => {
  const disk = new SwitchedDisk();
  disk.fault = 'ENOSPC';
  await start(disk);
  harness.stream(PORT, 0, 4000);
  disk.fault = undefined;
  harness.stream(PORT, 82_000, 100, { sequence: 4001 + 100, clock: 4100 * 160 });
  const result = await harness.close();
  const [leg] = result.legs;
  // 65.536 s fit: 3276 whole packets.
  expect(leg).toMatchObject({
    unwritten: 4000 - 3276,
    rejected: 0,
    received: 4100,
    expected: 4200,
    lost: 100,
  });
  expect(leg?.gaps).toEqual([
    { from: 3276 * 160, to: 4100 * 160, cause: 'disk', packets: 4000 - 3276 + 100 },
  ]);
  expectSameAudio(
    channelsOf(result.files[0])[0],
    silenceWith(4200 * 160, 0xd5, [
      [0, octets(0, 3276 * 160)],
      [4100 * 160, octets(4100 * 160, 16_000)],
    ]),
  );
});

test('a disk that stays full until the end gives the audio that got there, as a right file', async () => {
  const disk = new SwitchedDisk();
  await start(disk);
  harness.stream(PORT, 0, 300);
  disk.fault = 'ENOSPC';
  harness.stream(PORT, 6000, 100, { sequence: 301, clock: 48_000 });
  const result = await harness.close();
  const [file] = result.files;
  expect(file?.samples).toBeGreaterThan(48_000 - 8000);
  expect(file?.samples).toBeLessThanOrEqual(48_000);
  expectSameAudio(channelsOf(file)[0], octets(0, file?.samples ?? 0));
  expect(result.legs[0]).toMatchObject({ received: 400, octets: 64_000 });
  expect(harness.failures).toEqual([{ id: 'rec1', code: 'DISK' }]);
});

test('a disk that is broken until the end still gives a result', async () => {
  const disk = new SwitchedDisk();
  await start(disk);
  harness.stream(PORT, 0, 300);
  disk.fault = 'EIO';
  harness.stream(PORT, 6000, 100, { sequence: 301, clock: 48_000 });
  const result = await harness.close();
  expect(result.files).toEqual([]);
  expect(result.legs[0]).toMatchObject({ received: 400, octets: 64_000 });
  expect(harness.failures).toHaveLength(1);
});

test('a disk that comes back in the last moment is waited for', async () => {
  const disk = new SwitchedDisk();
  await start(disk);
  harness.stream(PORT, 0, 300);
  disk.fault = 'EIO';
  harness.stream(PORT, 6000, 100, { sequence: 301, clock: 48_000 });
  disk.healsAfter = disk.refused + 3;
  const result = await harness.close();
  expectSameAudio(channelsOf(result.files[0])[0], octets(0, 64_000));
});

test('writes that take only a part go on with the rest', async () => {
  const disk = new SwitchedDisk();
  disk.bite = 1000;
  await start(disk);
  harness.stream(PORT, 0, 300);
  const result = await harness.close();
  expectSameAudio(channelsOf(result.files[0])[0], octets(0, 48_000));
});

test('a file of another recording is never overwritten', async () => {
  const disk = new SwitchedDisk();
  await start(disk);
  harness.stream(PORT, 0, 100);
  await harness.close();
  await harness.engine.open(harness.request([aLine(0, 'mixed')], 'rec2'));
  harness.stream(20_002, 3000, 100);
  const result = await harness.close('rec2');
  expect(result.files).toEqual([]);
  expect(harness.failures).toEqual([{ id: 'rec2', code: 'DISK' }]);
});
