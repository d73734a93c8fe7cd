import type { Knex } from 'knex';
import type { Sealable } from '../jobs/ports.ts';
import { decodeIntent } from './intent-json.ts';
import { toRecording, toRender, type SqlRow } from './log-rows.ts';
import { placesFor, rowsOf } from './row-inserts.ts';

/** Recordings with what a seal asks of them, in one statement. Rejects with what the driver throws. */
export async function sealableRows(
  sql: Knex,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Sealable>> {
  const rows = await rowsOf(
    sql.raw(
      `SELECT r.*, i."intent", n."outcome" AS "render_outcome", n."detail" AS "render_detail", n."file" AS "render_file", n."at" AS "render_at",
EXISTS (SELECT 1 FROM "log_entries" e WHERE e."recording" = r."id" AND e."type" = 'segment') AS "has_segments",
EXISTS (SELECT 1 FROM "recording_marks" m WHERE m."recording" = r."id") AS "has_marks",
EXISTS (SELECT 1 FROM "announced") AS "any_announced"
FROM "recordings" r LEFT JOIN "seal_intents" i ON i."recording" = r."id" LEFT JOIN "renders" n ON n."recording" = r."id"
WHERE r."id" IN (${placesFor(ids)})`,
      [...ids],
    ),
  );
  return new Map(rows.map((row) => [String(row['id']), toSealable(row)]));
}

function toSealable(row: SqlRow): Sealable {
  const intent = row['intent'];
  return {
    row: toRecording(row),
    ...(typeof intent === 'string' && { intent: decodeIntent(intent) }),
    ...(row['render_outcome'] !== null && { render: toRender(renderIn(row)) }),
    hasSegments: Boolean(row['has_segments']),
    hasMarks: Boolean(row['has_marks']),
    mayHaveAnnounced: Boolean(row['any_announced']),
  };
}

const renderIn = (row: SqlRow): SqlRow => ({
  recording: row['id'],
  outcome: row['render_outcome'],
  detail: row['render_detail'],
  file: row['render_file'],
  at: row['render_at'],
});
