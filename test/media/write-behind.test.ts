import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { WriteBehind } from '../../src/media/write-behind.ts';
import { Writer } from '../../src/media/writer.ts';
import { buildMedia } from './built-media.ts';

const root = mkdtempSync(join(tmpdir(), 'sealtape-writer-'));
let writer: Writer;

beforeAll(async () => {
  const built = join(root, 'built');
  await buildMedia(built);
  writer = new Writer(pathToFileURL(join(built, 'writer-thread.js')));
});
afterAll(async () => {
  await writer.stop();
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
