import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeDisk, type AudioDisk } from '../../src/media/audio-disk.ts';
import { WavFile } from '../../src/media/wav-file.ts';

let folder: string;
let closed: number[];
let syncs: { resolve: () => void; reject: (error: Error) => void }[];
let disk: AudioDisk;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sealtape-sync-'));
  closed = [];
  syncs = [];
  disk = {
    ...nodeDisk,
    sync: () => new Promise<void>((resolve, reject) => syncs.push({ resolve, reject })),
    close: (fd) => {
      closed.push(fd);
      nodeDisk.close(fd);
    },
  };
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

const open = (): WavFile => new WavFile(join(folder, 'audio.wav.part'), { law: 'PCMA', channels: 1 }, disk);

test('writing goes on while the disk syncs, and one sync at a time is under way', () => {
  const file = open();
  file.startSync();
  file.startSync();
  file.write(Buffer.alloc(160, 1), 160, 0);
  expect(syncs).toHaveLength(1);
});

test('a file closed in mid-sync is closed when the sync is through, once', async () => {
  const file = open();
  file.startSync();
  file.close();
  file.close();
  expect(closed).toEqual([]);
  syncs[0]?.resolve();
  await new Promise(setImmediate);
  expect(closed).toHaveLength(1);
});

test('the end waits for a sync under way, then syncs all of it', async () => {
  const file = open();
  file.write(Buffer.alloc(160, 1), 160, 0);
  file.startSync();
  const finished = file.finish(160);
  syncs[0]?.resolve();
  while (syncs.length < 2) await new Promise(setImmediate);
  syncs[1]?.resolve();
  expect(await finished).toBe(58 + 160);
  expect(closed).toHaveLength(1);
});

test('a sync that failed is met by the next write', async () => {
  const file = open();
  file.startSync();
  syncs[0]?.reject(new Error('EIO'));
  await new Promise(setImmediate);
  expect(() => {
    file.write(Buffer.alloc(1), 1, 0);
  }).toThrow(expect.objectContaining({ code: 'DISK' }));
  file.write(Buffer.alloc(1), 1, 0);
});
