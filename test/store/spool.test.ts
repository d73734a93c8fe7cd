import { createHash } from 'node:crypto';
import { link, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createOnce } from '../../src/store/create-once.ts';
import { openSpool, type Spool } from '../../src/store/spool.ts';

let dataDir: string;
let spool: Spool;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'spool-'));
  spool = await openSpool(dataDir);
});

afterEach(async () => {
  spool.close();
  await rm(dataDir, { recursive: true });
});

/** The folder of a recording as the media side makes it. */
async function made(recording: string): Promise<string> {
  const folder = spool.folderOf(recording);
  await mkdir(folder);
  return folder;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('createOnce', () => {
  test('creates a file whole, and again with equal bytes does nothing', async () => {
    const path = join(dataDir, 'x');
    await createOnce(path, Buffer.from('evidence'));
    const { ino, mtimeMs } = await stat(path);
    await createOnce(path, Buffer.from('evidence'));
    expect(await stat(path)).toMatchObject({ ino, mtimeMs });
    expect(await readFile(path, 'utf8')).toBe('evidence');
    expect(await readdir(dataDir)).toEqual(['spool', 'x']);
  });

  test('never replaces other bytes and leaves nothing behind', async () => {
    const path = join(dataDir, 'x');
    await createOnce(path, Buffer.from('first'));
    await expect(createOnce(path, Buffer.from('second'))).rejects.toMatchObject({ code: 'DIFFERENT' });
    expect(await readFile(path, 'utf8')).toBe('first');
    expect(await readdir(dataDir)).toEqual(['spool', 'x']);
  });

  test('called by many at once, exactly one content wins', async () => {
    const path = join(dataDir, 'x');
    const calls = Array.from({ length: 20 }, (_, index) =>
      createOnce(path, Buffer.from(`content ${index % 2}`)),
    );
    const results = await Promise.allSettled(calls);
    const winner = await readFile(path, 'utf8');
    expect(results.map(({ status }) => status === 'fulfilled')).toEqual(
      calls.map((_, index) => `content ${index % 2}` === winner),
    );
  });

  test('fails in a folder that is not there', async () => {
    await expect(createOnce(join(dataDir, 'no', 'x'), Buffer.from('x'))).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });
});

describe('the spool', () => {
  test('has a folder for each recording, which others make, and lists those that are there', async () => {
    expect(spool.folderOf('r3')).toBe(join(dataDir, 'spool', 'r3'));
    await made('r2');
    await made('r1');
    expect(await spool.list()).toEqual(['r1', 'r2']);
    await spool.discard('r1');
    await spool.discard('r1');
    expect(await spool.list()).toEqual(['r2']);
  });

  test('names the working files of a recording', async () => {
    const folder = await made('r1');
    for (const name of ['b.wav.part', 'a.wav.part', 'notes.txt']) await writeFile(join(folder, name), '');
    expect(await spool.parts('r1')).toEqual([join(folder, 'a.wav.part'), join(folder, 'b.wav.part')]);
    expect(await spool.parts('none')).toEqual([]);
  });

  test.each(['', '.', '..', '../x', 'a/b', 'a\0', 'ü', 'a b', 'x'.repeat(201)])(
    'takes no path for an id: %j',
    async (id) => {
      expect(() => spool.folderOf(id)).toThrow(expect.objectContaining({ code: 'INVALID' }));
      await expect(spool.discard(id)).rejects.toMatchObject({ code: 'INVALID' });
      expect(() => spool.path('r1', id)).toThrow(expect.objectContaining({ code: 'INVALID' }));
    },
  );

  test.each([0, 1, 58, 262_143, 262_144, 262_145, 700_000])(
    'digests a file and its audio from octet %i in one pass',
    async (offset) => {
      const bytes = Buffer.from(Array.from({ length: 600_000 }, (_, index) => (index * 7) % 251));
      const path = join(dataDir, 'audio');
      await writeFile(path, bytes);
      expect(await spool.digest(path, offset)).toEqual({
        bytes: bytes.length,
        sha256: sha256(bytes),
        audioSha256: sha256(bytes.subarray(offset)),
        beginnings: [],
      });
    },
  );

  test.each([0, 58, 262_144])(
    'digests also beginnings of the audio from octet %i, in any order',
    async (offset) => {
      const bytes = Buffer.from(Array.from({ length: 600_000 }, (_, index) => (index * 7) % 251));
      const path = join(dataDir, 'audio');
      await writeFile(path, bytes);
      const audio = bytes.subarray(offset);
      const lengths = [1, audio.length, 300_000, 0, 262_144, 300_000, audio.length + 1];
      const { audioSha256, beginnings } = await spool.digest(path, offset, lengths);
      expect(audioSha256).toBe(sha256(audio));
      expect(beginnings).toEqual(
        lengths.map((length) => (length > audio.length ? undefined : sha256(audio.subarray(0, length)))),
      );
    },
  );

  test('finishes a working file once, and again without harm', async () => {
    const folder = await made('r1');
    const from = join(folder, 'audio.part');
    await writeFile(from, 'audio');
    await spool.finish('r1', [{ from, name: 'rec.wav' }]);
    await spool.finish('r1', [{ from, name: 'rec.wav' }]);
    expect(await readdir(folder)).toEqual(['rec.wav']);
    expect(await readFile(spool.path('r1', 'rec.wav'), 'utf8')).toBe('audio');
  });

  test('finishes what a crash left between linking and unlinking', async () => {
    const folder = await made('r1');
    const from = join(folder, 'audio.part');
    await writeFile(from, 'audio');
    await link(from, join(folder, 'rec.wav'));
    await spool.finish('r1', [{ from, name: 'rec.wav' }]);
    expect(await readdir(folder)).toEqual(['rec.wav']);
  });

  test('never finishes over another file, and says when there is nothing to finish', async () => {
    const folder = await made('r1');
    const from = join(folder, 'audio.part');
    await expect(spool.finish('r1', [{ from, name: 'rec.wav' }])).rejects.toMatchObject({ code: 'MISSING' });
    await writeFile(from, 'audio');
    await writeFile(join(folder, 'rec.wav'), 'audio');
    await expect(spool.finish('r1', [{ from, name: 'rec.wav' }])).rejects.toMatchObject({
      code: 'DIFFERENT',
    });
    expect(await readdir(folder)).toEqual(['audio.part', 'rec.wav']);
  });

  test('creates small files once', async () => {
    await made('r1');
    await spool.createOnce('r1', [{ name: 'rec_info.txt', bytes: Buffer.from('info') }]);
    await spool.createOnce('r1', [{ name: 'rec_info.txt', bytes: Buffer.from('info') }]);
    await expect(
      spool.createOnce('r1', [{ name: 'rec_info.txt', bytes: Buffer.from('other') }]),
    ).rejects.toMatchObject({
      code: 'DIFFERENT',
    });
  });

  test('removes only the temporary files of a crash when it is opened again', async () => {
    const folder = join(dataDir, 'spool', 'r1');
    await mkdir(folder);
    for (const name of ['rec.wav.part', 'rec_info.txt.1234.tmp', 'rec_hash.txt'])
      await writeFile(join(folder, name), '');
    const again = await openSpool(dataDir);
    again.close();
    again.close();
    expect(await readdir(folder)).toEqual(['rec.wav.part', 'rec_hash.txt']);
  });

  test('knows the free space without asking the disk, and none when the disk is gone', async () => {
    const watched = await openSpool(dataDir, { measureEvery: 5 });
    expect(watched.freeBytes()).toBeGreaterThan(1_000_000);
    await rm(join(dataDir, 'spool'), { recursive: true });
    while (watched.freeBytes() > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    watched.close();
    expect(watched.freeBytes()).toBe(0);
  });
});
