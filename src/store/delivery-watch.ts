import type { DeliveryStanding, DeliveryTrouble } from '../jobs/delivery-standing.ts';
import type { DeliveryWatchStore, FailedDeliveries } from '../jobs/watch-deliveries.ts';
import type { Database } from './database.ts';
import type { SqlRow } from './log-rows.ts';
import { answered } from './sql-error.ts';

/** How deliveries stand, from the log in SQLite or PostgreSQL; each recorder sees its own. Rejects with StoreError. */
export class SqlDeliveryWatch implements DeliveryWatchStore {
  readonly #database: Database;
  readonly #node: string;

  constructor(database: Database, options: { readonly node: string }) {
    this.#database = database;
    this.#node = options.node;
  }

  async standings(): Promise<readonly DeliveryStanding[]> {
    const { knex } = this.#database;
    const count = (condition: string, name: string): ReturnType<typeof knex.raw> =>
      knex.raw(`sum(case when ${condition} then 1 else 0 end) as ${name}`);
    const rows = await answered(
      this.#ofNode()
        .whereIn('deliveries.state', ['waiting', 'failed'])
        .groupBy('deliveries.destination')
        .select<SqlRow[]>(
          'deliveries.destination',
          count("deliveries.state = 'waiting'", 'waiting'),
          count("deliveries.state = 'failed'", 'failed'),
          count("deliveries.state = 'failed' and deliveries.permanent", 'permanent'),
          knex.raw('min(deliveries.waiting_since) as oldest'),
        ),
    );
    return Promise.all(rows.map((row) => this.#standing(row)));
  }

  async troubles(): Promise<readonly DeliveryTrouble[]> {
    const rows = await answered(
      this.#database.knex<SqlRow, SqlRow[]>('delivery_troubles').where({ node: this.#node }),
    );
    return rows.map((row) => ({
      destination: String(row['destination']),
      since: Number(row['since']),
      ...(row['told_at'] !== null && { toldAt: Number(row['told_at']) }),
      ...(row['recovering_since'] !== null && { recoveringSince: Number(row['recovering_since']) }),
    }));
  }

  async putTrouble({ destination, since, toldAt, recoveringSince }: DeliveryTrouble): Promise<void> {
    const times = { since, told_at: toldAt ?? null, recovering_since: recoveringSince ?? null };
    await answered(
      this.#database
        .knex('delivery_troubles')
        .insert({ node: this.#node, destination, ...times })
        .onConflict(['node', 'destination'])
        .merge(),
    );
  }

  async dropTrouble(destination: string): Promise<void> {
    await answered(
      this.#database.knex('delivery_troubles').where({ node: this.#node, destination }).delete(),
    );
  }

  async deliveredSince(destination: string, since: number): Promise<number> {
    const rows = await answered(
      this.#ofNode()
        .where('deliveries.destination', destination)
        .where('deliveries.state', 'delivered')
        .where('deliveries.updated_at', '>=', since)
        .count<SqlRow[]>({ count: '*' }),
    );
    return Number(rows[0]?.['count'] ?? 0);
  }

  async askAnew({ destination, recording }: FailedDeliveries): Promise<number> {
    const { knex } = this.#database;
    const query = knex('deliveries')
      .where('state', 'failed')
      .whereIn('recording', knex('recordings').where({ node: this.#node }).select('id'));
    if (destination !== undefined) void query.andWhere({ destination });
    if (recording !== undefined) void query.andWhere({ recording });
    return answered(query.update({ state: 'waiting', permanent: false, error: null, due_at: 0 }));
  }

  async #standing(row: SqlRow): Promise<DeliveryStanding> {
    const destination = String(row['destination']);
    const newest = await answered(
      this.#ofNode()
        .where({ 'deliveries.destination': destination, 'deliveries.state': 'failed' })
        .orderBy('deliveries.updated_at', 'desc')
        .limit(1)
        .select<SqlRow[]>('deliveries.error', 'deliveries.updated_at'),
    );
    const error = newest[0]?.['error'];
    const failedAt = newest[0]?.['updated_at'];
    return {
      destination,
      waiting: Number(row['waiting']),
      failed: Number(row['failed']),
      permanent: Number(row['permanent']),
      oldestSince: Number(row['oldest']),
      ...(typeof error === 'string' && { lastError: error }),
      ...(failedAt !== undefined && { lastFailureAt: Number(failedAt) }),
    };
  }

  #ofNode() {
    return this.#database
      .knex('deliveries')
      .join('recordings', 'recordings.id', 'deliveries.recording')
      .where('recordings.node', this.#node);
  }
}
