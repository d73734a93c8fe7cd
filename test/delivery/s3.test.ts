import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import {
  CreateBucketCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  PutBucketPolicyCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { withDeletionAccount } from '../../src/delivery/deletion-account.ts';
import { openS3Destination } from '../../src/delivery/s3.ts';
import type { S3Options } from '../../src/delivery/s3-client.ts';
import type { Destination } from '../../src/jobs/destination.ts';
import { startRadosgw, type Radosgw } from '../support/radosgw.ts';
import { s3Subject } from './s3-subject.ts';
import { describeAdversity } from './adversity.ts';
import { describeDestination, never, rejection, uploadOf, type DestinationSubject } from './conformance.ts';

let gateway: Radosgw;
let client: S3Client;
let count = 0;
const opened: Destination[] = [];

beforeAll(async () => {
  gateway = await startRadosgw();
  client = clientOf(gateway);
  await client.send(new CreateBucketCommand({ Bucket: 'plain' }));
  await client.send(new CreateBucketCommand({ Bucket: 'locked', ObjectLockEnabledForBucket: true }));
});
afterAll(async () => {
  for (const each of opened) await each.close();
  client.destroy();
  await gateway.remove();
});

const clientOf = (credentials: {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}): S3Client =>
  new S3Client({
    endpoint: gateway.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });

async function createBucketOf(name: string): Promise<void> {
  const theirs = clientOf({ accessKeyId: name, secretAccessKey: name });
  await theirs.send(new CreateBucketCommand({ Bucket: name }));
  theirs.destroy();
}

function open(changes: Partial<S3Options> = {}): Destination {
  const { endpoint, accessKeyId, secretAccessKey } = gateway;
  const destination = openS3Destination({
    name: 'vault',
    endpoint,
    region: 'us-east-1',
    bucket: 'plain',
    root: '',
    pathStyle: true,
    accessKeyId,
    secretAccessKey,
    objectLock: 'auto',
    sessions: 4,
    timeoutSeconds: 20,
    ...changes,
  });
  opened.push(destination);
  return destination;
}

function bucketSubject(Bucket: string): Promise<DestinationSubject> {
  const root = `t ${(count += 1)}/archiv für alles`;
  return Promise.resolve(s3Subject(client, { Bucket, root }, open({ bucket: Bucket, root })));
}

describeDestination('s3', () => bucketSubject('plain'));
describeAdversity(
  's3',
  async () => {
    const { destination, ...bucket } = await bucketSubject('plain');
    await destination.close();
    const root = `t ${count}/archiv für alles`;
    return {
      ...bucket,
      port: gateway.port,
      open: (port = gateway.port) => open({ root, endpoint: `http://127.0.0.1:${port}` }),
      stop: () => gateway.stop(),
      start: () => gateway.start(),
    };
  },
  'long',
);
describeDestination('s3 with Object Lock', () => bucketSubject('locked'), 'put');

describe('a bucket with Object Lock', () => {
  const year = 365 * 86_400_000;
  const Bucket = 'locked';
  const lockedFile = async (name: string, mode: 'governance' | 'compliance', hold = false) => {
    const until = Date.now() + year;
    const destination = open({ bucket: Bucket, root: 'lock' });
    const upload = uploadOf(name, randomBytes(1000), { retention: { until, mode }, hold });
    return { destination, until, copy: { path: name, ...(await destination.put(upload, never)) } };
  };

  test('keeps what it was told to: mode, date, hold and version are there', async () => {
    const { until, copy } = await lockedFile('a.wav', 'compliance', true);
    const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'lock/a.wav' }));
    expect(head).toMatchObject({
      ObjectLockMode: 'COMPLIANCE',
      ObjectLockLegalHoldStatus: 'ON',
      VersionId: copy.version,
    });
    expect(head.ObjectLockRetainUntilDate?.getTime()).toBe(until);
    expect(copy.retention).toEqual({ until, mode: 'compliance' });
  });

  test('removes nothing before its time, and says why', async () => {
    const { destination, copy } = await lockedFile('b.wav', 'governance');
    expect(await rejection(destination.remove(copy, never))).toMatchObject({ fault: 'locked' });
    const held = await lockedFile('c.wav', 'governance');
    await held.destination.setHold(held.copy, true, never);
    expect(await held.destination.stat(held.copy, never)).toMatchObject({ hold: true });
    await held.destination.setHold(held.copy, false, never);
    expect((await held.destination.stat(held.copy, never))?.hold).toBeUndefined();
  });

  test('locks for longer, never for shorter', async () => {
    const { destination, until, copy } = await lockedFile('d.wav', 'compliance');
    const later = { until: until + year, mode: 'compliance' } as const;
    await destination.setRetention(copy, later, never);
    expect(await destination.stat(copy, never)).toMatchObject({ retention: later });
    const earlier = { ...later, until };
    expect(await rejection(destination.setRetention(copy, earlier, never))).toMatchObject({
      fault: 'lock-refused',
    });
  });

  test('gives a file back to deletion when its time is over, for good', async () => {
    const destination = open({ bucket: Bucket, root: 'lock' });
    const retention = { until: Date.now() + 1500, mode: 'compliance' } as const;
    const upload = uploadOf('e.wav', Buffer.from('short'), { retention });
    const { version = '' } = await destination.put(upload, never);
    const copy = { path: 'e.wav', version };
    for (;;) {
      const removed = await destination.remove(copy, never).catch(() => undefined);
      if (removed === true) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const left = await client.send(new ListObjectVersionsCommand({ Bucket, Prefix: 'lock/e.wav' }));
    expect(left.Versions ?? []).toEqual([]);
  });

  test('locks at the second try what the first had stored without', async () => {
    const destination = open({ bucket: Bucket, root: 'lock' });
    const upload = uploadOf('f.wav', Buffer.from('again'));
    await destination.put(upload, never);
    const retention = { until: Date.now() + year, mode: 'governance' } as const;
    await destination.put({ ...upload, retention }, never);
    expect(await destination.stat({ path: 'f.wav' }, never)).toMatchObject({ retention });
  });
});

describe('a server', () => {
  test('is found out: lock, conditional put, checks', async () => {
    expect(await open({ root: 'probe' }).capabilities(never)).toMatchObject({
      lock: 'none',
      atomicCreate: true,
      serverChecksum: true,
      encryption: 'none',
    });
    expect(await open({ bucket: 'locked', root: 'probe' }).capabilities(never)).toMatchObject({
      lock: 'object-lock',
      atomicCreate: false,
    });
  });

  test.each([
    ['a wrong secret', { secretAccessKey: 'wrong' }, 'credentials'],
    ['an unknown key', { accessKeyId: 'nobody' }, 'credentials'],
    ['a bucket that is not there', { bucket: 'nowhere' }, 'configuration'],
    ['a bucket without the Object Lock asked for', { objectLock: 'required' as const }, 'configuration'],
  ])('with %s is a matter for a person', async (_name, changes, fault) => {
    const error = await rejection(open(changes).put(uploadOf('a.wav', Buffer.from('x')), never));
    expect(error).toMatchObject({ name: 'PermanentUploadError', fault });
  });

  test('whose quota is used up says so, and takes files from somebody else', async () => {
    await gateway.addUser('full');
    const own = { accessKeyId: 'full', secretAccessKey: 'full', bucket: 'full' };
    await createBucketOf('full');
    await gateway.limitUser('full', 100_000);
    const error = await rejection(open(own).put(uploadOf('big.wav', randomBytes(300_000)), never));
    expect(error).toMatchObject({ fault: 'quota' });
  });

  test('that lets an account add but not delete is enough', async () => {
    await gateway.addUser('addonly', '--op-mask=read, write');
    const own = { accessKeyId: 'addonly', secretAccessKey: 'addonly', bucket: 'addonly' };
    await createBucketOf('addonly');
    const destination = open(own);
    await destination.put(uploadOf('d/a.wav', Buffer.from('x')), never);
    await destination.extend(uploadOf('d/e.txt', Buffer.from('one\n')), never);
    await destination.extend(uploadOf('d/e.txt', Buffer.from('one\ntwo\n')), never);
    expect(await rejection(destination.remove({ path: 'd/a.wav' }, never))).toMatchObject({
      fault: 'credentials',
    });
    expect((await destination.list('d', never)).map(({ path }) => path)).toEqual(['d/a.wav', 'd/e.txt']);
  });
});

describe('two accounts of a bucket', () => {
  test('store without the right to delete, and delete with it', async () => {
    await gateway.addUser('writer');
    await client.send(new CreateBucketCommand({ Bucket: 'two' }));
    const allow = (user: string, actions: readonly string[]): unknown => ({
      Effect: 'Allow',
      Principal: { AWS: [`arn:aws:iam:::user/${user}`] },
      Action: actions.map((action) => `s3:${action}`),
      Resource: ['arn:aws:s3:::two', 'arn:aws:s3:::two/*'],
    });
    const everyday = ['PutObject', 'GetObject', 'GetObjectVersion', 'ListBucket', 'ListBucketVersions'];
    const Statement = [
      allow('writer', [...everyday, 'GetBucketVersioning', 'GetBucketObjectLockConfiguration']),
      allow('test', ['*']),
    ];
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement });
    await client.send(new PutBucketPolicyCommand({ Bucket: 'two', Policy }));
    const writer = open({ bucket: 'two', accessKeyId: 'writer', secretAccessKey: 'writer' });
    const both = withDeletionAccount(writer, open({ bucket: 'two' }));
    await both.put(uploadOf('d/a.wav', Buffer.from('audio')), never);
    expect(await rejection(writer.remove({ path: 'd/a.wav' }, never))).toMatchObject({
      fault: 'credentials',
    });
    expect(await both.stat({ path: 'd/a.wav' }, never)).toMatchObject({ size: 5 });
    expect(await both.remove({ path: 'd/a.wav' }, never)).toBe(true);
    expect(await both.stat({ path: 'd/a.wav' }, never)).toBeUndefined();
  });
});
