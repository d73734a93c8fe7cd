import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { accessDenied, AwsError } from './aws-error.ts';

/** An access key of a server, and what its policy lets it do. */
export interface AwsAccount {
  readonly secretAccessKey: string;
  /** Actions such as `s3:PutObject`; everything when it is left out. */
  readonly actions?: readonly string[];
  /** Temporary credentials whose time is over. */
  expired?: boolean;
}

export interface SignedRequest {
  readonly method: string;
  /** As it stood in the request line. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
}

const LONGEST_SKEW = 15 * 60_000;
const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/;

/**
 * Whose request it is, by its Authorization header (Signature Version 4, "Authenticating requests").
 *
 * @throws AwsError
 */
export function authenticate(
  request: SignedRequest,
  server: {
    readonly accounts: ReadonlyMap<string, AwsAccount>;
    readonly region: string;
    readonly now: number;
  },
): AwsAccount {
  const { headers } = request;
  if (headers.authorization === undefined) throw accessDenied();
  const parts = AUTHORIZATION.exec(headers.authorization)?.slice(1);
  if (parts === undefined)
    throw new AwsError(400, 'AuthorizationHeaderMalformed', 'The authorization header is malformed.');
  const [id, day, region, signed, signature] = parts as [string, string, string, string, string];
  mustBeRegion(region, server.region);
  const account = server.accounts.get(id);
  if (account === undefined)
    throw new AwsError(
      403,
      'InvalidAccessKeyId',
      'The AWS Access Key Id you provided does not exist in our records.',
      { details: { AWSAccessKeyId: id } },
    );
  const date = String(headers['x-amz-date'] ?? '');
  mustBeNow(date, server.now);
  const names = signed.split(';');
  mustSign(headers, names);
  const canonical = canonicalRequest(request, names);
  const scope = `${day}/${region}/s3/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', date, scope, hex(canonical)].join('\n');
  const key = scope
    .split('/')
    .reduce<Buffer>(
      (secret, part) => createHmac('sha256', secret).update(part).digest(),
      Buffer.from(`AWS4${account.secretAccessKey}`),
    );
  const expected = createHmac('sha256', key).update(toSign).digest();
  if (!date.startsWith(day) || !timingSafeEqual(expected, Buffer.from(signature, 'hex')))
    throw new AwsError(
      403,
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
      { details: { AWSAccessKeyId: id, StringToSign: toSign, CanonicalRequest: canonical } },
    );
  if (account.expired === true) throw new AwsError(400, 'ExpiredToken', 'The provided token has expired.');
  return account;
}

function mustBeRegion(region: string, expected: string): void {
  if (region !== expected)
    throw new AwsError(
      400,
      'AuthorizationHeaderMalformed',
      `The authorization header is malformed; the region '${region}' is wrong; expecting '${expected}'`,
      { details: { Region: expected }, headers: { 'x-amz-bucket-region': expected } },
    );
}

function mustBeNow(date: string, now: number): void {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date) ?? [];
  const at = Date.parse(
    `${year ?? ''}-${month ?? ''}-${day ?? ''}T${hour ?? ''}:${minute ?? ''}:${second ?? ''}Z`,
  );
  if (Number.isNaN(at)) throw accessDenied('AWS authentication requires a valid Date or x-amz-date header');
  if (Math.abs(at - now) > LONGEST_SKEW)
    throw new AwsError(
      403,
      'RequestTimeTooSkewed',
      'The difference between the request time and the current time is too large.',
      {
        details: {
          RequestTime: date,
          ServerTime: new Date(now).toISOString(),
          MaxAllowedSkewMilliseconds: String(LONGEST_SKEW),
        },
      },
    );
}

/** The host and every x-amz- header must be signed. */
function mustSign(headers: IncomingHttpHeaders, names: readonly string[]): void {
  const needed = ['host', ...Object.keys(headers).filter((name) => name.startsWith('x-amz-'))];
  const unsigned = needed.filter((name) => !names.includes(name));
  if (unsigned.length > 0)
    throw new AwsError(
      403,
      'AccessDenied',
      'There were headers present in the request which were not signed',
      { details: { HeadersNotSigned: unsigned.join(', ') } },
    );
  if (headers['x-amz-content-sha256'] === undefined)
    throw new AwsError(
      400,
      'MissingSecurityHeader',
      'Your request is missing a required header: x-amz-content-sha256',
    );
}

function canonicalRequest({ method, target, headers }: SignedRequest, names: readonly string[]): string {
  const [path = '', query = ''] = target.split(/\?(.*)/s, 2);
  const parameters = query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => pair.split(/=(.*)/s, 2).map((part) => encode(decodeURIComponent(part))))
    .map(([name = '', value = '']) => [name, value] as const)
    .sort(([a, x], [b, y]) => (a === b ? order(x, y) : order(a, b)));
  return [
    method,
    path
      .split('/')
      .map((part) => encode(decodeURIComponent(part)))
      .join('/'),
    parameters.map(([name, value]) => `${name}=${value}`).join('&'),
    ...names.map((name) => `${name}:${valueOf(headers[name])}`),
    '',
    names.join(';'),
    String(headers['x-amz-content-sha256']),
  ].join('\n');
}

const order = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

const valueOf = (value: string | readonly string[] | undefined): string =>
  [value ?? '']
    .flat()
    .map((each) => each.trim().replace(/ +/g, ' '))
    .join(',');

const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`);

const hex = (text: string): string => createHash('sha256').update(text).digest('hex');
