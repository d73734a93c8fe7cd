/**
 * `UNAVAILABLE`: database away, busy or out of space; the same call will succeed later. `DENIED`: the recorder lacks a right, a table or a
 * column there: it will succeed when somebody has mended that, and was no fault of what was to be written. `CONFLICT`: the place is taken or the
 * row is in another state. `MISSING`: no such row. `CORRUPT`: what is stored cannot be read. `INVALID`: the database refuses
 * the value or the statement for good. `DISK`: a file operation failed. `DIFFERENT`: a file that is created once is there
 * with other bytes. `LOCKED`: another process has the data directory. The others say it themselves.
 */
export type StoreErrorCode =
  | 'UNAVAILABLE'
  | 'DENIED'
  | 'CONFLICT'
  | 'MISSING'
  | 'CORRUPT'
  | 'INVALID'
  | 'DISK'
  | 'DIFFERENT'
  | 'LOCKED'
  | 'KEYS_DAMAGED'
  | 'KEYS_LOCKED'
  | 'KEYS_NOT_MADE'
  | 'REDIS_MISSING'
  | 'REDIS_FAILED'
  | 'CLOSED';

/** What can go wrong with anything that is kept: database, files, keys, the Redis child. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, detail: string, options?: ErrorOptions) {
    super(`${code}: ${detail}`, options);
    this.code = code;
  }
}

/** The message of an error without the code in front of it. */
export const reasonOf = (error: unknown): string =>
  String((error as { readonly message?: unknown } | null)?.message ?? error).replace(/^[A-Z][A-Z_]+: /, '');

/** Code of a Node or SQL error; '' when it has none. Not `instanceof Error`: errors may come from another realm. */
export const codeOf = (error: unknown): string => {
  const code = (error as { readonly code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : '';
};
