import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { WriteBehind } from '../../src/media/write-behind.ts';
import { startSyncer, Writer } from '../../src/media/writer.ts';
import { buildMedia } from './built-media.ts';

const root = mkdtempSync(join(tmpdir(), 'sealtape-writer-'));
let writer: Writer;
let syncer: Writer;

beforeAll(async () => {
  const built = join(root, 'built');
  await buildMedia(built);
  writer = new Writer(pathToFileURL(join(built, 'writer-thread.js')));
  syncer = startSyncer(pathToFileURL(join(built, 'sync-thread.js')));
});
afterAll(async () => {
  await writer.stop();
  await syncer.stop();
  rmSync(root, { recursive: true });
});

test('several writes to one file follow each other within a few looks, whether or not anybody asks for that file again', async () => {
  const disk = new WriteBehind(writer);
  const path = join(root, 'calls', 'a.wav');
  await disk.check(join(root, 'calls'));
  const file = disk.create(path);
  const second = Buffer.alloc(16_000, 1);
  for (let written = 0; written < 4; written++)
    disk.write(file, second.fill(written + 1), second.length, 44 + written * second.length);
  disk.write(file, Buffer.alloc(44, 9), 44, 0);
  const whole = (): boolean =>
    statSync(path, { throwIfNoEntry: false })?.size === 64_044 && readFileSync(path)[0] === 9;
  for (let looks = 0; looks < 200 && !whole(); looks++) {
    await delay(20);
    disk.collect();
  }
  expect(whole()).toBe(true);
  const octets = readFileSync(path);
  for (let written = 0; written < 4; written++)
    expect(octets.subarray(44 + written * 16_000, 44 + (written + 1) * 16_000)).toEqual(
      Buffer.alloc(16_000, written + 1),
    );
  await disk.settled(file);
  disk.close(file);
});

/** A file of a second of audio, on its way to the disk. */
function newFile(disk: WriteBehind, folder: string): number {
  const file = disk.create(join(root, folder, 'a.wav'));
  disk.write(file, Buffer.alloc(16_000, 1), 16_000, 44);
  return file;
}

test('a patient sync is told of by looking, another by itself', async () => {
  const disk = new WriteBehind(writer, syncer);
  const file = newFile(disk, 'patient');
  // The folder and the file are made by the pool, which tells by itself.
  await disk.settled(file);
  const told = jest.fn();
  const patient = disk.sync(file, true).then(told);
  await delay(300);
  expect(told).not.toHaveBeenCalled();
  for (let looks = 0; looks < 200 && told.mock.calls.length === 0; looks++) {
    disk.collect();
    await delay(5);
  }
  expect(told).toHaveBeenCalled();
  await patient;
  disk.write(file, Buffer.alloc(16_000, 2), 16_000, 16_044);
  await disk.sync(file);
  expect(statSync(join(root, 'patient', 'a.wav')).size).toBe(32_044);
  disk.close(file);
});

test('names are brought to the disk once, with the first sync that goes well, and what goes wrong is said', async () => {
  const disk = new WriteBehind(writer, syncer);
  const folder = join(root, 'moved');
  mkdirSync(folder);
  const file = newFile(disk, 'moved');
  await disk.settled(file);
  renameSync(folder, `${folder}-away`);
  await expect(disk.sync(file)).rejects.toMatchObject({ code: 'ENOENT', syscall: 'fdatasync' });
  renameSync(`${folder}-away`, folder);
  await disk.sync(file);
  renameSync(folder, `${folder}-away`);
  await disk.sync(file);
  disk.close(file);
});

test('what the thread has no room for, or leaves undone when it ends, the pool does', async () => {
  const mortal = startSyncer(pathToFileURL(join(root, 'built', 'sync-thread.js')));
  const disk = new WriteBehind(writer, mortal);
  const files = Array.from({ length: 200 }, (_none, index) => newFile(disk, `many-${index}`));
  await Promise.all(files.map((file) => disk.settled(file)));
  const synced = files.map((file) => disk.sync(file));
  await mortal.stop();
  await Promise.all(synced);
  // Nor is a thread that is gone asked any more.
  await Promise.all(files.map((file) => disk.sync(file)));
  for (const file of files) disk.close(file);
});
