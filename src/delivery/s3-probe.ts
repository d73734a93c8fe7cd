import { createHash } from 'node:crypto';
import {
  DeleteObjectCommand,
  GetBucketVersioningCommand,
  GetObjectLockConfigurationCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
} from '@aws-sdk/client-s3';
import { DeliveryError } from './delivery-error.ts';
import { isFault, statusOf, wordOf } from './s3-client.ts';
import { PROBE } from './upload-path.ts';

/** What a server was found to do, whatever it says of itself. */
export interface S3Abilities {
  /** `unknown`: the account may not ask; the lock is tried. */
  readonly lock: 'yes' | 'no' | 'unknown';
  readonly versions: boolean;
  /** If-None-Match is obeyed. */
  readonly atomicCreate: boolean;
  /** A body that is not what x-amz-content-sha256 says is refused. */
  readonly checksBody: boolean;
  /** x-amz-checksum-sha256 is kept and told on request. */
  readonly tellsChecksum: boolean;
}

const BODY = Buffer.from('Sealtape looks what this server can do.\n');

/**
 * Finds out by trying. The probe is removed where the account may; where it may not, or a lock of the bucket keeps it, the one object
 * stays and is used again.
 */
export async function probeS3(
  client: S3Client,
  place: { readonly bucket: string; readonly root: string },
  signal: AbortSignal,
): Promise<S3Abilities> {
  const at = { Bucket: place.bucket, Key: place.root === '' ? PROBE : `${place.root}/${PROBE}` };
  const abortSignal = signal;
  const put = async (changes: Partial<PutObjectCommandInput>, sha256: string): Promise<boolean> => {
    const command = putCommand({ ...at, Body: BODY, ContentLength: BODY.length, ...changes }, sha256);
    try {
      const { VersionId } = await client.send(command, { abortSignal });
      if (VersionId !== undefined) made.push(VersionId);
      return true;
    } catch (error) {
      // Below 500 the server has understood and refused; a bad login is found out by the first, which must succeed.
      const status = statusOf(error);
      if (status !== undefined && status >= 400 && status < 500 && status !== 429) return false;
      throw error;
    }
  };
  const made: string[] = [];
  const checksum = { ChecksumSHA256: createHash('sha256').update(BODY).digest('base64') };
  const right = createHash('sha256').update(BODY).digest('hex');
  const lock = await lockOf(client, place.bucket, signal);
  const versions = await versionsOf(client, place.bucket, signal);
  const there = await client.send(new HeadObjectCommand(at), { abortSignal }).catch((error: unknown) => {
    if (statusOf(error) === 404) return undefined;
    throw error;
  });
  if (there === undefined)
    await mustPut(client, putCommand({ ...at, Body: BODY, ...checksum }, right), { made, signal });
  // Another recorder that is trying the same may have removed it under our hands; hardly twice.
  const refuses = async (): Promise<boolean> => !(await put({ ...checksum, IfNoneMatch: '*' }, right));
  const atomicCreate = (await refuses()) || (await refuses());
  const checksBody = !(await put({}, createHash('sha256').update('other').digest('hex')));
  const version = made.at(-1);
  const head = await client
    .send(
      new HeadObjectCommand({
        ...at,
        ...(version !== undefined && { VersionId: version }),
        ChecksumMode: 'ENABLED',
      }),
      { abortSignal },
    )
    .catch((error: unknown) => {
      if (statusOf(error) === 404)
        throw new DeliveryError('MOVED', `${at.Key} was removed while it was tried`);
      throw error;
    });
  for (const VersionId of made.length > 0 ? made : [undefined])
    await client.send(new DeleteObjectCommand({ ...at, VersionId }), { abortSignal }).catch(() => undefined);
  return { lock, versions, atomicCreate, checksBody, tellsChecksum: head.ChecksumSHA256 !== undefined };
}

/** A PutObject that the server can check: the SDK would send UNSIGNED-PAYLOAD for a stream. */
export function putCommand(input: PutObjectCommandInput, sha256: string): PutObjectCommand {
  const command = new PutObjectCommand(input);
  command.middlewareStack.add(
    (next) => (args) => {
      (args.request as { readonly headers: Record<string, string> }).headers['x-amz-content-sha256'] = sha256;
      return next(args);
    },
    { step: 'build', name: 'contentSha256' },
  );
  return command;
}

async function mustPut(
  client: S3Client,
  command: PutObjectCommand,
  { made, signal }: { readonly made: string[]; readonly signal: AbortSignal },
): Promise<void> {
  const { VersionId } = await client.send(command, { abortSignal: signal });
  if (VersionId !== undefined) made.push(VersionId);
}

async function lockOf(
  client: S3Client,
  Bucket: string,
  abortSignal: AbortSignal,
): Promise<S3Abilities['lock']> {
  try {
    const found = await client.send(new GetObjectLockConfigurationCommand({ Bucket }), { abortSignal });
    return found.ObjectLockConfiguration?.ObjectLockEnabled === 'Enabled' ? 'yes' : 'no';
  } catch (error) {
    // A fault of the login or of the region may have the same status as a server that knows no locks.
    if (isFault(error)) throw error;
    const status = statusOf(error) ?? 0;
    if (status === 403 && wordOf(error) === 'AccessDenied') return 'unknown';
    if (status === 404 || status === 400 || status === 405 || status === 501) return 'no';
    throw error;
  }
}

async function versionsOf(client: S3Client, Bucket: string, abortSignal: AbortSignal): Promise<boolean> {
  try {
    const { Status } = await client.send(new GetBucketVersioningCommand({ Bucket }), { abortSignal });
    return Status === 'Enabled';
  } catch (error) {
    if (isFault(error)) throw error;
    const status = statusOf(error);
    if (status === undefined || status >= 500)
      throw new DeliveryError('UNREACHABLE', Bucket, { cause: error });
    return false;
  }
}
