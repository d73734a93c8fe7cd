import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes, randomUUID } from 'node:crypto';
import { chmod, chown, mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { openSmbDestination, type SmbOptions } from '../../src/delivery/smb.ts';
import { PermanentUploadError, type Destination } from '../../src/jobs/destination.ts';
import { freePort } from '../support/free-port.ts';
import { testWithMount } from '../support/mounting.ts';
import { startSamba, type Samba } from '../support/samba.ts';
import { describeAdversity, type AdverseSubject } from './adversity.ts';
import { describeDestination, never, rejection, uploadOf, type DestinationSubject } from './conformance.ts';

let samba: Samba;
let count = 0;

beforeAll(async () => {
  samba = await startSamba();
});
afterAll(() => samba.remove());

const login = (changes: Partial<SmbOptions> = {}): SmbOptions => ({
  name: 'nas',
  service: '//127.0.0.1/rec',
  port: samba.port,
  domain: 'TEST',
  user: 'rec',
  password: samba.password,
  encryption: 'required',
  root: '',
  sessions: 3,
  timeoutSeconds: 20,
  ...changes,
});

/** A folder of the share for each test. */
async function shareSubject(): Promise<DestinationSubject> {
  const root = `t ${(count += 1)}`;
  const folder = join(samba.share, root);
  await mkdir(folder);
  await chown(folder, 65534, 65534);
  const destination = openSmbDestination(login({ root }));
  return {
    destination,
    read: (path) => readFile(join(folder, path)).catch(() => undefined),
    list: async (path) => (await readdir(join(folder, path)).catch(() => [])).sort(),
    place: async (path, bytes) => {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), bytes);
      for (let each = dirname(path); ; each = dirname(each)) {
        await chown(join(folder, each), 65534, 65534);
        if (each === '.') break;
      }
      await chown(join(folder, path), 65534, 65534);
    },
    remove: async () => {
      await destination.close();
      await rm(folder, { recursive: true });
    },
  };
}

describeDestination('smb', shareSubject);

/** The same with as many recorders as are asked for, and a server that can be stopped. */
async function adverseSubject(): Promise<AdverseSubject> {
  const { destination, ...folder } = await shareSubject();
  const root = `t ${count}`;
  const opened = [destination];
  return {
    ...folder,
    port: samba.port,
    open: (port = samba.port) => {
      const one = openSmbDestination(login({ root, port }));
      opened.push(one);
      return one;
    },
    stop: () => samba.stop(),
    start: () => samba.start(),
    remove: async () => {
      for (const each of opened) await each.close();
      await folder.remove();
    },
  };
}

describeAdversity('smb', adverseSubject);

describe('an account for deletion', () => {
  test('removes what the everyday account may not, files and unfinished ones', async () => {
    const root = `t ${(count += 1)}`;
    const folder = join(samba.share, root, 'd');
    await mkdir(folder, { recursive: true });
    for (const each of [dirname(folder), folder]) await chown(each, 65534, 65534);
    const destination = openSmbDestination(login({ root }), login({ root, user: 'keeper' }));
    const upload = uploadOf('d/a.wav', Buffer.from('audio'));
    await destination.put(upload, never);
    // What an administrator's job makes of a folder that is full: root's, and sticky.
    const stale = join(folder, `.sealtape-${randomUUID()}.part`);
    await writeFile(stale, 'half');
    const old = Date.now() / 1000 - 3700;
    await utimes(stale, old, old);
    for (const each of [folder, join(folder, 'a.wav')]) await chown(each, 0, 65534);
    await chmod(folder, 0o1777);
    const everyday = openSmbDestination(login({ root }));
    await everyday.put(uploadOf('d/b.wav', Buffer.from('audio')), never);
    expect(await rejection(everyday.remove({ path: 'd/a.wav' }, never))).toMatchObject({
      fault: 'credentials',
    });
    expect((await readdir(folder)).sort()).toEqual([basename(stale), 'a.wav', 'b.wav']);
    await everyday.close();
    expect(await destination.remove({ path: 'd/a.wav' }, never)).toBe(true);
    const again = openSmbDestination(login({ root }), login({ root, user: 'keeper' }));
    await again.put(uploadOf('d/c.wav', Buffer.from('audio')), never);
    expect((await readdir(folder)).sort()).toEqual(['b.wav', 'c.wav']);
    for (const each of [destination, again]) await each.close();
  });
});

describe('a full disk', () => {
  testWithMount('is said, leaves nothing half, and takes the file that fits', async () => {
    const full = await startSamba({ smallKiB: 512 });
    const destination = openSmbDestination(login({ port: full.port, password: full.password }));
    try {
      const big = uploadOf('d/big.wav', randomBytes(3_000_000));
      expect(await rejection(destination.put(big, never))).toMatchObject({
        name: 'DeliveryError',
        code: 'DISK_FULL',
      });
      expect(await readdir(join(full.share, 'd'))).toEqual([]);
      await destination.put(uploadOf('d/small.wav', randomBytes(100_000)), never);
      expect(await readdir(join(full.share, 'd'))).toEqual(['small.wav']);
    } finally {
      await destination.close();
      await full.remove();
    }
  });
});

describe('a share', () => {
  const small = uploadOf('d/a.wav', Buffer.from('audio'));
  const tried: Destination[] = [];
  const open = (changes: Partial<SmbOptions>): Destination => {
    const destination = openSmbDestination(login(changes));
    tried.push(destination);
    return destination;
  };
  afterEach(async () => {
    for (const each of tried.splice(0)) await each.close();
  });

  test.each([
    ['a wrong password', { password: 'wrong' }, 'credentials'],
    ['an unknown user', { user: 'nobody-else' }, 'credentials'],
    ['no Kerberos ticket', { kerberosCache: '/nonexistent/cache' }, 'credentials'],
    ['a share that is not there', { service: '//127.0.0.1/nowhere' }, 'configuration'],
    ['no smbclient to be found', { program: '/nonexistent/smbclient' }, 'configuration'],
  ])('with %s is a matter for a person', async (_name, changes, fault) => {
    const error = await rejection(open(changes).put(small, never));
    expect(error).toMatchObject({ name: 'PermanentUploadError', fault });
  });

  test('that is not there may come back', async () => {
    const error = await rejection(open({ port: await freePort() }).put(small, never));
    expect(error).toMatchObject({ name: 'DeliveryError', code: 'UNREACHABLE' });
  });

  test('whose folder is not there may come back', async () => {
    const error = await rejection(open({ root: 'not mounted' }).put(small, never));
    expect(error).toMatchObject({ name: 'DeliveryError', code: 'UNREACHABLE' });
  });

  test('of a server that neither signs nor encrypts gets nothing', async () => {
    const lax = await startSamba({ lax: true });
    try {
      const error = await rejection(open({ port: lax.port, password: lax.password }).put(small, never));
      expect(error).toBeInstanceOf(PermanentUploadError);
      expect(await readdir(lax.share)).toEqual([]);
    } finally {
      await lax.remove();
    }
  });
});
