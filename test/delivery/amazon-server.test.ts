import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { request } from 'node:https';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from '@jest/globals';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  GetObjectRetentionCommand,
  HeadObjectCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectLockConfigurationCommand,
  UploadPartCommand,
  type PutObjectCommandInput,
  type S3Client,
} from '@aws-sdk/client-s3';
import { AmazonRoom } from '../support/amazon-room.ts';
import { openChecksum } from '../support/aws-checksums.ts';
import { rejection } from './conformance.ts';

/** What Amazon documents and the destination never does: the server must be right where our own client is not the measure. */
const room = new AmazonRoom();
const Bucket = 'locked';
let client: S3Client;

beforeAll(() => {
  client = room.client();
});

const put = (Key: string, more: Partial<PutObjectCommandInput> = {}) =>
  client.send(new PutObjectCommand({ Bucket, Key, Body: 'audio', ...more }));
const codeOf = async (promise: Promise<unknown>): Promise<string> => (await rejection(promise)).name;
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('base64');

describe("the server with Amazon's behaviour", () => {
  test.each([
    ['crc32', 'y/Q5Jg=='],
    ['crc32c', '4waSgw=='],
    // Check value of CRC-64/NVME: ae8b14860a799888.
    ['crc64nvme', 'rosUhgp5mIg='],
  ] as const)('reckons %s as everybody does', (name, check) => {
    const running = openChecksum(name);
    for (const part of ['1234', '56789']) running.update(Buffer.from(part));
    expect(running.digest()).toBe(check);
  });

  test('takes what the SDK sends by itself: chunks with a checksum behind them', async () => {
    const bytes = randomBytes(300_000);
    const seen = room.server.seen.length;
    await put('chunked', { Body: Readable.from([bytes]), ContentLength: bytes.length });
    expect(room.server.seen[seen]?.headers).toMatchObject({
      'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      'x-amz-trailer': 'x-amz-checksum-crc32',
      'content-encoding': 'aws-chunked',
    });
    // The SDK compares the checksum of what it gets.
    const { Body, ChecksumCRC32, ChecksumType } = await client.send(
      new GetObjectCommand({ Bucket, Key: 'chunked', ChecksumMode: 'ENABLED' }),
    );
    expect(Buffer.from((await Body?.transformToByteArray()) ?? []).equals(bytes)).toBe(true);
    expect([ChecksumCRC32, ChecksumType]).toEqual([expect.stringMatching(/^.{6}==$/), 'FULL_OBJECT']);
  });

  test('is also what curl takes it for', async () => {
    await put('curl');
    const { stdout } = await promisify(execFile)('curl', [
      '-sS',
      ...['--cacert', room.ca, '--aws-sigv4', `aws:amz:${room.server.region}:s3`],
      ...['--user', 'AKIDEXAMPLE:a/secret+key', '-H', `x-amz-content-sha256: UNSIGNED-PAYLOAD`],
      ...['-w', '%{http_code}', `${room.server.endpoint}/locked/curl`, '-o', '/dev/null'],
    ]);
    expect(stdout).toBe('200');
  });

  test.each([
    ['a wrong SHA-256', { ChecksumSHA256: sha256(Buffer.from('other')) }, 'BadDigest'],
    ['a wrong CRC-32', { ChecksumCRC32: 'AAAAAA==' }, 'BadDigest'],
    ['a wrong CRC-64', { ChecksumCRC64NVME: 'AAAAAAAAAAA=' }, 'BadDigest'],
    ['a checksum that is none', { ChecksumSHA256: 'AAAA' }, 'InvalidRequest'],
    ['a wrong MD5', { ContentMD5: Buffer.alloc(16).toString('base64') }, 'BadDigest'],
    ['a condition that is unknown', { IfNoneMatch: '"etag"' }, 'NotImplemented'],
    ['a lock in the past', lockUntil(Date.now() - 1000), 'InvalidArgument'],
    ['a lock without a date', { ObjectLockMode: 'GOVERNANCE' as const }, 'InvalidArgument'],
  ])('refuses %s', async (_name, more, code) => {
    expect(await codeOf(put('refused', more))).toBe(code);
    expect(await codeOf(client.send(new HeadObjectCommand({ Bucket, Key: 'refused' })))).toBe('NotFound');
  });

  test('refuses a lock without a checksum, and one where the bucket has none', async () => {
    const bare = room.client({ requestChecksumCalculation: 'WHEN_REQUIRED' });
    const lock = lockUntil(Date.now() + 60_000);
    for (const Bucket of ['locked', 'plain']) {
      const command = new PutObjectCommand({ Bucket, Key: 'x', Body: 'audio', ...lock });
      command.middlewareStack.remove('flexibleChecksumsMiddleware');
      expect(await codeOf(bare.send(command))).toBe('InvalidRequest');
    }
  });

  test('keeps a lock: no removal, no shorter date, and what is above GOVERNANCE only by the bypass', async () => {
    const { VersionId } = await put('kept', lockUntil(Date.now() + 60_000));
    const at = { Bucket, Key: 'kept', VersionId };
    expect(await codeOf(client.send(new DeleteObjectCommand(at)))).toBe('AccessDenied');
    const marker = await client.send(new DeleteObjectCommand({ Bucket, Key: 'kept' }));
    expect(marker).toMatchObject({ DeleteMarker: true });
    const markerAt = { ...at, VersionId: marker.VersionId };
    expect(await codeOf(client.send(new GetObjectCommand(markerAt)))).toBe('MethodNotAllowed');
    await client.send(new DeleteObjectCommand({ ...at, BypassGovernanceRetention: true }));
    expect(await codeOf(client.send(new GetObjectCommand(at)))).toBe('NoSuchVersion');
    const free = await put('free');
    expect(
      await codeOf(
        client.send(new GetObjectRetentionCommand({ Bucket, Key: 'free', VersionId: free.VersionId })),
      ),
    ).toBe('NoSuchObjectLockConfiguration');
  });

  test('locks a bucket afterwards, once it keeps versions', async () => {
    room.server.addBucket('later');
    const lock = () =>
      client.send(
        new PutObjectLockConfigurationCommand({
          Bucket: 'later',
          ObjectLockConfiguration: {
            ObjectLockEnabled: 'Enabled',
            Rule: { DefaultRetention: { Mode: 'COMPLIANCE', Days: 1 } },
          },
        }),
      );
    expect(await codeOf(lock())).toBe('InvalidBucketState');
    const versioned = { Bucket: 'later', VersioningConfiguration: { Status: 'Enabled' } } as const;
    await client.send(new PutBucketVersioningCommand(versioned));
    await lock();
    await client.send(new PutObjectCommand({ Bucket: 'later', Key: 'x', Body: 'audio' }));
    const head = await client.send(new HeadObjectCommand({ Bucket: 'later', Key: 'x' }));
    expect(head.ObjectLockMode).toBe('COMPLIANCE');
  });

  test('gives a name to one of many that ask at once, and none to who was overtaken by a deletion', async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 6 }, (_, n) => put('race', { Body: `${n}`, IfNoneMatch: '*' })),
    );
    const refused = results.flatMap((each) =>
      each.status === 'rejected' ? [(each.reason as Error).name] : [],
    );
    expect(refused).toEqual(Array.from({ length: 5 }, () => 'PreconditionFailed'));
    const slow = new Readable({ read: () => undefined });
    slow.push('au');
    const putting = put('overtaken', {
      Body: slow,
      ContentLength: 5,
      IfNoneMatch: '*',
      ChecksumSHA256: sha256(Buffer.from('audio')),
    });
    putting.catch(() => undefined);
    while (!room.server.seen.some(({ key }) => key === 'overtaken'))
      await new Promise((resolve) => setTimeout(resolve, 5));
    await client.send(new DeleteObjectCommand({ Bucket, Key: 'overtaken' }));
    slow.push('dio');
    slow.push(null);
    expect(await codeOf(putting)).toBe('ConditionalRequestConflict');
  });

  test('joins parts, with the checksum of their checksums', async () => {
    const parts = [randomBytes(5 * 1024 * 1024), randomBytes(1000)];
    const at = { Bucket, Key: 'parts' };
    const begin = () => client.send(new CreateMultipartUploadCommand({ ...at, ChecksumAlgorithm: 'SHA256' }));
    const { UploadId } = await begin();
    const sent = await Promise.all(
      parts.map(async (Body, index) => {
        const part = { ...at, UploadId, PartNumber: index + 1, Body, ChecksumSHA256: sha256(Body) };
        const { ETag } = await client.send(new UploadPartCommand(part));
        return { ETag, PartNumber: index + 1, ChecksumSHA256: sha256(Body) };
      }),
    );
    const complete = (Parts: typeof sent, more = {}) =>
      client.send(
        new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts }, ...more }),
      );
    expect(await codeOf(complete([...sent].reverse()))).toBe('InvalidPartOrder');
    const done = await complete(sent, { IfNoneMatch: '*' });
    const composite = `${sha256(Buffer.concat(parts.map((part) => Buffer.from(sha256(part), 'base64'))))}-2`;
    expect(done.ChecksumSHA256).toBe(composite);
    const head = await client.send(new HeadObjectCommand({ ...at, ChecksumMode: 'ENABLED' }));
    expect(head).toMatchObject({
      ChecksumSHA256: composite,
      ChecksumType: 'COMPOSITE',
      ContentLength: 5 * 1024 * 1024 + 1000,
    });
    expect(head.ETag).toMatch(/^"[0-9a-f]{32}-2"$/);
    const again = await begin();
    await client.send(new AbortMultipartUploadCommand({ ...at, UploadId: again.UploadId }));
    expect(await codeOf(complete(sent))).toBe('NoSuchUpload');
    expect(room.server.uploads.size).toBe(0);
  });

  test('answers nobody who does not sign', async () => {
    const status = await new Promise((resolve, reject) => {
      const call = request(`${room.server.endpoint}/locked/free`, { ca: readFileSync(room.ca) }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      call.once('error', reject);
      call.end();
    });
    expect(status).toBe(403);
  });
});

function lockUntil(at: number) {
  return { ObjectLockMode: 'GOVERNANCE', ObjectLockRetainUntilDate: new Date(at) } as const;
}
