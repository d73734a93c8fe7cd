export type WebErrorCode =
  | 'NOT_LOOPBACK'
  | 'ADDRESS_IN_USE'
  | 'ADDRESS_UNAVAILABLE'
  | 'BAD_HOST'
  | 'CROSS_SITE'
  | 'BAD_REQUEST'
  | 'NOT_FOUND'
  | 'DATABASE_AWAY'
  | 'QUEUES_AWAY'
  | 'INTERNAL';

/** What goes wrong at start or with one request. The message is shown to people and never holds anything secret. */
export class WebError extends Error {
  override readonly name = 'WebError';
  readonly code: WebErrorCode;

  constructor(code: WebErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
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
  NOT_FOUND: 404,
  DATABASE_AWAY: 503,
  QUEUES_AWAY: 503,
  INTERNAL: 500,
};

/** Any error as one of ours: fastify's own 4xx keep their sense, everything unknown says nothing about itself. */
export function toWebError(error: unknown): WebError {
  if (error instanceof WebError) return error;
  const status = (error as { readonly statusCode?: unknown } | null)?.statusCode;
  if (status === 404) return new WebError('NOT_FOUND', 'There is nothing at this address.', { cause: error });
  if (typeof status === 'number' && status >= 400 && status < 500)
    return new WebError('BAD_REQUEST', 'The request cannot be understood.', { cause: error });
  return new WebError('INTERNAL', 'Something went wrong here. The log of the server says what.', {
    cause: error,
  });
}
