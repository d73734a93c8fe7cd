import type { IncomingMessage } from 'node:http';
import type { AwsBucket, DefaultRetention, ObjectVersion } from './aws-bucket.ts';
import { elementIn, xmlDocument, type XmlValue } from './aws-document.ts';
import { AwsError, invalidArgument } from './aws-error.ts';
import { listedDate, malformedXml, mustMay, textOf, type AwsAnswer } from './aws-objects.ts';
import type { AwsAccount } from './aws-signature.ts';

/** A request about a bucket whose sender is known. */
export interface BucketRequest {
  readonly bucket: AwsBucket;
  readonly query: URLSearchParams;
  readonly account: AwsAccount;
  readonly incoming: IncomingMessage;
  /** Most entries of one page. */
  readonly pageSize: number;
}

/** Get- and PutBucketVersioning. */
export async function versioning(request: BucketRequest, method: string): Promise<AwsAnswer> {
  const { bucket, account, incoming } = request;
  mustMay(account, `s3:${method === 'PUT' ? 'Put' : 'Get'}BucketVersioning`);
  if (method === 'PUT') {
    const status = elementIn(await textOf(incoming), 'Status');
    if (bucket.objectLock && status !== 'Enabled')
      throw new AwsError(
        409,
        'InvalidBucketState',
        'An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.',
      );
    if (status !== 'Enabled') throw new AwsError(501, 'NotImplemented', 'Suspended versioning is not here.');
    bucket.versioning = 'Enabled';
    return { status: 200 };
  }
  return { status: 200, text: xmlDocument('VersioningConfiguration', { Status: bucket.versioning }) };
}

/** Get- and PutObjectLockConfiguration. */
export async function lockConfiguration(request: BucketRequest, method: string): Promise<AwsAnswer> {
  const { bucket, account, incoming } = request;
  mustMay(account, `s3:${method === 'PUT' ? 'Put' : 'Get'}BucketObjectLockConfiguration`);
  if (method === 'PUT') {
    if (bucket.versioning === undefined)
      throw new AwsError(
        409,
        'InvalidBucketState',
        "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
      );
    bucket.objectLock = true;
    bucket.defaultRetention = ruleOf(await textOf(incoming));
    return { status: 200 };
  }
  if (!bucket.objectLock)
    throw new AwsError(
      404,
      'ObjectLockConfigurationNotFoundError',
      'Object Lock configuration does not exist for this bucket',
    );
  const preset = bucket.defaultRetention;
  const rule: XmlValue = preset && { DefaultRetention: { Mode: preset.mode, Days: preset.days } };
  return {
    status: 200,
    text: xmlDocument('ObjectLockConfiguration', { ObjectLockEnabled: 'Enabled', Rule: rule }),
  };
}

function ruleOf(document: string): DefaultRetention | undefined {
  const mode = elementIn(document, 'Mode');
  if (mode === undefined) return undefined;
  const years = elementIn(document, 'Years');
  const days = Number(elementIn(document, 'Days') ?? Number(years) * 365);
  if ((mode !== 'GOVERNANCE' && mode !== 'COMPLIANCE') || !(days > 0)) throw malformedXml();
  return { mode, days };
}

/** ListObjectsV2: newest versions that are no delete markers, folders together by the delimiter. */
export function listObjects({ bucket, query, account, pageSize }: BucketRequest): AwsAnswer {
  mustMay(account, 's3:ListBucket');
  const prefix = query.get('prefix') ?? '';
  const token = query.get('continuation-token');
  const after =
    token === null ? (query.get('start-after') ?? '') : Buffer.from(token, 'base64url').toString();
  if (token === '')
    throw invalidArgument('The continuation token provided is incorrect', 'continuation-token', '');
  const most = Math.min(pageSize, Number(query.get('max-keys') ?? pageSize));
  const entries = entriesBelow(bucket, prefix, query.get('delimiter') ?? '');
  const names = [...entries.keys()].filter((name) => name > after);
  const page = names.slice(0, most);
  const more = names.length > page.length;
  const of = (folder: boolean): readonly string[] =>
    page.filter((name) => (entries.get(name) === undefined) === folder);
  return {
    status: 200,
    text: xmlDocument('ListBucketResult', {
      Name: bucket.name,
      Prefix: prefix,
      MaxKeys: most,
      KeyCount: page.length,
      IsTruncated: more,
      NextContinuationToken: more ? Buffer.from(page.at(-1) ?? '').toString('base64url') : undefined,
      Contents: of(false).map((name) => described(entries.get(name) as ObjectVersion)),
      CommonPrefixes: of(true).map((Prefix) => ({ Prefix })),
    }),
  };
}

/** Objects, and `undefined` for what the delimiter brings together. */
function entriesBelow(
  bucket: AwsBucket,
  prefix: string,
  delimiter: string,
): ReadonlyMap<string, ObjectVersion | undefined> {
  const entries = new Map<string, ObjectVersion | undefined>();
  for (const { key } of bucket.versions) {
    const newest = bucket.versionsOf(key)[0];
    if (!key.startsWith(prefix) || newest?.content === undefined) continue;
    const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    if (end < 0) entries.set(key, newest);
    else entries.set(key.slice(0, end + delimiter.length), undefined);
  }
  return entries;
}

/** ListObjectVersions: by key, of one key the newest first, markers among them. */
export function listVersions({ bucket, query, account, pageSize }: BucketRequest): AwsAnswer {
  mustMay(account, 's3:ListBucketVersions');
  const prefix = query.get('prefix') ?? '';
  const keyMarker = query.get('key-marker') ?? '';
  const idMarker = query.get('version-id-marker') ?? '';
  if (idMarker !== '' && keyMarker === '')
    throw invalidArgument(
      'A version-id marker cannot be specified without a key marker.',
      'version-id-marker',
      idMarker,
    );
  const most = Math.min(pageSize, Number(query.get('max-keys') ?? pageSize));
  const all = bucket.versions.filter(({ key }) => key.startsWith(prefix));
  const begin =
    keyMarker === ''
      ? 0
      : idMarker === ''
        ? all.filter(({ key }) => key <= keyMarker).length
        : all.findIndex(({ key, id }) => key === keyMarker && id === idMarker) + 1;
  const page = all.slice(begin, begin + most);
  const last = begin + page.length < all.length ? page.at(-1) : undefined;
  const one = (version: ObjectVersion): XmlValue => ({
    ...described(version),
    VersionId: version.id,
    IsLatest: bucket.versionsOf(version.key)[0]?.id === version.id,
  });
  return {
    status: 200,
    text: xmlDocument('ListVersionsResult', {
      Name: bucket.name,
      Prefix: prefix,
      KeyMarker: keyMarker,
      VersionIdMarker: idMarker,
      MaxKeys: most,
      IsTruncated: last !== undefined,
      NextKeyMarker: last?.key,
      NextVersionIdMarker: last?.id,
      Version: page.filter(({ content }) => content !== undefined).map(one),
      DeleteMarker: page.filter(({ content }) => content === undefined).map(one),
    }),
  };
}

const described = ({ key, modifiedAt, content }: ObjectVersion) => ({
  Key: key,
  LastModified: listedDate(modifiedAt),
  ...(content !== undefined && { ETag: `"${content.etag}"`, Size: content.size, StorageClass: 'STANDARD' }),
});
