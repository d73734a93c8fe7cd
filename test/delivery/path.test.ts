import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { openPathDestination, type PathOptions } from '../../src/delivery/path.ts';
import { openingOf, PermanentUploadError } from '../../src/jobs/destination.ts';
import { testWithMount } from '../support/mounting.ts';
import { describeAdversity } from './adversity.ts';
import { describeDestination, never, rejection, uploadOf, type DestinationSubject } from './conformance.ts';

const run = promisify(execFile);

async function folderSubject(options: Partial<PathOptions> = {}): Promise<DestinationSubject> {
  const { root = await mkdtemp(join(tmpdir(), 'archive-')) } = options;
  return {
    destination: openPathDestination({ name: 'archive', ...options, root }),
    read: (path) => readFile(join(root, path)).catch(() => undefined),
    list: async (folder) => (await readdir(join(root, folder)).catch(() => [])).sort(),
    place: async (path, bytes) => {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), bytes);
    },
    remove: () => rm(root, { recursive: true }),
  };
}

const noLinks = (): Promise<void> =>
  Promise.reject(Object.assign(new Error('EOPNOTSUPP: operation not supported'), { code: 'EOPNOTSUPP' }));

describeDestination('path', () => folderSubject());
describeAdversity('path', async () => {
  const root = await mkdtemp(join(tmpdir(), 'archive-'));
  return { ...(await folderSubject({ root })), open: () => openPathDestination({ name: 'archive', root }) };
});

describe('a folder', () => {
  let root: string;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'archive-'));
  });
  afterEach(async () => {
    await rm(root, { recursive: true });
  });

  const open = (options: Partial<PathOptions> = {}) =>
    openPathDestination({ name: 'archive', root, ...options });
  const small = uploadOf('d/a.wav', Buffer.from('audio'));

  test('without hard links stores as well and still never overwrites', async () => {
    const destination = open({ linkFile: noLinks });
    await destination.put(small, never);
    await destination.put(small, never);
    const other = uploadOf('d/a.wav', Buffer.from('other'));
    await expect(destination.put(other, never)).rejects.toBeInstanceOf(PermanentUploadError);
    expect(await readFile(join(root, 'd/a.wav'), 'utf8')).toBe('audio');
    expect(await readdir(join(root, 'd'))).toEqual(['a.wav']);
  });

  test('makes a folder again that somebody has removed, but not the root', async () => {
    const destination = open();
    await destination.put(small, never);
    await rm(join(root, 'd'), { recursive: true });
    await destination.put(small, never);
    expect(await readFile(join(root, 'd/a.wav'), 'utf8')).toBe('audio');
    await rm(root, { recursive: true });
    await expect(destination.put(small, never)).rejects.toMatchObject({ code: 'UNREACHABLE' });
    await mkdir(root);
  });

  test('stores files of this machine, and refuses one that is no longer what was sealed', async () => {
    const destination = open();
    const source = join(root, 'source');
    for (const size of [5, 300_000, 1_500_000]) {
      await writeFile(source, Buffer.alloc(size, 7));
      const upload = {
        ...uploadOf(`d/${size}`, Buffer.alloc(size, 7)),
        open: openingOf(source),
        file: source,
      };
      await destination.putStages([[upload]], never);
      expect(await readFile(join(root, upload.path))).toEqual(Buffer.alloc(size, 7));
      await writeFile(source, Buffer.alloc(size + 1, 7));
      const grown = { ...upload, path: `d/${size}-grown` };
      await expect(destination.putStages([[grown]], never)).rejects.toMatchObject({
        fault: 'source-changed',
      });
      await rm(source);
      await expect(destination.putStages([[grown]], never)).rejects.toMatchObject({
        code: 'SOURCE_UNREADABLE',
      });
    }
    expect((await readdir(join(root, 'd'))).sort()).toEqual(['1500000', '300000', '5']);
  });

  test('that is not there may come back: a missing mount is not made, and not permanent', async () => {
    const missing = join(root, 'mount');
    const error = await rejection(open({ root: missing }).put(small, never));
    expect(error).toMatchObject({ name: 'DeliveryError', code: 'UNREACHABLE' });
    await mkdir(missing);
    await open({ root: missing }).put(small, never);
    expect(await readFile(join(missing, 'd/a.wav'), 'utf8')).toBe('audio');
  });

  test('without its marker file is not the right one, whatever else is there', async () => {
    const marked = open({ marker: '.archive' });
    for (const attempt of [
      () => marked.put(small, never),
      () => marked.stat({ path: 'd/a.wav' }, never),
      () => marked.list('d', never),
      () => marked.remove({ path: 'd/a.wav' }, never),
    ])
      expect(await rejection(attempt())).toMatchObject({ name: 'DeliveryError', code: 'UNREACHABLE' });
    expect(await readdir(root)).toEqual([]);
    await writeFile(join(root, '.archive'), '');
    await marked.put(small, never);
    expect(await readdir(root)).toEqual(['.archive', 'd']);
  });

  test('that is a file is refused for good', async () => {
    await writeFile(join(root, 'file'), '');
    const error = await rejection(open({ root: join(root, 'file') }).put(small, never));
    expect(error).toBeInstanceOf(PermanentUploadError);
    expect(error.cause).toMatchObject({ code: 'BAD_PATH' });
  });

  test('removes copies that a crash left unfinished, and only those', async () => {
    await mkdir(join(root, 'd'));
    const stale = '.sealtape-0193f0c2-7a10-7cde-b5c1-0d5f0f6a2b11.part';
    const young = '.sealtape-0193f0c2-7a10-7cde-b5c1-0d5f0f6a2b12.part';
    const foreign = 'download.part';
    for (const name of [stale, young, foreign]) await writeFile(join(root, 'd', name), 'half');
    const old = Date.now() / 1000 - 3600;
    for (const name of [stale, foreign]) await utimes(join(root, 'd', name), old, old);
    await open().put(small, never);
    expect((await readdir(join(root, 'd'))).sort()).toEqual([young, 'a.wav', foreign].sort());
  });

  test('does not follow a link that stands where the file goes', async () => {
    await mkdir(join(root, 'd'));
    await writeFile(join(root, 'elsewhere'), 'audio');
    await symlink(join(root, 'elsewhere'), join(root, 'd/a.wav'));
    await expect(open().put(small, never)).rejects.toBeInstanceOf(PermanentUploadError);
    await expect(open().extend(small, never)).rejects.toBeInstanceOf(PermanentUploadError);
  });

  testWithMount(
    'that is full says so, keeps nothing half, and takes the file when there is room',
    async () => {
      await run('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'sealtape-test', root]);
      try {
        await writeFile(join(root, 'ballast'), Buffer.alloc(150_000));
        const upload = uploadOf('d/a.wav', Buffer.alloc(150_000, 7));
        const error = await rejection(open().put(upload, never));
        expect(error).toMatchObject({ name: 'DeliveryError', code: 'DISK_FULL' });
        expect(await readdir(join(root, 'd'))).toEqual([]);
        await rm(join(root, 'ballast'));
        await open().put(upload, never);
        expect((await readFile(join(root, 'd/a.wav'))).equals(Buffer.alloc(150_000, 7))).toBe(true);
      } finally {
        await run('umount', [root]);
      }
    },
  );

  testWithMount('that is read-only is refused for good', async () => {
    await run('mount', ['-t', 'tmpfs', '-o', 'ro,size=64k', 'sealtape-test', root]);
    try {
      const error = await rejection(open().put(small, never));
      expect(error).toBeInstanceOf(PermanentUploadError);
      expect(error.cause).toMatchObject({ code: 'DENIED' });
    } finally {
      await run('umount', [root]);
    }
  });
});
