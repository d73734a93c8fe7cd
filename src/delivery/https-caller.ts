import { readFileSync } from 'node:fs';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { rootCertificates } from 'node:tls';
import { DeliveryError, isOurs, permanent } from './delivery-error.ts';
import { isUntrusted } from './tls-fault.ts';

export interface HttpsOptions {
  /** PEM file of the authorities that a server's certificate may come from, beside the usual ones. */
  readonly ca?: string | undefined;
  /** Connections at once to each host. */
  readonly sockets: number;
  /** Seconds without an octet after which a request is given up. */
  readonly timeoutSeconds: number;
}

export interface HttpsRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string | undefined;
}

export interface HttpsAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Must be read to its end or destroyed. */
  readonly body: IncomingMessage;
}

/** Answers that are read whole have a few thousand octets; a page of a listing some hundred thousand. */
const LONGEST_TEXT = 16 * 1024 * 1024;

/** Sends each request once, by HTTPS alone: what to do about a failure is decided by whoever asks. */
export class HttpsCaller {
  readonly #agent: Agent;
  readonly #timeout: number;

  constructor({ ca, sockets, timeoutSeconds }: HttpsOptions) {
    this.#timeout = timeoutSeconds * 1000;
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets: sockets,
      ...(ca !== undefined && { ca: [...rootCertificates, readFileSync(ca, 'utf8')] }),
    });
  }

  /** Rejects with DeliveryError UNREACHABLE or ABORTED, or WRONG_HOST for good. The address of the request stays out of the text. */
  async send({ method, url, headers = {}, body }: HttpsRequest, signal: AbortSignal): Promise<HttpsAnswer> {
    const target = targetOf(url);
    const length = body === undefined ? (method === 'GET' ? undefined : 0) : Buffer.byteLength(body);
    try {
      return await new Promise<HttpsAnswer>((resolve, reject) => {
        const outgoing = request(
          target,
          {
            method,
            agent: this.#agent,
            signal,
            timeout: this.#timeout,
            headers: { ...headers, ...(length !== undefined && { 'Content-Length': length }) },
          },
          (answer) => {
            resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: answer });
          },
        );
        outgoing.once('timeout', () => {
          outgoing.destroy(new Error('no answer'));
        });
        outgoing.once('error', reject);
        outgoing.end(body);
      });
    } catch (error) {
      throw fromNetworkError(error, target.host, signal);
    }
  }

  /** The whole answer as text, UTF-8. */
  async text({ body, headers }: HttpsAnswer, signal: AbortSignal): Promise<string> {
    const parts: Buffer[] = [];
    let size = 0;
    try {
      for await (const part of body as AsyncIterable<Buffer>) {
        size += part.length;
        if (size > LONGEST_TEXT) throw new Error('the answer has no end');
        parts.push(part);
      }
    } catch (error) {
      throw fromNetworkError(error, `an answer of type ${headers['content-type'] ?? 'unknown'}`, signal);
    }
    return Buffer.concat(parts).toString('utf8');
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** A connection's error as ours. */
export function fromNetworkError(error: unknown, what: string, signal: AbortSignal): Error {
  if (signal.aborted) return new DeliveryError('ABORTED', what, { cause: error });
  if (isOurs(error)) return error;
  const detail = `${what}: ${String((error as { readonly message?: unknown } | null)?.message ?? error)}`;
  return isUntrusted(error)
    ? permanent('WRONG_HOST', detail, { cause: error })
    : new DeliveryError('UNREACHABLE', detail, { cause: error });
}

function targetOf(url: string): URL {
  const target = URL.canParse(url) ? new URL(url) : undefined;
  if (target?.protocol !== 'https:') throw permanent('MISCONFIGURED', 'only https:// addresses are called');
  return target;
}
