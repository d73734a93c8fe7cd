export type WebErrorCode =
  | 'NOT_LOOPBACK'
  | 'ADDRESS_IN_USE'
  | 'ADDRESS_UNAVAILABLE'
  | 'BAD_HOST'
  | 'CROSS_SITE'
  | 'BAD_REQUEST'
  | 'INVALID'
  | 'UNAUTHORIZED'
  | 'NOT_ALLOWED'
  | 'NOT_FOUND'
  | 'CONFLICT'
  | 'TOO_LARGE'
  | 'BAD_RANGE'
  | 'DATABASE_AWAY'
  | 'QUEUES_AWAY'
  | 'INTERNAL';

export interface WebFault {
  /** For example `body.rules.0.name`. */
  readonly path: string;
  readonly message: string;
}

/** What goes wrong at start or with one request. The message is shown to people and never holds anything secret. */
export class WebError extends Error {
  override readonly name = 'WebError';
  readonly code: WebErrorCode;
  /** What is wrong with a request, each with its place. */
  readonly faults: readonly WebFault[] | undefined;

  constructor(
    code: WebErrorCode,
    message: string,
    options?: ErrorOptions & { readonly faults?: readonly WebFault[] },
  ) {
    super(message, options);
    this.code = code;
    this.faults = options?.faults;
  }
}

/** HTTP status of each code; the first three only happen before there is anyone to answer. */
export const STATUS: Readonly<Record<WebErrorCode, number>> = {
  NOT_LOOPBACK: 500,
  ADDRESS_IN_USE: 500,
  ADDRESS_UNAVAILABLE: 500,
  BAD_HOST: 421,
  CROSS_SITE: 403,
  BAD_REQUEST: 400,
  INVALID: 400,
  UNAUTHORIZED: 401,
  NOT_ALLOWED: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  TOO_LARGE: 413,
  BAD_RANGE: 416,
  DATABASE_AWAY: 503,
  QUEUES_AWAY: 503,
  INTERNAL: 500,
};

const AWAY: ReadonlySet<unknown> = new Set(['UNAVAILABLE', 'DENIED']);

/** Any error as one of ours: fastify's own 4xx keep their sense, everything unknown says nothing about itself. */
export function toWebError(error: unknown): WebError {
  if (error instanceof WebError) return error;
  const { name, code } = (error ?? {}) as { readonly name?: unknown; readonly code?: unknown };
  if (name === 'SiprecError') return new WebError('INVALID', (error as Error).message, { cause: error });
  if (name === 'StoreError' && AWAY.has(code))
    return new WebError('DATABASE_AWAY', 'The database does not answer. Calls are recorded nevertheless.', {
      cause: error,
    });
  const status = (error as { readonly statusCode?: unknown } | null)?.statusCode;
  if (status === 404) return new WebError('NOT_FOUND', 'There is nothing at this address.', { cause: error });
  if (status === 413) return new WebError('TOO_LARGE', 'The request is too large.', { cause: error });
  if (typeof status === 'number' && status >= 400 && status < 500)
    return new WebError('BAD_REQUEST', 'The request cannot be understood.', { cause: error });
  return new WebError('INTERNAL', 'Something went wrong here. The log of the server says what.', {
    cause: error,
  });
}
