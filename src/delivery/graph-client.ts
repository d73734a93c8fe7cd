import { setTimeout as delay } from 'node:timers/promises';
import { DeliveryError, deliveryError, isOurs, type DeliveryErrorCode } from './delivery-error.ts';
import { GraphLogin, type GraphAccount } from './graph-login.ts';
import { HttpsCaller, type HttpsAnswer, type HttpsOptions, type HttpsRequest } from './https-caller.ts';

/** Longest time that a call waits because the service asked for it, in milliseconds; beyond it the queue comes back later. */
const PATIENCE = 60_000;
/** Where the service does not say how long. */
const BREATH = 5000;
const TRIES = 4;

/** A request below the address of the API, or to one that the API has given. */
export interface GraphRequest {
  readonly method: HttpsRequest['method'];
  /** `/drives/…`, or a whole address. */
  readonly at: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON. */
  readonly body?: Uint8Array | object;
  /** Addresses of uploads and downloads carry their own permission, and refuse a token. */
  readonly bare?: boolean;
}

/** What the service said when it did not do what was asked; see `fromGraphError`. */
export class GraphRefusal extends Error {
  override readonly name = 'GraphRefusal';
  readonly status: number;
  /** The service's word, for example `itemNotFound`. */
  readonly code: string;

  constructor(status: number, code: string, text: string) {
    super(`${status} ${code}${text === '' ? '' : `: ${text}`}`);
    this.status = status;
    this.code = code;
  }
}

/** Microsoft Graph, or the service of a national cloud, with the token, the renewing of it, and the obedience to throttling. */
export class GraphClient {
  readonly #caller: HttpsCaller;
  readonly #login: GraphLogin;
  readonly #root: string;
  /** Epoch milliseconds before which the service wants to hear nothing. */
  #quietUntil = 0;

  constructor(account: GraphAccount, options: HttpsOptions) {
    this.#caller = new HttpsCaller(options);
    this.#login = new GraphLogin(account, this.#caller);
    this.#root = `${account.graph}/v1.0`;
  }

  /** The JSON of the answer. Rejects with GraphRefusal, or with an error of ours. */
  async ask(request: GraphRequest, signal: AbortSignal): Promise<unknown> {
    const answer = await this.call(request, signal);
    const text = await this.#caller.text(answer, signal);
    if (text === '') return undefined;
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new DeliveryError('UNREACHABLE', `an answer that is not JSON (${answer.status})`, {
        cause: error,
      });
    }
  }

  /** An answer below 400, whose body is the caller's to read. */
  async call(request: GraphRequest, signal: AbortSignal): Promise<HttpsAnswer> {
    let renewed = false;
    for (let tries = 1; ; tries += 1) {
      await this.#keepQuiet(signal);
      const answer = await this.#send(request, signal);
      if (answer.status < 400) return answer;
      const refusal = refusalOf(answer.status, await this.#caller.text(answer, signal));
      if (answer.status === 429 || answer.status === 503) {
        this.#beQuiet(answer.headers['retry-after']);
        if (tries < TRIES) continue;
      }
      if (answer.status !== 401 || renewed || request.bare === true) throw refusal;
      renewed = true;
      await this.#login.token(true);
    }
  }

  close(): void {
    this.#caller.close();
  }

  async #send(
    { method, at, headers = {}, body, bare = false }: GraphRequest,
    signal: AbortSignal,
  ): Promise<HttpsAnswer> {
    const url = at.startsWith('/') ? `${this.#root}${at}` : at;
    const token = bare ? undefined : await this.#login.token();
    signal.throwIfAborted();
    const json = body !== undefined && !(body instanceof Uint8Array);
    return this.#caller.send(
      {
        method,
        url,
        headers: {
          Accept: 'application/json',
          ...(json && { 'Content-Type': 'application/json' }),
          ...headers,
          ...(token !== undefined && { Authorization: `Bearer ${token}` }),
        },
        body: json ? JSON.stringify(body) : body,
      },
      signal,
    );
  }

  #beQuiet(retryAfter: string | undefined): void {
    this.#quietUntil = Math.max(this.#quietUntil, Date.now() + waitOf(retryAfter));
  }

  /** Nobody sends anything while the service wants to be left alone: what is sent all the same counts against us. */
  async #keepQuiet(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const left = this.#quietUntil - Date.now();
      if (left <= 0) return;
      if (left > PATIENCE)
        throw new DeliveryError('THROTTLED', `the service wants ${Math.ceil(left / 1000)} s of quiet`);
      await delay(left, undefined, { signal });
    }
  }
}

/** Milliseconds of a Retry-After header: seconds, or a date (RFC 9110 §10.2.3). */
function waitOf(header: string | undefined): number {
  if (header === undefined) return BREATH;
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? BREATH : Math.max(0, date - Date.now());
}

function refusalOf(status: number, text: string): GraphRefusal {
  try {
    const { error } = JSON.parse(text) as {
      readonly error?: {
        readonly code?: string;
        readonly message?: string;
        readonly innerError?: Readonly<Record<string, unknown>>;
      };
    };
    const request = error?.innerError?.['request-id'];
    const trail = typeof request === 'string' ? ` (request ${request})` : '';
    return new GraphRefusal(status, error?.code ?? '', `${error?.message ?? ''}${trail}`);
  } catch {
    return new GraphRefusal(status, '', '');
  }
}

const CODES: Readonly<Record<string, DeliveryErrorCode>> = {
  quotaLimitReached: 'QUOTA',
  insufficientStorage: 'QUOTA',
  activityLimitReached: 'THROTTLED',
  serviceNotAvailable: 'THROTTLED',
  accessDenied: 'DENIED',
  unauthenticated: 'DENIED',
  InvalidAuthenticationToken: 'DENIED',
  nameAlreadyExists: 'MOVED',
  resourceModified: 'MOVED',
  resourceLocked: 'MOVED',
  notSupported: 'UNSUPPORTED',
  pathIsTooLong: 'BAD_PATH',
  pathTooLong: 'BAD_PATH',
};

const STATUSES: Readonly<Record<number, DeliveryErrorCode>> = {
  401: 'DENIED',
  403: 'DENIED',
  404: 'MOVED',
  409: 'MOVED',
  412: 'MOVED',
  423: 'MOVED',
  429: 'THROTTLED',
  503: 'THROTTLED',
  507: 'QUOTA',
};

/** Any error as ours. */
export function fromGraphError(error: unknown, what: string, signal: AbortSignal): Error {
  if (signal.aborted) return new DeliveryError('ABORTED', what, { cause: error });
  if (isOurs(error)) return error;
  if (!(error instanceof GraphRefusal))
    return new DeliveryError('UNREACHABLE', `${what}: ${String(error)}`, { cause: error });
  const code = CODES[error.code] ?? STATUSES[error.status] ?? 'UNREACHABLE';
  return deliveryError(code, `${what}: ${error.message}`, { cause: error });
}
