import { createReadStream } from 'node:fs';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { isChecked, receiveBody } from './aws-body.ts';
import type { AwsBucket, ObjectContent, ObjectLock, ObjectVersion } from './aws-bucket.ts';
import { elementIn, xmlDocument } from './aws-document.ts';
import { AwsError, accessDenied, invalidArgument, invalidRequest, notImplemented } from './aws-error.ts';
import type { AwsAccount } from './aws-signature.ts';

/** A request about an object whose sender is known. */
export interface ObjectRequest {
  readonly bucket: AwsBucket;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly account: AwsAccount;
  readonly incoming: IncomingMessage;
  /** Where bodies are kept. */
  readonly folder: string;
  readonly now: number;
}

export interface AwsAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly text?: string;
  readonly octets?: Readable;
}

const may = ({ actions }: AwsAccount, action: string): boolean => actions?.includes(action) ?? true;

export function mustMay(account: AwsAccount, action: string): void {
  if (!may(account, action)) throw accessDenied(`User is not authorized to perform: ${action}`);
}

/** PutObject. */
export async function putObject(request: ObjectRequest): Promise<AwsAnswer> {
  const { bucket, key, headers, incoming, folder } = request;
  mustMay(request.account, 's3:PutObject');
  const conditions = conditionsOf(headers);
  const lock = lockOf(request);
  bucket.mustFit(key, conditions);
  const before = bucket.deletionsOf(key);
  const content = await receiveBody(incoming, folder);
  // Whoever finishes first has the name; somebody who deletes meanwhile makes the answer uncertain.
  if (conditions.ifNoneMatch !== undefined && bucket.deletionsOf(key) !== before)
    throw new AwsError(
      409,
      'ConditionalRequestConflict',
      'The conditional request cannot succeed due to a conflicting operation against this resource.',
    );
  bucket.mustFit(key, conditions);
  const version = bucket.add(key, content, lock);
  return {
    status: 200,
    headers: { ETag: `"${content.etag}"`, ...versionHeader(bucket, version), ...checksumHeaders(content) },
  };
}

/** GetObject and HeadObject. */
export function getObject(request: ObjectRequest, withBody: boolean): AwsAnswer {
  const { bucket, query, headers, account } = request;
  const id = query.get('versionId') ?? undefined;
  mustMay(account, id === undefined ? 's3:GetObject' : 's3:GetObjectVersion');
  const version = findAs(request, id);
  const { content, lock } = version;
  const asked = headers['x-amz-checksum-mode'] === 'ENABLED';
  return {
    status: 200,
    headers: {
      'Content-Length': content.size,
      'Content-Type': 'application/octet-stream',
      'Last-Modified': new Date(version.modifiedAt).toUTCString(),
      'Accept-Ranges': 'bytes',
      ETag: `"${content.etag}"`,
      ...versionHeader(bucket, version),
      ...(asked && checksumHeaders(content)),
      ...(content.parts !== undefined && { 'x-amz-mp-parts-count': content.parts }),
      ...(may(account, 's3:GetObjectRetention') && retentionHeaders(lock)),
      ...(may(account, 's3:GetObjectLegalHold') &&
        lock.hold !== undefined && { 'x-amz-object-lock-legal-hold': lock.hold ? 'ON' : 'OFF' }),
    },
    ...(withBody && { octets: createReadStream(content.file) }),
  };
}

/** Who may not list learns only that access is denied. */
function findAs({ bucket, key, account }: ObjectRequest, id: string | undefined) {
  try {
    return bucket.find(key, id);
  } catch (error) {
    const hidden = error instanceof AwsError && error.status === 404 && !may(account, 's3:ListBucket');
    throw hidden ? accessDenied() : error;
  }
}

export function deleteObject({ bucket, key, query, headers, account }: ObjectRequest): AwsAnswer {
  const id = query.get('versionId') ?? undefined;
  mustMay(account, id === undefined ? 's3:DeleteObject' : 's3:DeleteObjectVersion');
  const { id: about, marker } = bucket.delete(key, id, bypasses(headers, account));
  return {
    status: 204,
    headers: {
      ...(about !== undefined && { 'x-amz-version-id': about }),
      ...(marker === true && { 'x-amz-delete-marker': 'true' }),
    },
  };
}

/** Get- and PutObjectRetention. */
export async function retention(request: ObjectRequest, method: string): Promise<AwsAnswer> {
  const { bucket, key, query, headers, account, incoming } = request;
  mustMay(account, `s3:${method === 'PUT' ? 'Put' : 'Get'}ObjectRetention`);
  mustLock(bucket);
  const version = bucket.find(key, query.get('versionId') ?? undefined);
  if (method === 'PUT') {
    const document = await textOf(incoming);
    const mode = modeOf(elementIn(document, 'Mode') ?? '');
    const until = Date.parse(elementIn(document, 'RetainUntilDate') ?? '');
    if (Number.isNaN(until)) throw malformedXml();
    bucket.retain(version, { mode, until }, bypasses(headers, account));
    return { status: 200 };
  }
  const { mode, until } = version.lock;
  if (mode === undefined || until === undefined) throw noLockConfiguration();
  return {
    status: 200,
    text: xmlDocument('Retention', { Mode: mode, RetainUntilDate: new Date(until).toISOString() }),
  };
}

/** Get- and PutObjectLegalHold. */
export async function legalHold(request: ObjectRequest, method: string): Promise<AwsAnswer> {
  const { bucket, key, query, account, incoming } = request;
  mustMay(account, `s3:${method === 'PUT' ? 'Put' : 'Get'}ObjectLegalHold`);
  mustLock(bucket);
  const { lock } = bucket.find(key, query.get('versionId') ?? undefined);
  if (method === 'PUT') {
    const status = elementIn(await textOf(incoming), 'Status') ?? '';
    if (!/^O(?:N|FF)$/.test(status)) throw malformedXml();
    lock.hold = status === 'ON';
    return { status: 200 };
  }
  if (lock.hold === undefined) throw noLockConfiguration();
  return { status: 200, text: xmlDocument('LegalHold', { Status: lock.hold ? 'ON' : 'OFF' }) };
}

/** The lock that a write asks for. */
export function lockOf(request: ObjectRequest): ObjectLock {
  const { bucket, headers, account } = request;
  const text = (name: string): string | undefined => {
    const value = headers[`x-amz-object-lock-${name}`];
    return value === undefined ? undefined : String(value);
  };
  const [mode, date, hold] = [text('mode'), text('retain-until-date'), text('legal-hold')];
  if ([mode, date, hold].every((each) => each === undefined)) {
    if (bucket.defaultRetention !== undefined) mustBeChecked(headers);
    return {};
  }
  mustLock(bucket);
  mustBeChecked(headers);
  if (hold !== undefined) mustMay(account, 's3:PutObjectLegalHold');
  return {
    ...retentionOf(mode, date, request),
    ...(hold !== undefined && { hold: hold === 'ON' }),
  };
}

function retentionOf(
  mode: string | undefined,
  date: string | undefined,
  { account, now }: ObjectRequest,
): ObjectLock {
  if ((mode === undefined) !== (date === undefined))
    throw invalidArgument(
      'x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied',
      'x-amz-object-lock-mode',
      mode ?? '',
    );
  if (mode === undefined || date === undefined) return {};
  const until = Date.parse(date);
  if (!(until > now))
    throw invalidArgument(
      'The retain until date must be in the future!',
      'x-amz-object-lock-retain-until-date',
      date,
    );
  mustMay(account, 's3:PutObjectRetention');
  return { mode: modeOf(mode), until };
}

function mustBeChecked(headers: IncomingHttpHeaders): void {
  if (!isChecked(headers))
    throw invalidRequest(
      'Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters',
    );
}

export function conditionsOf(headers: IncomingHttpHeaders) {
  const ifNoneMatch = headers['if-none-match'];
  const ifMatch = headers['if-match'];
  if (ifNoneMatch !== undefined && ifNoneMatch !== '*') throw notImplemented('If-None-Match');
  if (ifNoneMatch !== undefined && ifMatch !== undefined) throw notImplemented('If-Match');
  return { ifNoneMatch, ifMatch };
}

export const versionHeader = ({ versioning }: AwsBucket, { id }: ObjectVersion): Record<string, string> =>
  versioning === undefined ? {} : { 'x-amz-version-id': id };

export const checksumHeaders = ({ checksum }: ObjectContent): Record<string, string> => ({
  [`x-amz-checksum-${checksum.name}`]: checksum.value,
  'x-amz-checksum-type': checksum.type,
});

const retentionHeaders = ({ mode, until }: ObjectLock): Record<string, string> =>
  mode === undefined || until === undefined
    ? {}
    : {
        'x-amz-object-lock-mode': mode,
        'x-amz-object-lock-retain-until-date': new Date(until).toISOString(),
      };

function modeOf(text: string): 'GOVERNANCE' | 'COMPLIANCE' {
  if (text !== 'GOVERNANCE' && text !== 'COMPLIANCE')
    throw invalidArgument('Unknown wormMode directive.', 'x-amz-object-lock-mode', text);
  return text;
}

const bypasses = (headers: IncomingHttpHeaders, account: AwsAccount): boolean =>
  headers['x-amz-bypass-governance-retention'] === 'true' && may(account, 's3:BypassGovernanceRetention');

function mustLock({ objectLock }: AwsBucket): void {
  if (!objectLock) throw invalidRequest('Bucket is missing Object Lock Configuration');
}

const noLockConfiguration = (): AwsError =>
  new AwsError(
    404,
    'NoSuchObjectLockConfiguration',
    'The specified object does not have a ObjectLock configuration',
  );

export const malformedXml = (): AwsError =>
  new AwsError(
    400,
    'MalformedXML',
    'The XML you provided was not well-formed or did not validate against our published schema',
  );

export async function textOf(incoming: IncomingMessage): Promise<string> {
  return Buffer.concat((await incoming.toArray()) as Buffer[]).toString('utf8');
}

/** As dates stand in listings. */
export const listedDate = (at: number): string => new Date(Math.floor(at / 1000) * 1000).toISOString();
