import { createHash } from 'node:crypto';
import type { HeadObjectCommandOutput, PutObjectCommandInput } from '@aws-sdk/client-s3';
import type { StoredFile, Upload } from '../jobs/destination.ts';
import { statusOf, wordOf } from './s3-client.ts';

/** Missing, or hidden by a deletion mark. */
export const isAbsent = (error: unknown): boolean =>
  /^(?:NotFound|NoSuchKey|NoSuchVersion)$/.test(wordOf(error)) || statusOf(error) === 405;

export const isLocked = ({ retention, hold }: Pick<StoredFile, 'retention' | 'hold'>): boolean =>
  hold === true || (retention !== undefined && retention.until > Date.now());

export function factsOf(head: HeadObjectCommandOutput): Omit<StoredFile, 'path'> {
  const { ContentLength, LastModified, VersionId, ObjectLockMode, ObjectLockRetainUntilDate: until } = head;
  return {
    size: ContentLength ?? 0,
    ...(LastModified !== undefined && { modifiedAt: LastModified.getTime() }),
    ...(VersionId !== undefined && VersionId !== 'null' && { version: VersionId }),
    ...(until !== undefined && {
      retention: {
        until: until.getTime(),
        mode: ObjectLockMode === 'COMPLIANCE' ? 'compliance' : 'governance',
      },
    }),
    ...(head.ObjectLockLegalHoldStatus === 'ON' && { hold: true }),
  };
}

export function lockOf({ retention, hold }: Upload): Partial<PutObjectCommandInput> {
  return {
    ...(retention !== undefined && {
      ObjectLockMode: retention.mode === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE',
      ObjectLockRetainUntilDate: new Date(retention.until),
    }),
    ...(hold === true && { ObjectLockLegalHoldStatus: 'ON' }),
  };
}

/** SHA-256, hex, of the first octets; undefined when there are fewer. */
export async function hashOfBeginning(
  octets: AsyncIterable<Buffer>,
  length: number,
): Promise<string | undefined> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const part of octets) {
    hash.update(part.subarray(0, Math.max(0, length - bytes)));
    bytes += part.length;
  }
  return bytes < length ? undefined : hash.digest('hex');
}

/** SHA-256, hex, that the server tells of an object; undefined when it does not. */
export const toldChecksum = ({ ChecksumSHA256: told }: HeadObjectCommandOutput): string | undefined =>
  told === undefined ? undefined : Buffer.from(told, 'base64').toString('hex');
