import type { Knex } from 'knex';
import type { CopyRow, DeliveryRow, LogWriter } from '../jobs/ports.ts';
import { copyColumns, text } from './log-rows.ts';
import { insertRows, placesFor, rowsOf } from './row-inserts.ts';

/* Statements of finished deliveries, by hand: there are some for every recording, and knex would spend as much on their text as on running them. */

/** See `LogWriter.putCopies`. Rejects with what the driver throws, as all here. */
export const upsertCopies = (sql: Knex, copies: readonly CopyRow[]): Promise<void> =>
  insertRows(sql, 'copies', copies.map(copyColumns), { merge: ['recording', 'destination', 'name'] });

/** See `LogWriter.putDelivered`. */
export async function updateDelivered(
  sql: Knex,
  deliveries: Parameters<LogWriter['putDelivered']>[0],
  at: number,
): Promise<readonly Pick<DeliveryRow, 'recording' | 'destination'>[]> {
  if (deliveries.length === 0) return [];
  const found = await rowsOf(
    sql.raw(
      `UPDATE deliveries SET state = 'delivered', attempts = deliveries.attempts + 1, updated_at = ?, permanent = FALSE, due_at = 0,
       error = NULL, location = proved.location
     FROM (${deliveries.map(() => 'SELECT CAST(? AS TEXT) AS recording, CAST(? AS TEXT) AS destination, CAST(? AS TEXT) AS location').join(' UNION ALL ')}) AS proved
     WHERE deliveries.recording = proved.recording AND deliveries.destination = proved.destination AND deliveries.state <> 'delivered'
     RETURNING deliveries.recording, deliveries.destination`,
      [
        at,
        ...deliveries.flatMap(({ recording, destination, location }) => [
          recording,
          destination,
          text(location) ?? '',
        ]),
      ],
    ),
  );
  return found.map((row) => ({
    recording: String(row['recording']),
    destination: String(row['destination']),
  }));
}

/** See `LogWriter.completeDeliveries`. */
export async function updateComplete(sql: Knex, recordings: readonly string[]): Promise<readonly string[]> {
  if (recordings.length === 0) return [];
  const found = await rowsOf(
    sql.raw(
      `UPDATE recordings SET state = 'delivered'
     WHERE id IN (${placesFor(recordings)}) AND state IN ('sealed', 'delivered')
       AND NOT EXISTS (SELECT 1 FROM deliveries WHERE deliveries.recording = recordings.id AND deliveries.state <> 'delivered')
     RETURNING id`,
      recordings,
    ),
  );
  return found.map((row) => String(row['id']));
}
