import type { Knex } from 'knex';
import type { ChainHead, RecordingState } from '../jobs/ports.ts';
import { headColumns } from './log-rows.ts';
import { rowsOf } from './row-inserts.ts';

/** Columns of `recordings` that go with a change of state, and their types: PostgreSQL takes the values of a list for text. */
const TYPES = {
  ended_at: 'double precision',
  end_reason: 'text',
  status: 'text',
  capture: 'text',
  sealed_at: 'double precision',
  file_name: 'text',
  entry_index: 'bigint',
  retain_profile: 'text',
  retain_until: 'text',
} as const;

type Columns = Readonly<Partial<Record<keyof typeof TYPES, string | number | null>>>;

/** From one state to the next; all of a kind have the same columns. A status that is NULL stays what it was. */
export interface StateMove {
  readonly id: string;
  readonly columns: Columns;
}

/** Recordings of one statement. */
const MOST = 64;

/** Moves recordings on together, and resolves with those that were in the state `from`. Rejects with what the driver throws. */
export async function moveStates(
  sql: Knex,
  states: { readonly from: RecordingState; readonly to: RecordingState },
  moves: readonly StateMove[],
): Promise<ReadonlySet<string>> {
  const moved = new Set<string>();
  for (let from = 0; from < moves.length; from += MOST)
    for (const row of await moveSome(sql, states, moves.slice(from, from + MOST)))
      moved.add(String(row['id']));
  return moved;
}

async function moveSome(
  sql: Knex,
  { from, to }: Parameters<typeof moveStates>[1],
  moves: readonly StateMove[],
): ReturnType<typeof rowsOf> {
  const names = Object.keys(moves[0]?.columns ?? {}) as (keyof typeof TYPES)[];
  const set = names.map((name, at) => {
    const value = `CAST(v.column${at + 2} AS ${TYPES[name]})`;
    return `"${name}" = ${name === 'status' ? `coalesce(${value}, "recordings"."status")` : value}`;
  });
  const places = `(${['?', ...names.map(() => '?')].join(', ')})`;
  const values = moves.flatMap(({ id, columns }) => [id, ...names.map((name) => columns[name] ?? null)]);
  return rowsOf(
    sql.raw(
      `UPDATE "recordings" SET "state" = '${to}', ${set.join(', ')} FROM (VALUES ${moves.map(() => places).join(', ')}) AS v ` +
        `WHERE "recordings"."id" = v.column1 AND "recordings"."state" = '${from}' RETURNING "id"`,
      values as Knex.RawBinding[],
    ),
  );
}

/** Moves the head of a log on from where it must be; false when it is not there. Rejects with what the driver throws. */
export async function moveHead(
  sql: Knex,
  { origin, size, prev }: { readonly origin: string; readonly size: number; readonly prev: string },
  to: ChainHead,
): Promise<boolean> {
  const columns = headColumns(to);
  const moved = await rowsOf(
    sql.raw(
      'UPDATE "log_heads" SET "size" = ?, "prev" = ?, "frontier" = ?, "last_recording" = ? ' +
        'WHERE "origin" = ? AND "size" = ? AND "prev" = ? RETURNING "origin"',
      [columns.size, columns.prev, columns.frontier, columns.last_recording, ...[origin, size, prev]],
    ),
  );
  return moved.length === 1;
}
