import { randomBytes } from 'node:crypto';
import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { HeadObjectCommand, ListObjectVersionsCommand, type S3Client } from '@aws-sdk/client-s3';
import type { S3Options } from '../../src/delivery/s3-client.ts';
import { AmazonRoom } from '../support/amazon-room.ts';
import { AwsError } from '../support/aws-error.ts';
import { slowDown, type SeenS3Request } from '../support/aws-s3-server.ts';
import { LONG } from '../support/long-run.ts';
import { describeAdversity } from './adversity.ts';
import { describeDestination, never, rejection, uploadOf } from './conformance.ts';
import { s3Subject } from './s3-subject.ts';

const room = new AmazonRoom();
const YEAR = 365 * 86_400_000;
let client: S3Client;
let count = 0;
let root: string;

beforeAll(() => {
  client = room.client();
});
beforeEach(() => {
  root = `t ${(count += 1)}`;
});

const subjectOf = (Bucket: string) => () => {
  const below = `${root}/archiv für alles`;
  return Promise.resolve(
    s3Subject(client, { Bucket, root: below }, room.open({ bucket: Bucket, root: below })),
  );
};

describeDestination('s3 as Amazon has it, with Object Lock', subjectOf('locked'));
describeAdversity('s3 as Amazon has it', async () => {
  const { destination, ...bucket } = await subjectOf('locked')();
  await destination.close();
  const below = `${root}/archiv für alles`;
  return {
    ...bucket,
    port: room.server.port,
    open: (port = room.server.port) => room.open({ root: below, endpoint: `https://127.0.0.1:${port}` }),
    stop: () => room.server.stop(),
    start: () => room.server.start(),
  };
});
// Radosgw passes the same without versions.
if (LONG) describeDestination('s3 as Amazon has it, without versions', subjectOf('plain'));

const upload = (changes = {}) => uploadOf('d/a.wav', Buffer.from('audio'), changes);
const isPut = ({ method, key }: SeenS3Request): boolean => method === 'PUT' && key.endsWith('/d/a.wav');
const versions = async (key: string, Bucket = 'locked') =>
  (await client.send(new ListObjectVersionsCommand({ Bucket, Prefix: `${root}/${key}` }))).Versions ?? [];

describe('Amazon S3', () => {
  test('is found out: lock, conditional put, checksums', async () => {
    expect(await room.open({ root }).capabilities(never)).toEqual({
      lock: 'object-lock',
      atomicCreate: true,
      encryption: 'tls',
      serverChecksum: true,
      remarks: [],
    });
  });

  test('gets no more requests than it must, with what it can check', async () => {
    const destination = room.open({ root });
    await destination.put(uploadOf('b.wav', Buffer.from('first')), never);
    const before = room.server.seen.length;
    const copy = await destination.put(upload(), never);
    const asked = room.server.seen.slice(before);
    expect(asked.map(({ method }) => method)).toEqual(['PUT', 'HEAD']);
    const { sha256 } = upload();
    expect(asked[0]?.headers).toMatchObject({
      'if-none-match': '*',
      'x-amz-checksum-sha256': Buffer.from(sha256, 'hex').toString('base64'),
      'x-amz-content-sha256': sha256,
    });
    expect(copy).toMatchObject({ proof: 'server-checksum', checksum: `sha256:${sha256}` });
  });

  /** As docs/destinations.md lists them. */
  const RIGHTS = [
    's3:PutObject',
    's3:GetObject',
    's3:GetObjectVersion',
    's3:ListBucket',
    's3:ListBucketVersions',
    's3:GetBucketVersioning',
    's3:GetBucketObjectLockConfiguration',
    's3:GetObjectRetention',
    's3:PutObjectRetention',
    's3:GetObjectLegalHold',
    's3:PutObjectLegalHold',
  ];

  test('needs the documented rights, and no others, to add, to lock and to hold', async () => {
    const key = { accessKeyId: 'AKIDADDONLY', secretAccessKey: 'adds' };
    room.server.accounts.set(key.accessKeyId, { ...key, actions: RIGHTS });
    const destination = room.open({ root, ...key, objectLock: 'required' });
    const retention = { until: Date.now() + YEAR, mode: 'governance' } as const;
    const copy = { path: 'd/a.wav', ...(await destination.put(upload({ retention }), never)) };
    await destination.setHold(copy, true, never);
    const longer = { until: retention.until + YEAR, mode: 'governance' } as const;
    await destination.setRetention(copy, longer, never);
    expect(await destination.stat(copy, never)).toMatchObject({ hold: true, retention: longer });
    for (const text of ['one\n', 'one\ntwo\n'])
      await destination.extend(uploadOf('e.txt', Buffer.from(text)), never);
    expect((await destination.list('', never)).map(({ path }) => path)).toEqual(['e.txt']);
    const other = { path: 'e.txt' };
    expect(await rejection(destination.remove(other, never))).toMatchObject({ fault: 'credentials' });
  });

  test.each<[string, Partial<S3Options>, string]>([
    ['a wrong secret', { secretAccessKey: 'wrong' }, 'credentials'],
    ['an unknown key', { accessKeyId: 'AKIDNOBODY' }, 'credentials'],
    ['credentials whose time is over', { accessKeyId: 'AKIDEXPIRED', secretAccessKey: 'old' }, 'credentials'],
    ['no right at all', { accessKeyId: 'AKIDNOTHING', secretAccessKey: 'none' }, 'credentials'],
    ['the wrong region', { region: 'us-east-1' }, 'configuration'],
    ['a bucket of another region', { bucket: 'overseas' }, 'configuration'],
    ['a bucket that is not there', { bucket: 'nowhere' }, 'configuration'],
    ['a bucket without the lock asked for', { bucket: 'plain', objectLock: 'required' }, 'configuration'],
    ['a certificate that nobody vouches for', { ca: undefined }, 'identity'],
  ])('with %s is a matter for a person', async (_name, changes, fault) => {
    room.server.elsewhere.set('overseas', 'us-west-2');
    room.server.accounts.set('AKIDEXPIRED', { secretAccessKey: 'old', expired: true });
    room.server.accounts.set('AKIDNOTHING', { secretAccessKey: 'none', actions: [] });
    const destination = room.open({ root, ...changes });
    for (const attempt of [
      () => destination.put(upload(), never),
      () => destination.extend(upload(), never),
      () => destination.capabilities(never),
    ])
      expect(await rejection(attempt())).toMatchObject({ name: 'PermanentUploadError', fault });
  });

  test('or this machine with a clock that is wrong is a matter for a person', async () => {
    room.server.clockAhead = -3_600_000;
    try {
      expect(await rejection(room.open({ root }).put(upload(), never))).toMatchObject({
        fault: 'configuration',
      });
    } finally {
      room.server.clockAhead = 0;
    }
  });

  test('loses its rights or its bucket later: no file counts as missing', async () => {
    const key = { accessKeyId: 'AKIDLATER', secretAccessKey: 'later' };
    room.server.accounts.set(key.accessKeyId, key);
    const bucket = room.server.addBucket('passing', { objectLock: true });
    const destination = room.open({ root, bucket: 'passing', ...key });
    const copy = { path: 'd/a.wav', ...(await destination.put(upload(), never)) };
    const looks = [
      () => destination.stat(copy, never),
      () => destination.stat({ path: 'd/a.wav' }, never),
      () => destination.open(copy, never),
      () => destination.list('d', never),
      () => destination.remove(copy, never),
    ];
    room.server.accounts.set(key.accessKeyId, { ...key, actions: [] });
    for (const look of looks) expect(await rejection(look())).toMatchObject({ fault: 'credentials' });
    room.server.accounts.set(key.accessKeyId, key);
    room.server.buckets.delete('passing');
    for (const look of looks) expect(await rejection(look())).toMatchObject({ fault: 'configuration' });
    room.server.buckets.set('passing', bucket);
    expect(await destination.stat(copy, never)).toMatchObject({ size: 5 });
  });

  test.each([
    ['asks us to slow down', slowDown('1'), 'THROTTLED'],
    [
      'has a fault of its own',
      new AwsError(500, 'InternalError', 'We encountered an internal error.'),
      'UNREACHABLE',
    ],
    [
      'sees another request that is under way',
      new AwsError(409, 'ConditionalRequestConflict', 'Conflict.'),
      'MOVED',
    ],
    [
      'does not know the bucket at this address yet',
      new AwsError(307, 'TemporaryRedirect', 'Re-send.'),
      'UNREACHABLE',
    ],
    [
      'waited too long for us',
      new AwsError(400, 'RequestTimeout', 'Your socket connection was not read.'),
      'UNREACHABLE',
    ],
    [
      'got other octets on the way',
      new AwsError(400, 'BadDigest', 'The SHA256 did not match.'),
      'NOT_PROVED',
    ],
    ['breaks off', 'cut' as const, 'UNREACHABLE'],
    ['breaks off after it was done', 'cut-after' as const, 'UNREACHABLE'],
  ])('%s: it passes, and the next try stores one version', async (_name, what, code) => {
    const destination = room.open({ root });
    room.server.interfere(isPut, what);
    expect(await rejection(destination.put(upload(), never))).toMatchObject({ name: 'DeliveryError', code });
    expect(await destination.put(upload(), never)).toMatchObject({ proof: 'server-checksum' });
    expect(await versions('d/a.wav')).toHaveLength(1);
  });

  test.each([
    ['the same', 'audio', undefined],
    ['another', 'other', 'name-taken'],
  ])('lets nobody in between: %s file that came first stays the only one', async (_name, bytes, fault) => {
    const destination = room.open({ root });
    await destination.capabilities(never);
    let placed: Promise<unknown> | undefined;
    room.server.before(isPut, () => {
      placed ??= s3Subject(client, { Bucket: 'locked', root }, destination).place(
        'd/a.wav',
        Buffer.from(bytes),
      );
      return placed;
    });
    const result = destination.put(upload(), never);
    if (fault === undefined) await result;
    else expect(await rejection(result)).toMatchObject({ fault });
    expect(await versions('d/a.wav')).toHaveLength(1);
  });
});

describe('the lock', () => {
  const kept = { until: Date.now() + YEAR, mode: 'compliance' } as const;

  test('is there with mode, date, hold and version', async () => {
    const destination = room.open({ root });
    const { version, retention } = await destination.put(upload({ retention: kept, hold: true }), never);
    expect(retention).toEqual(kept);
    const head = await client.send(new HeadObjectCommand({ Bucket: 'locked', Key: `${root}/d/a.wav` }));
    expect(head).toMatchObject({
      VersionId: version,
      ObjectLockMode: 'COMPLIANCE',
      ObjectLockLegalHoldStatus: 'ON',
    });
  });

  test('can only become longer; what it keeps is not removed, by nobody', async () => {
    const destination = room.open({ root });
    const copy = { path: 'd/a.wav', ...(await destination.put(upload({ retention: kept }), never)) };
    const longer = { ...kept, until: kept.until + YEAR };
    await destination.setRetention(copy, longer, never);
    for (const weaker of [kept, { ...longer, mode: 'governance' as const }])
      expect(await rejection(destination.setRetention(copy, weaker, never))).toMatchObject({
        fault: 'lock-refused',
      });
    expect(await rejection(destination.remove(copy, never))).toMatchObject({ fault: 'locked' });
    expect(await destination.stat(copy, never)).toMatchObject({ retention: longer });
  });

  test('that a bucket sets by itself is seen, and made longer where the law wants more', async () => {
    const bucket = room.server.addBucket('preset', { objectLock: true });
    bucket.defaultRetention = { mode: 'GOVERNANCE', days: 30 };
    const destination = room.open({ root, bucket: 'preset' });
    await destination.put(uploadOf('e.txt', Buffer.from('x')), never);
    const facts = await destination.stat({ path: 'e.txt' }, never);
    expect(facts?.retention?.mode).toBe('governance');
    // The probe is kept by the same lock: it stays, and is used again.
    await room.open({ root, bucket: 'preset' }).capabilities(never);
    expect(await versions('.sealtape-probe', 'preset')).toHaveLength(1);
    const { retention } = await destination.put(
      uploadOf('e.txt', Buffer.from('x'), { retention: kept }),
      never,
    );
    expect(retention).toEqual(kept);
  });

  test('of a bucket that has none is refused, before anything counts', async () => {
    const error = await rejection(
      room.open({ root, bucket: 'plain', objectLock: 'required' }).put(upload({ retention: kept }), never),
    );
    expect(error).toMatchObject({ fault: 'configuration' });
  });
});

describe('versions', () => {
  test('of one file are all removed, also when their listing has many pages, and no other file', async () => {
    const destination = room.open({ root });
    const bytes = randomBytes(600);
    for (const length of [100, 200, 300, 400, 500])
      await destination.extend(uploadOf('d/e.txt', bytes.subarray(0, length)), never);
    for (const name of ['d/e.txt.more', 'd/e.tx', 'd/d.txt'])
      await destination.put(uploadOf(name, bytes), never);
    room.server.pageSize = 2;
    try {
      expect(await destination.remove({ path: 'd/e.txt' }, never)).toBe(true);
      expect((await destination.list('d', never)).map(({ path }) => path)).toEqual([
        'd/d.txt',
        'd/e.tx',
        'd/e.txt.more',
      ]);
    } finally {
      room.server.pageSize = 1000;
    }
    expect((await versions('d/')).map(({ Key }) => Key)).toHaveLength(3);
  });

  test('hidden by a delete marker are not there, and the name is free for the same file', async () => {
    const destination = room.open({ root });
    const { version } = await destination.put(upload(), never);
    room.server.buckets.get('locked')?.delete(`${root}/d/a.wav`, undefined, false);
    expect(await destination.stat({ path: 'd/a.wav' }, never)).toBeUndefined();
    expect(await destination.stat({ path: 'd/a.wav', version: version ?? '' }, never)).toMatchObject({
      size: 5,
    });
    expect((await destination.put(upload(), never)).version).not.toBe(version);
    expect(await destination.remove({ path: 'd/a.wav' }, never)).toBe(true);
    expect(await versions('d/a.wav')).toEqual([]);
  });
});
