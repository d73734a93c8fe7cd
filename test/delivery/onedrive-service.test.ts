import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { withDeletionAccount } from '../../src/delivery/deletion-account.ts';
import { GraphRoom, SECRET } from '../support/graph-room.ts';
import { refusalAs, type SeenRequest } from '../support/graph-server.ts';
import { never, rejection, uploadOf } from './conformance.ts';

const room = new GraphRoom();

describe('the proof of a copy', () => {
  const upload = uploadOf('a.wav', randomBytes(1000));

  test('fails when the server has changed what it was given, and takes it away again', async () => {
    room.server.library.alter = (content) => Buffer.concat([content.subarray(1), Buffer.from('x')]);
    expect(await rejection(room.open().put(upload, never))).toMatchObject({ code: 'NOT_PROVED' });
    expect(room.stored('a.wav')).toBeUndefined();
    room.server.library.alter = (content) => content;
    expect(await room.open().put(upload, never)).toMatchObject({ proof: 'server-checksum' });
  });

  test('waits for a checksum that is late, and reads back where there is none', async () => {
    room.server.library.looksWithoutChecksum = 2;
    expect(await room.open().put(upload, never)).toMatchObject({ proof: 'server-checksum' });
    room.server.library.looksWithoutChecksum = 1000;
    const copy = await room.open().put(uploadOf('b.wav', randomBytes(1000)), never);
    expect(copy).toMatchObject({ proof: 'read-back' });
    expect(copy.checksum).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  test('is of one item: a file that was put in its place is not it, one that was labelled still is', async () => {
    const destination = room.open();
    const copy = { path: 'a.wav', ...(await destination.put(upload, never)) };
    room.server.library.labels.set('Calls', { isDeleteAllowed: true, isRecordLocked: false });
    const { library } = room.server;
    const item = library.byPath('a.wav');
    if (item !== undefined) library.setLabel(item, 'Calls');
    expect(await destination.stat(copy, never)).toMatchObject({ size: 1000 });
    if (item !== undefined) library.remove(item);
    library.store(library.root, 'a.wav', { content: Buffer.from('other'), conflict: 'fail' });
    expect(await destination.stat(copy, never)).toBeUndefined();
    expect(await destination.remove(copy, never)).toBe(false);
    expect(room.stored('a.wav')?.toString()).toBe('other');
  });
});

describe('the login', () => {
  const upload = uploadOf('a.wav', Buffer.from('x'));

  test('with a certificate is by a signed assertion', async () => {
    const key = rsaKey('app-key');
    room.server.login.applications.set('app', { secret: SECRET, certificate: key.certificate });
    await room.open({ credential: key }).put(upload, never);
    expect(room.stored('a.wav')?.toString()).toBe('x');
    const other = rsaKey('other-key');
    const error = await rejection(room.open({ credential: other }).put(upload, never));
    expect(error).toMatchObject({ fault: 'credentials' });
    const mixed = { certificate: other.certificate, privateKey: key.privateKey };
    expect(await rejection(room.open({ credential: mixed }).put(upload, never))).toMatchObject({
      fault: 'configuration',
    });
  });

  test('is done once, and once more when the token has ended', async () => {
    const destination = room.open();
    await destination.put(upload, never);
    await destination.put(uploadOf('b.wav', Buffer.from('y')), never);
    expect(room.server.login.issued).toBe(1);
    room.server.login.expireTokens();
    await Promise.all(
      ['c', 'd', 'e'].map((name) => destination.put(uploadOf(name, Buffer.from('z')), never)),
    );
    expect(room.server.login.issued).toBeGreaterThan(1);
    expect(room.server.login.issued).toBeLessThanOrEqual(4);
  });

  test('is not tried again and again when new tokens are refused as well', async () => {
    room.server.interfere(({ path }) => path.startsWith('/v1.0'), refusalAs(401, 'unauthenticated'), 100);
    expect(await rejection(room.open().put(upload, never))).toMatchObject({ fault: 'credentials' });
    expect(room.server.login.issued).toBe(2);
  });

  test.each([
    ['a wrong secret', { credential: { secret: 'wrong' } }, 'credentials'],
    ['an unknown application', { clientId: 'nobody' }, 'credentials'],
    ['an unknown tenant', { tenant: 'other.example' }, 'configuration'],
    ['an authority that nobody vouches for', { ca: undefined }, 'identity'],
    ['a site that is not there', { place: { site: 'bank.sharepoint.example:/sites/none' } }, 'configuration'],
    ['a library that is not there', { place: { site: '', library: 'None' } }, 'configuration'],
    ['a drive that is not there', { place: { drive: 'b!none' } }, 'configuration'],
  ])(
    'or the place with %s is a matter for a person, and no message has the secret',
    async (_n, changes, fault) => {
      const place =
        'place' in changes && 'library' in changes.place
          ? { ...changes.place, site: room.server.site }
          : undefined;
      const error = await rejection(room.open({ ...changes, ...(place && { place }) }).put(upload, never));
      expect(error).toMatchObject({ name: 'PermanentUploadError', fault });
      expect(error.message).not.toContain(SECRET);
    },
  );

  test.each([
    ['a library of a site', () => ({ site: room.server.site, library: 'recordings' })],
    ['a person', () => ({ user: 'rec@bank.example' })],
    ['a drive', () => ({ drive: room.server.drive })],
  ])('leads to %s', async (_name, place) => {
    await room.open({ place: place() }).put(upload, never);
    expect(room.stored('a.wav')?.toString()).toBe('x');
  });

  test.each([
    ['gone', 'cut' as const, 'UNREACHABLE'],
    ['overloaded', refusalAs(503, 'temporarily_unavailable'), 'THROTTLED'],
  ])('that is %s may pass by itself', async (_name, what, code) => {
    room.server.interfere(({ path }) => path.endsWith('/token'), what, 10);
    const destination = room.open();
    expect(await rejection(destination.put(upload, never))).toMatchObject({ code });
  });
});

describe('the service', () => {
  const upload = uploadOf('a.wav', Buffer.from('x'));

  test('is left alone for as long as it asks, by everybody', async () => {
    const destination = room.open();
    await destination.put(upload, never);
    const busy = refusalAs(429, 'activityLimitReached', { headers: { 'Retry-After': '1' } });
    room.server.interfere(({ method }) => method === 'PUT', busy);
    const asked = room.server.seen.length;
    await destination.put(uploadOf('b.wav', Buffer.from('y')), never);
    const times = room.server.seen.slice(asked).map(({ at }) => at);
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(950);
  });

  test('that asks for an hour is not asked again, and the queue comes back later', async () => {
    const destination = room.open();
    await destination.put(upload, never);
    const busy = refusalAs(503, 'serviceNotAvailable', { headers: { 'Retry-After': '3600' } });
    room.server.interfere(({ method }) => method === 'PUT', busy);
    const other = uploadOf('b.wav', Buffer.from('y'));
    expect(await rejection(destination.put(other, never))).toMatchObject({ code: 'THROTTLED' });
    const asked = room.server.seen.length;
    expect(await rejection(destination.put(other, never))).toMatchObject({ code: 'THROTTLED' });
    expect(room.server.seen).toHaveLength(asked);
  });

  test('gives folders in pages', async () => {
    room.server.pageSize = 2;
    const destination = room.open();
    for (const name of ['a', 'b', 'c', 'd', 'e'])
      await destination.put(uploadOf(`d/${name}`, Buffer.from(name)), never);
    expect((await destination.list('d', never)).map(({ path }) => path)).toEqual([
      'd/a',
      'd/b',
      'd/c',
      'd/d',
      'd/e',
    ]);
  });

  test('without the library says so, instead of having no files', async () => {
    const destination = room.open();
    const { version = '' } = await destination.put(upload, never);
    room.server.interfere(({ path }) => path.startsWith('/v1.0/drives'), refusalAs(404, 'itemNotFound'), 100);
    const copy = { path: 'a.wav', version };
    for (const attempt of [
      () => destination.stat(copy, never),
      () => destination.open(copy, never),
      () => destination.list('', never),
      () => destination.remove(copy, never),
    ])
      await rejection(attempt());
  });

  test('that does not let us in is a matter for a person', async () => {
    room.server.interfere(({ method }) => method === 'PUT', refusalAs(403, 'accessDenied'), 10);
    expect(await rejection(room.open().put(upload, never))).toMatchObject({ fault: 'credentials' });
  });

  test('removes files by the application for deletion, and by no other', async () => {
    const upload = uploadOf('d/a.wav', Buffer.from('audio'));
    const { login, mayNotDelete } = room.server;
    login.applications.set('deletion', { secret: 'of-the-other' });
    mayNotDelete.add('app');
    const everyday = room.open();
    const keeper = room.open({ clientId: 'deletion', credential: { secret: 'of-the-other' } });
    const destination = withDeletionAccount(everyday, keeper);
    const copy = { path: 'd/a.wav', ...(await destination.put(upload, never)) };
    expect(await rejection(everyday.remove(copy, never))).toMatchObject({ fault: 'credentials' });
    expect(room.stored('d/a.wav')?.toString()).toBe('audio');
    expect(await destination.remove(copy, never)).toBe(true);
    expect(room.stored('d/a.wav')).toBeUndefined();
  });

  test('takes no names of its own', async () => {
    for (const path of ['CON', 'd/_vti_x', 'desktop.ini', `${'d'.repeat(200)}/${'e'.repeat(201)}`])
      expect(await rejection(room.open().put(uploadOf(path, Buffer.from('x')), never))).toMatchObject({
        fault: 'unusable-path',
      });
  });

  test('is found out: checksums, label, room', async () => {
    expect(await room.open().capabilities(never)).toEqual({
      lock: 'none',
      atomicCreate: true,
      encryption: 'tls',
      serverChecksum: true,
      remarks: [],
    });
    room.server.library.quota = 100_000;
    room.server.library.labels.set('Own', { isDeleteAllowed: true, isRecordLocked: false });
    room.server.library.defaultLabel = 'Own';
    const { lock, remarks } = await room.open({ retentionLabel: 'Calls' }).capabilities(never);
    expect([lock, remarks]).toEqual([
      'label',
      [
        'room: nearing, 1000 octets left',
        'files with a last day get the label Calls',
        'the library gives new files the label Own by itself',
      ],
    ]);
  });
});

describe('a retention label', () => {
  const retention = { until: Date.now() + 86_400_000, mode: 'compliance' } as const;
  const upload = uploadOf('a.wav', Buffer.from('x'), { retention });
  const labelOf = (path: string) => room.server.library.byPath(path)?.label;

  beforeEach(() => {
    room.server.library.labels.set('Calls', { isDeleteAllowed: false, isRecordLocked: true });
  });

  test('is set on files with a last day, looked at, and not on others', async () => {
    const destination = room.open({ retentionLabel: 'Calls' });
    await destination.put(upload, never);
    await destination.put(uploadOf('b.txt', Buffer.from('y')), never);
    await destination.extend(uploadOf('e.txt', Buffer.from('z')), never);
    expect(['a.wav', 'b.txt', 'e.txt'].map(labelOf)).toEqual(['Calls', '', '']);
    expect(
      room.server.seen.some(({ method, path }) => method === 'GET' && path.endsWith('/retentionLabel')),
    ).toBe(true);
  });

  test('is set at the second try on what the first had stored without', async () => {
    await room.open().put(upload, never);
    await room.open({ retentionLabel: 'Calls' }).put(upload, never);
    expect(labelOf('a.wav')).toBe('Calls');
  });

  test('that is refused, or is not there afterwards, keeps the delivery from counting', async () => {
    expect(await rejection(room.open({ retentionLabel: 'None' }).put(upload, never))).toMatchObject({
      fault: 'lock-refused',
    });
    room.server.interfere(({ method }) => method === 'PATCH', { status: 200, json: {} });
    expect(await rejection(room.open({ retentionLabel: 'Calls' }).put(upload, never))).toMatchObject({
      fault: 'lock-refused',
    });
  });

  test('that forbids the removal is the fault "locked"; without it the file goes for good', async () => {
    const destination = room.open({ retentionLabel: 'Calls' });
    const copy = { path: 'a.wav', ...(await destination.put(upload, never)) };
    expect(await rejection(destination.remove(copy, never))).toMatchObject({ fault: 'locked' });
    expect(room.stored('a.wav')?.toString()).toBe('x');
    room.server.library.labels.set('Calls', { isDeleteAllowed: true, isRecordLocked: false });
    expect(await destination.remove(copy, never)).toBe(true);
    expect(room.server.seen.at(-1)?.path).toMatch(/\/permanentDelete$/);
  });

  test('or a hold of the library is told from a lack of rights', async () => {
    const destination = room.open();
    await destination.put(upload, never);
    const isRemoval = ({ method, path }: SeenRequest) =>
      method === 'DELETE' || path.endsWith('/permanentDelete');
    room.server.interfere(
      isRemoval,
      refusalAs(403, 'accessDenied', { message: "it's possible that it's on hold" }),
      2,
    );
    expect(await rejection(destination.remove({ path: 'a.wav' }, never))).toMatchObject({ fault: 'locked' });
    room.server.interfere(isRemoval, refusalAs(403, 'accessDenied'), 2);
    expect(await rejection(destination.remove({ path: 'a.wav' }, never))).toMatchObject({
      fault: 'credentials',
    });
    // Where nothing can be removed for good, the recycle bin takes it.
    room.server.interfere(({ path }) => path.endsWith('/permanentDelete'), refusalAs(403, 'accessDenied'));
    expect(await destination.remove({ path: 'a.wav' }, never)).toBe(true);
  });
});

/** The login service knows RSA keys only. */
function rsaKey(name: string): { readonly certificate: string; readonly privateKey: string } {
  const { cert, privateKey } = room.mill.issue(name, { keys: 'rsa' });
  return { certificate: cert, privateKey };
}
