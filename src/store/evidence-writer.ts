import type { Knex } from 'knex';
import type { EvidenceWriter, OpenOutage, StampRow, WitnessedRow } from '../jobs/evidence-ports.ts';
import type { FileRow } from '../jobs/ports.ts';
import type { SqlRow } from './log-rows.ts';
import { insertRows, placesFor, ROWS, rowsOf } from './row-inserts.ts';
import { answered } from './sql-error.ts';
import { StoreError } from './store-error.ts';

/** Changes to the evidence tables inside a transaction of `SqlLogStore.write`. Every method rejects with StoreError. */
export class TransactionEvidenceWriter implements EvidenceWriter {
  readonly #sql: Knex.Transaction;
  readonly #node: string;

  constructor(transaction: Knex.Transaction, node: string) {
    this.#sql = transaction;
    this.#node = node;
  }

  async putFile(origin: string, path: string, bytes: Buffer): Promise<void> {
    const there = await answered(
      this.#sql('evidence_files').where({ path }).first<SqlRow | undefined>('bytes'),
    );
    if (there !== undefined && !bytes.equals(there['bytes'] as Buffer))
      throw new StoreError('CONFLICT', `${path} is there with other bytes`);
    if (there === undefined) await answered(this.#sql('evidence_files').insert({ origin, path, bytes }));
  }

  async beginOutage({ cause, since }: OpenOutage): Promise<void> {
    const outage = { node: this.#node, cause, since };
    await answered(this.#sql('outages').insert(outage).onConflict(['node', 'cause', 'since']).ignore());
  }

  async endOutage({ cause, since }: OpenOutage): Promise<void> {
    await answered(this.#sql('outages').where({ node: this.#node, cause, since }).delete());
  }

  async takeOutages(): Promise<readonly OpenOutage[]> {
    const mine = { node: this.#node };
    const rows: readonly SqlRow[] = await answered(
      this.#sql('outages').where(mine).orderBy(['since', 'cause']).select<SqlRow[]>('cause', 'since'),
    );
    await answered(this.#sql('outages').where(mine).delete());
    return rows.map((row) => ({ cause: String(row['cause']), since: Number(row['since']) }));
  }

  async putTiles(origin: string, first: number, roots: readonly string[]): Promise<void> {
    const rows = roots.map((root, at) => ({ origin, tile: first + at, root }));
    for (let from = 0; from < rows.length; from += ROWS)
      await answered(
        this.#sql('log_tiles')
          .insert(rows.slice(from, from + ROWS))
          .onConflict(['origin', 'tile'])
          .ignore(),
      );
  }

  async markExported(origin: string, size: number): Promise<void> {
    await answered(this.#sql('checkpoints').where({ origin, size }).update({ exported: true }));
  }

  async putStamp({ origin, size, authority, dueAt }: StampRow): Promise<void> {
    await answered(
      this.#sql('stamps')
        .insert({ origin, size, authority, due_at: dueAt })
        .onConflict(['origin', 'size', 'authority'])
        .ignore(),
    );
  }

  async finishStamp({ origin, size, authority }: StampRow, at: number): Promise<void> {
    await answered(this.#sql('stamps').where({ origin, size, authority }).update({ done_at: at }));
  }

  async setWitnessed({ origin, size, root, at }: WitnessedRow, before: number): Promise<void> {
    const row = { node: this.#node, origin, size, root, at };
    const changed =
      before === 0
        ? await answered(
            this.#sql('witnessed').insert(row).onConflict(['node', 'origin']).ignore().returning('origin'),
          )
        : await answered(
            this.#sql('witnessed')
              .where({ node: this.#node, origin, size: before })
              .update(row)
              .returning('origin'),
          );
    if ((changed as readonly unknown[]).length !== 1)
      throw new StoreError('CONFLICT', `${origin} was not seen at ${before}`);
  }

  async addFiles(files: readonly FileRow[]): Promise<void> {
    const recordings = [...new Set(files.map(({ recording }) => recording))];
    const next = new Map<string, number>();
    for (let from = 0; from < recordings.length; from += ROWS)
      for (const row of await answered(lastPositions(this.#sql, recordings.slice(from, from + ROWS))))
        next.set(String(row['recording']), Number(row['last']) + 1);
    const rows = files.map((file) => {
      const position = next.get(file.recording) ?? 0;
      next.set(file.recording, position + 1);
      return { ...file, position };
    });
    await answered(insertRows(this.#sql, 'files', rows));
  }

  async setOpenIndex(id: string, index: number): Promise<void> {
    await answered(this.#sql('recordings').where({ id }).update({ open_index: index }));
  }
}

/** Where the files of recordings end; those without any are left out. Rejects with what the driver throws. */
const lastPositions = (sql: Knex, recordings: readonly string[]): Promise<readonly SqlRow[]> =>
  rowsOf(
    sql.raw(
      `SELECT "recording", max("position") AS "last" FROM "files" WHERE "recording" IN (${placesFor(recordings)}) GROUP BY "recording"`,
      [...recordings],
    ),
  );
