import { readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { S3Client } from '@aws-sdk/client-s3';
import { DeliveryError, deliveryError, isOurs, type DeliveryErrorCode } from './delivery-error.ts';
import { isUntrusted } from './tls-fault.ts';

export interface S3Options {
  readonly name: string;
  /** URL of a server that is not Amazon's. */
  readonly endpoint?: string | undefined;
  readonly region: string;
  readonly bucket: string;
  /** Beginning of every key, with `/` between its parts; '' for none. */
  readonly root: string;
  /** The bucket stands in the path rather than in the host name. */
  readonly pathStyle: boolean;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** PEM file of the authorities that the server's certificate may come from, beside the usual ones. */
  readonly ca?: string | undefined;
  /** `required`: a bucket without Object Lock is refused. */
  readonly objectLock: 'auto' | 'required';
  /** Requests at once. */
  readonly sessions: number;
  /** Seconds without an octet after which a request is given up. */
  readonly timeoutSeconds: number;
}

/**
 * Octets up to which a file is sent in one piece rather than as a stream, which takes a third of the time off a small one. So much memory may
 * be held for each request at once.
 */
export const MOST_AT_ONCE = 8 * 1024 * 1024;

/** A client that sends each request once: what to do about a failure is decided by the queue. */
export function openS3Client(options: S3Options): S3Client {
  const { endpoint, region, pathStyle, accessKeyId, secretAccessKey, ca, sessions, timeoutSeconds } = options;
  const agent = { keepAlive: true, maxSockets: sessions * 2 };
  return new S3Client({
    region,
    ...(endpoint !== undefined && { endpoint }),
    forcePathStyle: pathStyle,
    credentials: { accessKeyId, secretAccessKey },
    maxAttempts: 1,
    logger: { trace: silence, debug: silence, info: silence, warn: silence, error: silence },
    // Chunked bodies with a trailing checksum are refused, or stored as they are, by servers other than Amazon's.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // What goes in one piece would only wait for the server's word that it may come.
    expectContinueHeader: MOST_AT_ONCE + 1,
    requestHandler: {
      connectionTimeout: timeoutSeconds * 1000,
      socketTimeout: timeoutSeconds * 1000,
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent({ ...agent, ...(ca !== undefined && { ca: readFileSync(ca) }) }),
    },
  });
}

/** The client would write to the console what we report ourselves. */
const silence = (): void => undefined;

const CODES: Readonly<Record<string, DeliveryErrorCode>> = {
  // With status 400, unlike the other faults of a login.
  ExpiredToken: 'DENIED',
  ExpiredTokenException: 'DENIED',
  InvalidToken: 'DENIED',
  TokenRefreshRequired: 'DENIED',
  QuotaExceeded: 'QUOTA',
  InsufficientCapacity: 'QUOTA',
  NoSuchBucket: 'MISCONFIGURED',
  PermanentRedirect: 'MISCONFIGURED',
  AuthorizationHeaderMalformed: 'MISCONFIGURED',
  IllegalLocationConstraintException: 'MISCONFIGURED',
  RequestTimeTooSkewed: 'MISCONFIGURED',
  InvalidBucketName: 'MISCONFIGURED',
  EntityTooLarge: 'UNSUPPORTED',
  KeyTooLongError: 'BAD_PATH',
  XAmzContentSHA256Mismatch: 'NOT_PROVED',
  BadDigest: 'NOT_PROVED',
  IncompleteBody: 'UNREACHABLE',
  SlowDown: 'THROTTLED',
  ConditionalRequestConflict: 'MOVED',
  OperationAborted: 'MOVED',
};

export const statusOf = (error: unknown): number | undefined =>
  (error as { readonly $metadata?: { readonly httpStatusCode?: number } } | null)?.$metadata?.httpStatusCode;

/** The server's word for what went wrong. */
export function wordOf(error: unknown): string {
  const { Code, name } = error as { readonly Code?: unknown; readonly name?: unknown };
  return typeof Code === 'string' ? Code : typeof name === 'string' ? name : '';
}

/** Whether the server's word says more than that this one request cannot be done. */
export const isFault = (error: unknown): boolean => CODES[wordOf(error)] !== undefined;

/** Errors of the client as ours. */
export function fromS3Error(error: unknown, what: string, signal: AbortSignal): Error {
  if (signal.aborted) return new DeliveryError('ABORTED', what, { cause: error });
  if (isOurs(error)) return error;
  const status = statusOf(error);
  const { message } = error as { readonly message?: string };
  const detail = `${what}: ${wordOf(error)} ${message ?? ''}`.trim();
  const code =
    CODES[wordOf(error)] ?? codeOfHttp(status) ?? (isUntrusted(error) ? 'WRONG_HOST' : 'UNREACHABLE');
  return deliveryError(code, detail, { cause: error });
}

function codeOfHttp(status: number | undefined): DeliveryErrorCode | undefined {
  if (status === 401 || status === 403) return 'DENIED';
  if (status === 429 || status === 503) return 'THROTTLED';
  return status === 507 ? 'QUOTA' : undefined;
}
