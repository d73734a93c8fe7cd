import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { chown, mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { openSftpDestination, type SftpOptions } from '../../src/delivery/sftp.ts';
import { startSftpServer, type SftpServer } from '../support/sftp-server.ts';
import { describeAdversity, type AdverseSubject } from './adversity.ts';
import { describeDestination, never, rejection, uploadOf, type DestinationSubject } from './conformance.ts';
import { freePort } from '../support/free-port.ts';
import type { Destination } from '../../src/jobs/destination.ts';

let server: SftpServer;
let count = 0;

beforeAll(async () => {
  server = await startSftpServer();
});
afterAll(() => server.remove());

const login = (changes: Partial<SftpOptions> = {}): SftpOptions => ({
  name: 'archive',
  host: '127.0.0.1',
  port: server.port,
  user: 'nobody',
  privateKey: server.privateKey,
  fingerprints: [server.fingerprint],
  root: '/upload',
  sessions: 3,
  timeoutSeconds: 20,
  ...changes,
});

async function folderSubject(): Promise<DestinationSubject> {
  const name = `t ${(count += 1)}`;
  const folder = join(server.upload, name);
  await mkdir(folder);
  await chown(folder, 65534, 65534);
  const destination = openSftpDestination(login({ root: `/upload/${name}` }));
  return {
    destination,
    read: (path) => readFile(join(folder, path)).catch(() => undefined),
    list: async (path) => (await readdir(join(folder, path)).catch(() => [])).sort(),
    place: async (path, bytes) => {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), bytes);
      for (let each = path; each !== '.'; each = dirname(each)) await chown(join(folder, each), 65534, 65534);
    },
    remove: async () => {
      await destination.close();
      await rm(folder, { recursive: true });
    },
  };
}

describeDestination('sftp', folderSubject);

/** The same with as many recorders as are asked for, and a server that can be stopped. */
async function adverseSubject(): Promise<AdverseSubject> {
  const { destination, ...folder } = await folderSubject();
  const root = `/upload/t ${count}`;
  const opened = [destination];
  return {
    ...folder,
    port: server.port,
    open: (port = server.port) => {
      const one = openSftpDestination(login({ root, port }));
      opened.push(one);
      return one;
    },
    stop: () => server.stop(),
    start: () => server.start(),
    remove: async () => {
      for (const each of opened) await each.close();
      await folder.remove();
    },
  };
}

describeAdversity('sftp', adverseSubject);

describe('an SFTP server', () => {
  const small = uploadOf('d/a.wav', Buffer.from('audio'));
  const tried: Destination[] = [];
  const open = (changes: Partial<SftpOptions>): Destination => {
    const destination = openSftpDestination(login(changes));
    tried.push(destination);
    return destination;
  };
  afterEach(async () => {
    for (const each of tried.splice(0)) await each.close();
  });

  test('with another host key gets neither a login nor a file', async () => {
    const fingerprints = [`SHA256:${'A'.repeat(43)}`];
    const error = await rejection(open({ fingerprints }).put(small, never));
    expect(error).toMatchObject({ fault: 'identity' });
    expect(error.message).toContain(server.fingerprint);
  });

  test('with one of several host keys is the right one', async () => {
    const fingerprints = [`SHA256:${'A'.repeat(43)}`, server.fingerprint];
    expect(await open({ fingerprints }).capabilities(never)).toMatchObject({ encryption: 'ssh' });
  });

  test.each([
    ['an unknown user', { user: 'rec' }, 'credentials'],
    ['a password it does not take', { privateKey: undefined, password: 'x' }, 'credentials'],
    ['a key that is none', { privateKey: 'not a key' }, 'configuration'],
    ["a folder that is somebody else's", { root: '/' }, 'credentials'],
  ])('with %s is a matter for a person', async (_name, changes, fault) => {
    expect(await rejection(open(changes).put(small, never))).toMatchObject({
      name: 'PermanentUploadError',
      fault,
    });
  });

  test('that is not there may come back', async () => {
    const error = await rejection(open({ port: await freePort() }).put(small, never));
    expect(error).toMatchObject({ name: 'DeliveryError', code: 'UNREACHABLE' });
  });
});

describe('an account that may only add', () => {
  let strict: SftpServer;

  beforeAll(async () => {
    strict = await startSftpServer({ internal: '-P remove,rmdir,setstat,fsetstat,posix-rename' });
  });
  afterAll(() => strict.remove());

  test('stores, repeats and extends, and can remove nothing', async () => {
    const own = { port: strict.port, privateKey: strict.privateKey, fingerprints: [strict.fingerprint] };
    const destination = openSftpDestination(login(own));
    const upload = uploadOf('d/a.wav', Buffer.alloc(300_000, 7));
    await destination.put(upload, never);
    await destination.put(upload, never);
    for (const text of ['one\n', 'one\ntwo\n'])
      await destination.extend(uploadOf('d/e.txt', Buffer.from(text)), never);
    expect(await readFile(join(strict.upload, 'd/e.txt'), 'utf8')).toBe('one\ntwo\n');
    expect((await readdir(join(strict.upload, 'd'))).sort()).toEqual(['a.wav', 'e.txt']);
    expect(await rejection(destination.remove({ path: 'd/a.wav' }, never))).toMatchObject({
      fault: 'credentials',
    });
    await destination.close();
  });

  test('with an account for deletion beside it removes files, and what was left unfinished, by that account alone', async () => {
    const own = { port: strict.port, privateKey: strict.privateKey, fingerprints: [strict.fingerprint] };
    const destination = openSftpDestination(login(own), login({ ...own, user: 'keeper' }));
    const folder = join(strict.upload, 'k');
    await mkdir(folder);
    const stale = `.sealtape-${randomUUID()}.part`;
    const fresh = `.sealtape-${randomUUID()}.part`;
    for (const name of [stale, fresh]) await writeFile(join(folder, name), 'half');
    const old = Date.now() / 1000 - 3700;
    await utimes(join(folder, stale), old, old);
    for (const each of ['', stale, fresh]) await chown(join(folder, each), 65534, 65534);
    await destination.put(uploadOf('k/a.wav', Buffer.from('audio')), never);
    expect((await readdir(folder)).sort()).toEqual([fresh, 'a.wav']);

    const broken = uploadOf('k/b.wav', Buffer.from('audio'), { sha256: '0'.repeat(64) });
    expect(await rejection(destination.put(broken, never))).toMatchObject({ fault: 'source-changed' });
    expect((await readdir(folder)).sort()).toEqual([fresh, 'a.wav']);

    expect(await destination.remove({ path: 'k/a.wav' }, never)).toBe(true);
    expect(await destination.remove({ path: 'k/a.wav' }, never)).toBe(false);
    expect(await readdir(folder)).toEqual([fresh]);
    await destination.close();
  });
});

describe('a full disk', () => {
  test('is said, and takes the file that fits', async () => {
    const full = await startSftpServer({ smallKiB: 512 });
    const own = { port: full.port, privateKey: full.privateKey, fingerprints: [full.fingerprint] };
    const destination = openSftpDestination(login(own));
    try {
      const big = uploadOf('d/big.wav', Buffer.alloc(3_000_000, 7));
      expect(await rejection(destination.put(big, never))).toMatchObject({
        name: 'DeliveryError',
        code: 'DISK_FULL',
      });
      expect(await destination.list('d', never)).toEqual([]);
      await destination.put(small, never);
    } finally {
      await destination.close();
      await full.remove();
    }
  });
  const small = uploadOf('d/small.wav', Buffer.alloc(100_000, 7));
});
