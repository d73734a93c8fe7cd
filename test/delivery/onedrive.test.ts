import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { GraphRoom, isFragment } from '../support/graph-room.ts';
import { refusalAs, type SeenRequest } from '../support/graph-server.ts';
import { describeAdversity } from './adversity.ts';
import { describeDestination, never, rejection, uploadOf, type DestinationSubject } from './conformance.ts';

const MIB = 1024 * 1024;
const room = new GraphRoom();

const isCommit = ({ method, path }: SeenRequest): boolean => method === 'POST' && path.startsWith('/up/');
const fragments = (): readonly string[] =>
  room.server.seen.filter(isFragment).map(({ headers }) => headers['content-range'] ?? '');

function librarySubject(): Promise<DestinationSubject> {
  const { library } = room.server;
  const root = 'Archiv für alles/#1';
  const folderOf = (path: string) => {
    let folder = library.root;
    for (const name of path.split('/').filter((part) => part !== ''))
      folder = library.childOf(folder, name) ?? library.makeFolder(folder, name);
    return folder;
  };
  return Promise.resolve({
    destination: room.open({ root }),
    read: (path) => Promise.resolve(room.stored(`${root}/${path}`)),
    list: (path) => {
      const folder = library.byPath(`${root}/${path}`);
      return Promise.resolve(
        folder === undefined
          ? []
          : library
              .children(folder)
              .map(({ name }) => name)
              .sort(),
      );
    },
    place: (path, bytes) => {
      const parts = path.split('/');
      const folder = folderOf(`${root}/${parts.slice(0, -1).join('/')}`);
      library.store(folder, parts.at(-1) ?? '', { content: Buffer.from(bytes), conflict: 'replace' });
      return Promise.resolve();
    },
    remove: () => Promise.resolve(),
  });
}

describeDestination('onedrive', librarySubject);
describeAdversity(
  'onedrive',
  async () => {
    const { destination, ...library } = await librarySubject();
    await destination.close();
    const { port } = room.server;
    return {
      ...library,
      port,
      // Several fragments.
      octets: 6_000_000,
      open: (to) => {
        room.server.reachedAt = to ?? port;
        return room.open({ root: 'Archiv für alles/#1' });
      },
      stop: () => room.server.pause(),
      start: () => room.server.resume(),
    };
  },
  'long',
);

describe('an upload by fragments', () => {
  const bytes = randomBytes(5 * MIB + 400_007);
  const whole = () => uploadOf('a.wav', bytes);

  test('goes in multiples of 320 KiB, without our token, and appears only when all is there', async () => {
    const before: (readonly unknown[])[] = [];
    room.server.interferences.push((request) => {
      if (isFragment(request) || isCommit(request))
        before.push([room.stored('a.wav'), request.headers.authorization]);
      return undefined;
    });
    const copy = await room.open().put(whole(), never);
    expect(room.stored('a.wav')?.equals(bytes)).toBe(true);
    expect(fragments()).toEqual([
      `bytes 0-5242879/${bytes.length}`,
      `bytes 5242880-${bytes.length - 1}/${bytes.length}`,
    ]);
    expect(before).toEqual(Array.from({ length: 3 }, () => [undefined, undefined]));
    expect(copy.proof).toBe('server-checksum');
    expect(copy.checksum).toMatch(/^quickxor:[A-Za-z0-9+/]{27}=$/);
    expect(copy.version).toMatch(/^"\{[0-9A-F-]{36}\},1"$/);
  });

  test.each([
    ['cut before the server had it', 'cut' as const],
    ['cut after the server had it', 'cut-after' as const],
    ['answered 500', refusalAs(500, 'generalException')],
    ['answered 429', refusalAs(429, 'activityLimitReached', { headers: { 'Retry-After': '0' } })],
  ])('survives a fragment %s', async (_name, what) => {
    room.server.interfere((request) => isFragment(request) && fragments().length === 2, what);
    await room.open().put(whole(), never);
    expect(room.stored('a.wav')?.equals(bytes)).toBe(true);
    expect(room.server.uploads.received).toBe(bytes.length);
  });

  test('goes on from where it was broken off, also after a restart', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sealtape-sessions-'));
    try {
      const sessionsFile = join(folder, 'deliveries', 'cloud.json');
      const first = room.open({ sessionsFile });
      const stop = new AbortController();
      room.server.interferences.push((request) => {
        if (!isFragment(request) || fragments().length < 2) return undefined;
        stop.abort();
        return 'cut';
      });
      expect(await rejection(first.put(whole(), stop.signal))).toMatchObject({ code: 'ABORTED' });
      expect(Object.keys(JSON.parse(readFileSync(sessionsFile, 'utf8')) as object)).toEqual(['a.wav']);
      room.server.interferences.length = 0;
      const had = room.server.uploads.received;
      expect(had).toBe(5 * MIB);
      await room.open({ sessionsFile }).put(whole(), never);
      expect(room.stored('a.wav')?.equals(bytes)).toBe(true);
      expect(room.server.uploads.received).toBe(bytes.length);
      expect(room.server.uploads.sessions.size).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('begins anew when its session has ended', async () => {
    room.server.interferences.push((request) => {
      if (isFragment(request) && fragments().length === 2) room.server.uploads.expire();
      return undefined;
    });
    await room.open().put(whole(), never);
    expect(room.stored('a.wav')?.equals(bytes)).toBe(true);
    expect(room.server.seen.filter(({ path }) => path.endsWith('/createUploadSession'))).toHaveLength(2);
  });

  test('gives up for now when sessions end again and again', async () => {
    room.server.interferences.push((request) => {
      if (isFragment(request)) room.server.uploads.expire();
      return undefined;
    });
    expect(await rejection(room.open().put(whole(), never))).toMatchObject({ code: 'UNREACHABLE' });
    expect(room.stored('a.wav')).toBeUndefined();
  });

  test('goes by the first octet that the server misses, also when it names gaps, in any order', async () => {
    room.server.interferences.push((request) => {
      if (!isFragment(request) || fragments().length !== 1) return undefined;
      const [session] = room.server.uploads.sessions.values();
      session?.parts.push(request.body);
      const last = bytes.length - 1;
      const nextExpectedRanges = [`${last - 9}-${last}`, `${last - 20}-${last - 15}`, '5242880-5300000'];
      if (session !== undefined) session.size = bytes.length;
      return { status: 202, json: { nextExpectedRanges } };
    });
    await room.open().put(whole(), never);
    expect(room.stored('a.wav')?.equals(bytes)).toBe(true);
    expect(fragments()).toHaveLength(2);
  });

  test('sends again what the server has lost, instead of leaving a hole', async () => {
    let lost = false;
    room.server.interferences.push((request) => {
      if (!isCommit(request) || lost) return undefined;
      lost = true;
      for (const session of room.server.uploads.sessions.values()) session.parts.pop();
      return undefined;
    });
    const destination = room.open();
    expect(await rejection(destination.put(whole(), never))).toMatchObject({ code: 'UNREACHABLE' });
    await destination.put(whole(), never);
    expect(room.stored('a.wav')?.equals(bytes)).toBe(true);
    expect(fragments()).toHaveLength(3);
  });

  test('takes 416 for what it is: the server has the fragment', async () => {
    room.server.interferences.push((request) => {
      if (!isFragment(request) || fragments().length !== 2) return undefined;
      const [session] = room.server.uploads.sessions.values();
      session?.parts.push(request.body);
      return refusalAs(416, 'invalidRange');
    });
    await room.open().put(whole(), never);
    expect(room.stored('a.wav')?.equals(bytes)).toBe(true);
    expect(room.server.seen.filter(({ path }) => path.endsWith('/createUploadSession'))).toHaveLength(1);
  });

  test('needs no token once it has begun: one that ends in mid-upload is renewed for what comes after', async () => {
    room.server.interferences.push((request) => {
      if (isFragment(request) && fragments().length === 1) room.server.login.expireTokens();
      return undefined;
    });
    await room.open().put(whole(), never);
    expect(room.stored('a.wav')?.equals(bytes)).toBe(true);
    expect(room.server.login.issued).toBeLessThanOrEqual(2);
  });

  test('that finds no more room in the middle is a matter for a person, and leaves no session behind', async () => {
    room.server.interfere(
      (request) => isFragment(request) && fragments().length === 2,
      refusalAs(507, 'quotaLimitReached'),
    );
    expect(await rejection(room.open().put(whole(), never))).toMatchObject({ fault: 'quota' });
    expect(room.server.uploads.sessions.size).toBe(0);
    await room.open().put(whole(), never);
    expect(room.stored('a.wav')?.equals(bytes)).toBe(true);
  });

  test('of a file that somebody changed meanwhile comes back later (412), and does not replace it', async () => {
    const destination = room.open();
    await destination.extend(uploadOf('e.txt', bytes.subarray(0, 4 * MIB + 1)), never);
    room.server.interfere(
      ({ path, headers }) => path.endsWith('/createUploadSession') && headers['if-match'] !== undefined,
      refusalAs(412, 'resourceModified'),
    );
    expect(await rejection(destination.extend(uploadOf('e.txt', bytes), never))).toMatchObject({
      code: 'MOVED',
    });
    expect(room.stored('e.txt')).toHaveLength(4 * MIB + 1);
    await destination.extend(uploadOf('e.txt', bytes), never);
    expect(room.stored('e.txt')?.equals(bytes)).toBe(true);
  });

  test.each([
    ['the same', true],
    ['another', false],
  ])('whose name %s file takes in the meantime ends as it should', async (_name, same) => {
    const other = same ? bytes : randomBytes(100);
    room.server.interferences.push((request) => {
      if (isCommit(request))
        room.server.library.store(room.server.library.root, 'a.wav', { content: other, conflict: 'fail' });
      return undefined;
    });
    const result = room.open().put(whole(), never);
    if (same) expect(await result).toMatchObject({ proof: 'read-back' });
    else expect(await rejection(result)).toMatchObject({ fault: 'name-taken' });
    expect(room.stored('a.wav')?.equals(other)).toBe(true);
    expect(room.server.uploads.sessions.size).toBe(0);
  });

  test('is done when the answer to the commit was lost', async () => {
    room.server.interfere(isCommit, 'cut-after');
    await room.open().put(whole(), never);
    expect(room.stored('a.wav')?.equals(bytes)).toBe(true);
  });

  test('waits while somebody else uploads under the name', async () => {
    room.server.uploads.begin(room.server.library.root, 'a.wav', {}, undefined);
    expect(await rejection(room.open().put(whole(), never))).toMatchObject({ code: 'MOVED' });
    room.server.uploads.expire();
    await room.open().put(whole(), never);
    expect(room.stored('a.wav')?.equals(bytes)).toBe(true);
  });

  test('cancels what only a person can help with, and stores nothing', async () => {
    const changed = { ...uploadOf('a.wav', bytes), sha256: '0'.repeat(64) };
    expect(await rejection(room.open().put(changed, never))).toMatchObject({ fault: 'source-changed' });
    room.server.library.quota = MIB;
    expect(await rejection(room.open().put(whole(), never))).toMatchObject({ fault: 'quota' });
    expect([room.stored('a.wav'), room.server.uploads.sessions.size]).toEqual([undefined, 0]);
  });

  test('never holds more of a file than two fragments', async () => {
    const size = 12 * MIB;
    const part = Buffer.alloc(64 * 1024, 7);
    let given = 0;
    let ahead = 0;
    const upload = uploadOf('big.wav', Buffer.alloc(size, 7), {
      open: () =>
        new Readable({
          highWaterMark: 64 * 1024,
          read() {
            given += part.length;
            ahead = Math.max(ahead, given - room.server.uploads.received);
            this.push(given > size ? null : part);
          },
        }),
    });
    await room.open().put(upload, never);
    expect(room.stored('big.wav')).toHaveLength(size);
    expect(ahead).toBeLessThanOrEqual(10 * MIB);
  });

  test('lets a big file grow', async () => {
    const destination = room.open();
    await destination.extend(uploadOf('e.txt', bytes.subarray(0, 4 * MIB + 1)), never);
    await destination.extend(uploadOf('e.txt', bytes), never);
    expect(room.stored('e.txt')?.equals(bytes)).toBe(true);
  });
});
