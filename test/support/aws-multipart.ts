import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { receiveBody } from './aws-body.ts';
import type { ObjectContent, ObjectLock } from './aws-bucket.ts';
import { CHECKSUMS, compositeOf, openChecksum, type ChecksumName } from './aws-checksums.ts';
import { elementIn, xmlDocument } from './aws-document.ts';
import { AwsError, invalidRequest } from './aws-error.ts';
import {
  checksumHeaders,
  conditionsOf,
  lockOf,
  malformedXml,
  mustMay,
  textOf,
  versionHeader,
  type AwsAnswer,
  type ObjectRequest,
} from './aws-objects.ts';

const SMALLEST_PART = 5 * 1024 * 1024;

interface OpenUpload {
  readonly bucket: string;
  readonly key: string;
  readonly lock: ObjectLock;
  readonly checksum: ChecksumName;
  readonly type: 'COMPOSITE' | 'FULL_OBJECT';
  readonly parts: Map<number, ObjectContent>;
}

/** Uploads in parts (user guide, "Uploading and copying objects using multipart upload"). */
export class MultipartDesk {
  readonly #open = new Map<string, OpenUpload>();

  /** How many were begun and neither completed nor aborted. */
  get size(): number {
    return this.#open.size;
  }

  begin(request: ObjectRequest): AwsAnswer {
    mustMay(request.account, 's3:PutObject');
    const { bucket, key, headers } = request;
    const wanted = String(headers['x-amz-checksum-algorithm'] ?? 'CRC64NVME').toLowerCase();
    const checksum = CHECKSUMS.find((name) => name === wanted);
    if (checksum === undefined) throw invalidRequest('Checksum algorithm provided is unsupported.');
    const type = String(
      headers['x-amz-checksum-type'] ?? (checksum === 'crc64nvme' ? 'FULL_OBJECT' : 'COMPOSITE'),
    );
    if (type === 'FULL_OBJECT' ? checksum.startsWith('sha') : checksum === 'crc64nvme')
      throw invalidRequest(
        `The ${type} checksum type cannot be used with the ${checksum} checksum algorithm.`,
      );
    const id = randomUUID();
    // Parts carry the checksums that a lock demands.
    const lock = lockOf({ ...request, headers: { ...headers, 'content-md5': '' } });
    const kind = type === 'FULL_OBJECT' ? type : 'COMPOSITE';
    this.#open.set(id, { bucket: bucket.name, key, lock, checksum, type: kind, parts: new Map() });
    const result = { Bucket: bucket.name, Key: key, UploadId: id };
    return { status: 200, text: xmlDocument('InitiateMultipartUploadResult', result) };
  }

  async part(request: ObjectRequest): Promise<AwsAnswer> {
    mustMay(request.account, 's3:PutObject');
    const upload = this.#find(request);
    const number = Number(request.query.get('partNumber'));
    if (!(number >= 1 && number <= 10_000))
      throw new AwsError(
        400,
        'InvalidArgument',
        'Part number must be an integer between 1 and 10000, inclusive',
      );
    const content = await receiveBody(request.incoming, request.folder);
    const before = upload.parts.get(number);
    upload.parts.set(number, content);
    if (before !== undefined) await unlink(before.file);
    return { status: 200, headers: { ETag: `"${content.etag}"`, ...checksumHeaders(content) } };
  }

  async complete(request: ObjectRequest): Promise<AwsAnswer> {
    mustMay(request.account, 's3:PutObject');
    const { bucket, key, headers, query, folder } = request;
    const upload = this.#find(request);
    const conditions = conditionsOf(headers);
    const parts = chosenParts(await textOf(request.incoming), upload);
    bucket.mustFit(key, conditions);
    const content = await joinParts(parts, upload, join(folder, randomUUID()));
    bucket.mustFit(key, conditions);
    const version = bucket.add(key, content, upload.lock);
    await this.#forget(query.get('uploadId') ?? '');
    const { name, value, type } = content.checksum;
    const result = {
      Bucket: bucket.name,
      Key: key,
      ETag: `"${content.etag}"`,
      [`Checksum${name.toUpperCase()}`]: value,
      ChecksumType: type,
    };
    return {
      status: 200,
      headers: versionHeader(bucket, version),
      text: xmlDocument('CompleteMultipartUploadResult', result),
    };
  }

  async abort(request: ObjectRequest): Promise<AwsAnswer> {
    mustMay(request.account, 's3:AbortMultipartUpload');
    this.#find(request);
    await this.#forget(request.query.get('uploadId') ?? '');
    return { status: 204 };
  }

  #find({ bucket, key, query }: ObjectRequest): OpenUpload {
    const found = this.#open.get(query.get('uploadId') ?? '');
    if (found?.bucket !== bucket.name || found.key !== key)
      throw new AwsError(
        404,
        'NoSuchUpload',
        'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.',
      );
    return found;
  }

  async #forget(id: string): Promise<void> {
    const upload = this.#open.get(id);
    this.#open.delete(id);
    for (const { file } of upload?.parts.values() ?? []) await unlink(file).catch(() => undefined);
  }
}

function chosenParts(document: string, { parts }: OpenUpload): readonly ObjectContent[] {
  const chosen: ObjectContent[] = [];
  let last = 0;
  for (const [, text = ''] of document.matchAll(/<Part>(.*?)<\/Part>/gs)) {
    const number = Number(elementIn(text, 'PartNumber'));
    if (number <= last)
      throw new AwsError(400, 'InvalidPartOrder', 'The list of parts was not in ascending order.');
    last = number;
    const part = parts.get(number);
    if (part === undefined || !isMeant(part, text))
      throw new AwsError(400, 'InvalidPart', 'One or more of the specified parts could not be found.');
    chosen.push(part);
  }
  if (chosen.length === 0) throw malformedXml();
  if (chosen.slice(0, -1).some(({ size }) => size < SMALLEST_PART))
    throw new AwsError(
      400,
      'EntityTooSmall',
      'Your proposed upload is smaller than the minimum allowed size',
    );
  return chosen;
}

function isMeant({ etag, checksum }: ObjectContent, text: string): boolean {
  const told = elementIn(text, `Checksum${checksum.name.toUpperCase()}`);
  const named = elementIn(text, 'ETag')?.replaceAll(/&quot;|&#34;|"/g, '');
  return named === etag && (told === undefined || told === checksum.value);
}

async function joinParts(
  parts: readonly ObjectContent[],
  { checksum: name, type }: OpenUpload,
  file: string,
): Promise<ObjectContent> {
  const whole = openChecksum(name);
  const out = createWriteStream(file, { flags: 'wx' });
  await pipeline(async function* () {
    for (const part of parts)
      for await (const octets of createReadStream(part.file) as AsyncIterable<Buffer>) {
        whole.update(octets);
        yield octets;
      }
  }, out);
  const etags = createHash('md5');
  for (const { etag } of parts) etags.update(Buffer.from(etag, 'hex'));
  const value =
    type === 'FULL_OBJECT'
      ? whole.digest()
      : compositeOf(
          name,
          parts.map(({ checksum }) => checksum.value),
        );
  return {
    file,
    size: parts.reduce((sum, part) => sum + part.size, 0),
    etag: `${etags.digest('hex')}-${parts.length}`,
    checksum: { name, value, type },
    parts: parts.length,
  };
}
