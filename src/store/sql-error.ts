import { codeOf, StoreError, type StoreErrorCode } from './store-error.ts';

/** First match decides. SQLite result codes, PostgreSQL SQLSTATE (its manual, appendix A), Node's network errors, knex. */
const TABLE: readonly (readonly [RegExp, StoreErrorCode])[] = [
  [/^SQLITE_CONSTRAINT/, 'CONFLICT'],
  [/^SQLITE_(CORRUPT|NOTADB)/, 'CORRUPT'],
  [/^SQLITE_(ERROR|MISMATCH|RANGE|TOOBIG|MISUSE)/, 'INVALID'],
  // Busy, locked, full, I/O error, cannot open, read-only: all pass when somebody repairs what is outside.
  [/^SQLITE_/, 'UNAVAILABLE'],
  [/^E[A-Z_]+$/, 'UNAVAILABLE'],
  [/^23...$/, 'CONFLICT'],
  [/^XX00[12]$/, 'CORRUPT'],
  // Connection, authorisation, rollback, resources, lock, shutdown, system, a standby that is still read-only.
  [/^(08|28|40|53|55|57|58)...$|^25006$/, 'UNAVAILABLE'],
  // Rights, tables, columns.
  [/^42(501|P01|703)$/, 'DENIED'],
  [/^[0-9A-Z]{5}$/, 'INVALID'],
];

/** Messages of the drivers that come without a code. */
const AWAY =
  /connection (terminated|ended|error|timeout)|not queryable|timeout acquiring|unable to acquire|aborted|destroyed/i;

/** What SQLite says of a table that is not there, with the code of any faulty statement. */
const NO_TABLE = /SQLITE_ERROR: no such (table|column)/;

/** Turns what knex and its drivers throw into a StoreError; StoreErrors stay as they are. */
export function toStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const code = codeOf(error);
  const message = (error as { readonly message?: unknown } | null | undefined)?.message;
  const text = typeof message === 'string' ? message : String(error);
  const known =
    code === ''
      ? undefined
      : NO_TABLE.test(text)
        ? 'DENIED'
        : TABLE.find(([pattern]) => pattern.test(code))?.[1];
  return new StoreError(known ?? (AWAY.test(text) ? 'UNAVAILABLE' : 'INVALID'), `database: ${text}`, {
    cause: error,
  });
}

/** What a query answers; what it throws comes as StoreError. */
export async function answered<T>(query: PromiseLike<T>): Promise<T> {
  try {
    return await query;
  } catch (error) {
    throw toStoreError(error);
  }
}
