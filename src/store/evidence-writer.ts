import type { Knex } from 'knex';
import type { EvidenceWriter, OpenOutage, StampRow, WitnessedRow } from '../jobs/evidence-ports.ts';
import type { FileRow } from '../jobs/ports.ts';
import type { SqlRow } from './log-rows.ts';
import { answered } from './sql-error.ts';
import { StoreError } from './store-error.ts';

/** SQLite takes 500 rows in one INSERT. */
const ROWS = 100;

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
    for (const file of files) {
      const newest = this.#sql('files').where({ recording: file.recording }).orderBy('position', 'desc');
      const last = await answered(newest.first<SqlRow | undefined>('position'));
      const position = Number(last?.['position'] ?? -1) + 1;
      await answered(this.#sql('files').insert({ ...file, position }));
    }
  }

  async setOpenIndex(id: string, index: number): Promise<void> {
    await answered(this.#sql('recordings').where({ id }).update({ open_index: index }));
  }
}
