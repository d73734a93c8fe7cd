import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { AwsBucket } from './aws-bucket.ts';
import {
  listObjects,
  listVersions,
  lockConfiguration,
  versioning,
  type BucketRequest,
} from './aws-buckets.ts';
import { xmlDocument } from './aws-document.ts';
import { AwsError } from './aws-error.ts';
import { MultipartDesk } from './aws-multipart.ts';
import {
  deleteObject,
  getObject,
  legalHold,
  mustMay,
  putObject,
  retention,
  type AwsAnswer,
  type ObjectRequest,
} from './aws-objects.ts';
import { authenticate, type AwsAccount } from './aws-signature.ts';
import type { IssuedCertificate } from './certificates.ts';

/** A request before its body. */
export interface SeenS3Request {
  readonly method: string;
  readonly bucket: string;
  /** Decoded; '' for the bucket itself. */
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
}

/** What comes instead of an answer: an error, the connection cut before anything was done, or after it. */
export type S3Interference = AwsError | 'cut' | 'cut-after';

/** 503 as it comes when one asks too often. */
export const slowDown = (retryAfter: string): AwsError =>
  new AwsError(503, 'SlowDown', 'Please reduce your request rate.', {
    headers: { 'Retry-After': retryAfter },
  });

/**
 * Amazon S3 over TLS, as far as its documentation says how it behaves: signatures, checksums, conditions, versions, Object
 * Lock, uploads in parts. Addresses have the bucket in the path.
 */
export class AwsS3Server {
  readonly accounts = new Map<string, AwsAccount>();
  readonly buckets = new Map<string, AwsBucket>();
  /** Buckets of other regions. */
  readonly elsewhere = new Map<string, string>();
  readonly uploads = new MultipartDesk();
  readonly seen: SeenS3Request[] = [];
  readonly region = 'eu-central-1';
  /** Most entries of one page of a listing. */
  pageSize = 1000;
  /** How far the server's clock is ahead, milliseconds. */
  clockAhead = 0;
  readonly #interferences: ((request: SeenS3Request) => S3Interference | undefined)[] = [];
  readonly #befores: { readonly fits: (request: SeenS3Request) => boolean; readonly what: () => unknown }[] =
    [];
  readonly #folder = mkdtempSync(join(tmpdir(), 'aws-s3-'));
  readonly #certificate: IssuedCertificate;
  #server: Server | undefined;
  #port = 0;

  private constructor(certificate: IssuedCertificate) {
    this.#certificate = certificate;
  }

  static async start(certificate: IssuedCertificate): Promise<AwsS3Server> {
    const server = new AwsS3Server(certificate);
    await server.start();
    return server;
  }

  get port(): number {
    return this.#port;
  }

  get endpoint(): string {
    return `https://127.0.0.1:${this.#port}`;
  }

  now = (): number => Date.now() + this.clockAhead;

  addBucket(
    name: string,
    options: { readonly objectLock?: boolean; readonly versions?: boolean } = {},
  ): AwsBucket {
    const bucket = new AwsBucket(name, { ...options, now: this.now });
    this.buckets.set(name, bucket);
    return bucket;
  }

  /** Answers the next `times` requests that fit in another way. */
  interfere(fits: (request: SeenS3Request) => boolean, what: S3Interference, times = 1): void {
    let left = times;
    this.#interferences.push((request) => {
      if (left === 0 || !fits(request)) return undefined;
      left -= 1;
      return what;
    });
  }

  /** Lets something happen once before a request that fits, as if somebody else had been faster. */
  before(fits: (request: SeenS3Request) => boolean, what: () => unknown): void {
    this.#befores.push({ fits, what });
  }

  /** Listens, after an outage at the same port. */
  async start(): Promise<void> {
    const { cert, privateKey } = this.#certificate;
    const serve = (request: IncomingMessage, response: ServerResponse): void => {
      this.#serve(request, response).catch(() => request.socket.destroy());
    };
    this.#server = createServer({ cert, key: privateKey }, serve);
    this.#server.on('checkContinue', serve);
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** An outage: what is stored stays. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const seen = seenIn(incoming);
    this.seen.push(seen);
    const first = this.#befores.findIndex(({ fits }) => fits(seen));
    if (first >= 0) await this.#befores.splice(first, 1)[0]?.what();
    const instead = this.#interferences.map((each) => each(seen)).find((each) => each !== undefined);
    if (instead === 'cut') {
      incoming.socket.destroy();
      return;
    }
    const answer = await this.#answer(seen, { incoming, response, instead });
    if (instead === 'cut-after') incoming.socket.destroy();
    else await send(answer, { incoming, response });
  }

  async #answer(
    seen: SeenS3Request,
    {
      incoming,
      response,
      instead,
    }: {
      readonly incoming: IncomingMessage;
      readonly response: ServerResponse;
      readonly instead: S3Interference | undefined;
    },
  ): Promise<AwsAnswer> {
    try {
      const { method, headers, query } = seen;
      const { accounts, region } = this;
      const target = incoming.url ?? '/';
      const account = authenticate({ method, target, headers }, { accounts, region, now: this.now() });
      if (instead instanceof AwsError) throw instead;
      const bucket = this.#bucket(seen.bucket);
      // Refusals come before the body is asked for.
      if (headers.expect !== undefined) response.writeContinue();
      if (seen.key === '')
        return await this.#aboutBucket(seen, { bucket, query, account, incoming, pageSize: this.pageSize });
      const { key } = seen;
      const folder = this.#folder;
      return await this.#aboutObject(seen.method, {
        bucket,
        key,
        query,
        headers,
        account,
        incoming,
        folder,
        now: this.now(),
      });
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      return refusal(error, seen);
    }
  }

  #bucket(name: string): AwsBucket {
    const region = this.elsewhere.get(name);
    if (region !== undefined)
      throw new AwsError(
        301,
        'PermanentRedirect',
        'The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.',
        {
          details: { Bucket: name, Endpoint: `${name}.s3.${region}.amazonaws.com` },
          headers: { 'x-amz-bucket-region': region },
        },
      );
    const bucket = this.buckets.get(name);
    if (bucket === undefined)
      throw new AwsError(404, 'NoSuchBucket', 'The specified bucket does not exist', {
        details: { BucketName: name },
      });
    return bucket;
  }

  async #aboutBucket({ method, query }: SeenS3Request, request: BucketRequest): Promise<AwsAnswer> {
    if (query.has('versioning')) return versioning(request, method);
    if (query.has('object-lock')) return lockConfiguration(request, method);
    if (method === 'GET' && query.has('versions')) return listVersions(request);
    if (method === 'GET' && query.get('list-type') === '2') return listObjects(request);
    if (method === 'HEAD') {
      mustMay(request.account, 's3:ListBucket');
      return { status: 200, headers: { 'x-amz-bucket-region': this.region } };
    }
    throw notAllowed();
  }

  async #aboutObject(method: string, request: ObjectRequest): Promise<AwsAnswer> {
    const { query } = request;
    if (Buffer.byteLength(request.key) > 1024)
      throw new AwsError(400, 'KeyTooLongError', 'Your key is too long');
    if (query.has('retention')) return retention(request, method);
    if (query.has('legal-hold')) return legalHold(request, method);
    const { uploads } = this;
    const ways: Readonly<Record<string, () => AwsAnswer | Promise<AwsAnswer>>> = {
      'PUT ': () => putObject(request),
      'GET ': () => getObject(request, true),
      'HEAD ': () => getObject(request, false),
      'DELETE ': () => deleteObject(request),
      'POST uploads': () => uploads.begin(request),
      'PUT uploadId': () => uploads.part(request),
      'POST uploadId': () => uploads.complete(request),
      'DELETE uploadId': () => uploads.abort(request),
    };
    const about = ['uploadId', 'uploads'].find((name) => query.has(name)) ?? '';
    const way = ways[`${method} ${about}`];
    if (way === undefined) throw notAllowed();
    return way();
  }
}

const notAllowed = (): AwsError =>
  new AwsError(405, 'MethodNotAllowed', 'The specified method is not allowed against this resource.');

function seenIn(incoming: IncomingMessage): SeenS3Request {
  const [path = '', query = ''] = (incoming.url ?? '/').split(/\?(.*)/s, 2);
  const [, bucket = '', key = ''] = /^\/([^/]*)\/?(.*)$/s.exec(path) ?? [];
  return {
    method: incoming.method ?? '',
    bucket,
    key: decodeURIComponent(key),
    query: new URLSearchParams(query.replaceAll('+', '%2B')),
    headers: incoming.headers,
  };
}

function refusal({ status, code, message, details, headers }: AwsError, seen: SeenS3Request): AwsAnswer {
  const Resource = `/${seen.bucket}${seen.key === '' ? '' : `/${seen.key}`}`;
  const error = {
    Code: code,
    Message: message,
    Resource,
    ...details,
    RequestId: randomBytes(8).toString('hex'),
  };
  return { status, headers, text: xmlDocument('Error', error) };
}

async function send(
  { status, headers = {}, text, octets }: AwsAnswer,
  { incoming, response }: { readonly incoming: IncomingMessage; readonly response: ServerResponse },
): Promise<void> {
  // What is left of a body that was refused must not be taken for the next request.
  incoming.resume();
  response.writeHead(status, {
    Server: 'AmazonS3',
    'x-amz-request-id': randomBytes(8).toString('hex').toUpperCase(),
    'x-amz-id-2': randomBytes(24).toString('base64'),
    ...(text !== undefined && {
      'Content-Type': 'application/xml',
      'Content-Length': Buffer.byteLength(text),
    }),
    ...headers,
  });
  if (octets !== undefined) return pipeline(octets, response);
  response.end(incoming.method === 'HEAD' ? undefined : text);
  return undefined;
}
