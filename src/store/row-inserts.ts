import type { Knex } from 'knex';
import type { SqlRow } from './log-rows.ts';

/** Rows of one INSERT. SQLite takes 500; how many participants there are is up to the client. */
export const ROWS = 100;

export interface InsertOptions {
  /** Rows that are there already by these columns are left alone. */
  readonly unless?: readonly string[];
  /** Of rows that are there already by these columns the others are changed. */
  readonly merge?: readonly string[];
}

/**
 * Inserts rows of one table, a hundred at a time; a column that a row does not have is NULL. Written by hand, since knex spends as much on the text
 * of a long INSERT as the database on its rows. Rejects with what the driver throws.
 */
export async function insertRows(
  sql: Knex,
  table: string,
  rows: readonly SqlRow[],
  options: InsertOptions = {},
): Promise<void> {
  if (rows.length === 0) return;
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const places = `(${columns.map(() => '?').join(', ')})`;
  const otherwise = conflictClause(columns, options);
  for (let from = 0; from < rows.length; from += ROWS) {
    const some = rows.slice(from, from + ROWS);
    const values: Knex.RawBinding[] = [];
    for (const row of some)
      for (const column of columns) values.push((row[column] ?? null) as Knex.RawBinding);
    const all = some.map(() => places).join(', ');
    await sql.raw(`INSERT INTO "${table}" (${quoted(columns)}) VALUES ${all}${otherwise}`, values);
  }
}

function conflictClause(columns: readonly string[], { unless, merge }: InsertOptions): string {
  if (unless !== undefined) return ` ON CONFLICT (${quoted(unless)}) DO NOTHING`;
  if (merge === undefined) return '';
  const changes = columns.filter((column) => !merge.includes(column));
  return ` ON CONFLICT (${quoted(merge)}) DO UPDATE SET ${changes.map((column) => `"${column}" = excluded."${column}"`).join(', ')}`;
}

const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');

/** What a statement written by hand answers: the drivers do not agree on how. Rejects with what the driver throws. */
export async function rowsOf(answer: PromiseLike<unknown>): Promise<readonly SqlRow[]> {
  const result = (await answer) as readonly SqlRow[] | { readonly rows: readonly SqlRow[] };
  return 'rows' in result ? result.rows : result;
}

/** Places for a list of values: `?, ?, ?`. */
export const placesFor = (values: readonly unknown[]): string => values.map(() => '?').join(', ');
