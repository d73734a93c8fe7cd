import type { Knex } from 'knex';
import type { MarkRow } from '../jobs/log-records.ts';
import { text, type SqlRow } from './log-rows.ts';

/** Marks of one recording; a client that changes its mind for ever adds no more. */
const MOST = 1000;

/** Adds a mark behind those there are. Rejects with what the driver throws. */
export async function insertMark(sql: Knex, recording: string, mark: MarkRow): Promise<void> {
  const [last] = await sql('recording_marks').where({ recording }).max<SqlRow[]>({ last: 'position' });
  const position = Number(last?.['last'] ?? -1) + 1;
  if (position >= MOST) return;
  const { at, kind, source, detail } = mark;
  await sql('recording_marks').insert({
    recording,
    position,
    at,
    kind,
    source: text(source),
    detail: text(detail),
  });
}

/** In order. Rejects with what the driver throws. */
export async function marksOf(sql: Knex, recording: string): Promise<readonly MarkRow[]> {
  const rows = (await sql('recording_marks').where({ recording }).orderBy('position')) as SqlRow[];
  return rows.map((row) => ({
    at: Number(row['at']),
    kind: String(row['kind']),
    source: String(row['source']),
    ...(typeof row['detail'] === 'string' ? { detail: row['detail'] } : {}),
  }));
}
