import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { unlink } from 'node:fs/promises';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ObjectContent } from './aws-bucket.ts';
import { CHECKSUMS, isChecksum, openChecksum, type ChecksumName } from './aws-checksums.ts';
import { decodeAwsChunks } from './aws-chunks.ts';
import { AwsError, invalidRequest, notImplemented } from './aws-error.ts';

const HEADER = 'x-amz-checksum-';
const STREAMING = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';

/** What a request says of the body that it carries. */
interface Announcement {
  readonly length: number;
  readonly chunked: boolean;
  readonly md5: Buffer | undefined;
  /** Hex; undefined for UNSIGNED-PAYLOAD. */
  readonly sha256: string | undefined;
  readonly checksum:
    | { readonly name: ChecksumName; readonly value: string | undefined; readonly trailer: boolean }
    | undefined;
}

/** Whether a request has a checksum or Content-MD5, which locks demand. */
export const isChecked = (headers: IncomingHttpHeaders): boolean =>
  headers['content-md5'] !== undefined || announcedChecksum(headers) !== undefined;

/**
 * Takes the body of a PUT into a file below `folder` and compares it with all that the request says of it. Rejects with
 * AwsError when something is not so, and leaves nothing.
 */
export async function receiveBody(incoming: IncomingMessage, folder: string): Promise<ObjectContent> {
  const said = announcementOf(incoming.headers);
  const file = join(folder, randomUUID());
  try {
    return await take(incoming, said, file);
  } catch (error) {
    await unlink(file).catch(() => undefined);
    throw error;
  }
}

async function take(incoming: IncomingMessage, said: Announcement, file: string): Promise<ObjectContent> {
  const trailers = new Map<string, string>();
  const { name = 'crc64nvme' } = said.checksum ?? {};
  const [md5, sha256, checksum] = [createHash('md5'), createHash('sha256'), openChecksum(name)];
  let size = 0;
  const taking = new Transform({
    transform: (part: Buffer, _encoding, done) => {
      size += part.length;
      md5.update(part);
      if (said.sha256 !== undefined) sha256.update(part);
      checksum.update(part);
      done(null, part);
    },
  });
  const octets = said.chunked ? decodeAwsChunks(incoming, trailers) : incoming;
  await pipeline(octets, taking, createWriteStream(file, { flags: 'wx' }));
  if (size !== said.length)
    throw new AwsError(
      400,
      'IncompleteBody',
      'You did not provide the number of bytes specified by the Content-Length HTTP header',
    );
  const digest = md5.digest();
  if (said.md5?.equals(digest) === false)
    throw new AwsError(400, 'BadDigest', 'The Content-MD5 you specified did not match what we received.');
  if (said.sha256 !== undefined && said.sha256 !== sha256.digest('hex'))
    throw new AwsError(
      400,
      'XAmzContentSHA256Mismatch',
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
    );
  const value = checksum.digest();
  mustBe(value, said.checksum, trailers);
  return { file, size, etag: digest.toString('hex'), checksum: { name, value, type: 'FULL_OBJECT' } };
}

function mustBe(found: string, said: Announcement['checksum'], trailers: ReadonlyMap<string, string>): void {
  if (said === undefined) return;
  const wanted = said.trailer ? trailers.get(`${HEADER}${said.name}`) : said.value;
  if (wanted === undefined)
    throw new AwsError(
      400,
      'MalformedTrailerError',
      'The request contained trailing data that was not well-formed.',
    );
  if (wanted !== found)
    throw new AwsError(
      400,
      'BadDigest',
      `The ${said.name.toUpperCase()} you specified did not match the calculated checksum.`,
    );
}

function announcementOf(headers: IncomingHttpHeaders): Announcement {
  const told = String(headers['x-amz-content-sha256']);
  const chunked = told.startsWith('STREAMING-');
  if (chunked && told !== STREAMING) throw notImplemented('x-amz-content-sha256');
  const length = Number(chunked ? headers['x-amz-decoded-content-length'] : headers['content-length']);
  if (!Number.isInteger(length))
    throw new AwsError(411, 'MissingContentLength', 'You must provide the Content-Length HTTP header.');
  if (length > 5 * 1024 ** 3)
    throw new AwsError(400, 'EntityTooLarge', 'Your proposed upload exceeds the maximum allowed size');
  const md5 =
    headers['content-md5'] === undefined ? undefined : Buffer.from(String(headers['content-md5']), 'base64');
  if (md5 !== undefined && md5.length !== 16)
    throw new AwsError(400, 'InvalidDigest', 'The Content-MD5 you specified was invalid.');
  const sha256 = chunked || told === 'UNSIGNED-PAYLOAD' ? undefined : told;
  return { length, chunked, md5, sha256, checksum: announcedChecksum(headers) };
}

function announcedChecksum(headers: IncomingHttpHeaders): Announcement['checksum'] {
  const names = CHECKSUMS.filter((name) => headers[`${HEADER}${name}`] !== undefined);
  const trailer = String(headers['x-amz-trailer'] ?? '').toLowerCase();
  const trailing = CHECKSUMS.find((name) => trailer === `${HEADER}${name}`);
  if (names.length + (trailing === undefined ? 0 : 1) > 1)
    throw invalidRequest(
      'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
    );
  const [name] = names;
  if (trailing !== undefined) return { name: trailing, value: undefined, trailer: true };
  if (name === undefined) return undefined;
  const value = String(headers[`${HEADER}${name}`]);
  if (!isChecksum(name, value)) throw invalidRequest(`Value for ${HEADER}${name} header is invalid.`);
  return { name, value, trailer: false };
}
