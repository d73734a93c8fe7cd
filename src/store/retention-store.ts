import { createHash } from 'node:crypto';
import type { Knex } from 'knex';
import type { DeletionOrder, HoldRow } from '../jobs/retention-orders.ts';
import type { DeletableRow, DeletionRun, RetentionStore } from '../jobs/retention-ports.ts';
import type { Day } from '../rules/retention.ts';
import type { Database } from './database.ts';
import { toRecording, type SqlRow } from './log-rows.ts';
import { answered } from './sql-error.ts';

/** What is due, what is held and what is being deleted, from the log in SQLite or PostgreSQL; each recorder sees its own. */
export class SqlRetentionStore implements RetentionStore {
  readonly #knex: Knex;
  readonly #node: string;

  constructor({ knex }: Database, options: { readonly node: string }) {
    this.#knex = knex;
    this.#node = options.node;
  }

  async due(day: Day, limit: number): Promise<readonly DeletableRow[]> {
    const query = this.#pastDay(day).whereNotExists(this.#inForce());
    return (await this.#rows(query.orderBy(['retain_until', 'id']).limit(limit).select('recordings.*'))).map(
      toDeletable,
    );
  }

  async countDue(day: Day): Promise<{ readonly due: number; readonly held: number }> {
    const count = async (query: Knex.QueryBuilder): Promise<number> =>
      Number((await this.#rows(query.count({ count: '*' })))[0]?.['count'] ?? 0);
    return {
      due: await count(this.#pastDay(day).whereNotExists(this.#inForce())),
      held: await count(this.#pastDay(day).whereExists(this.#inForce())),
    };
  }

  async begun(): Promise<readonly DeletableRow[]> {
    const query = this.#recordings()
      .whereIn('state', ['sealed', 'delivered'])
      .whereNotNull('deletion_begun_at')
      .orderBy(['deletion_begun_at', 'id']);
    return (await this.#rows(query.select('recordings.*'))).map(toDeletable);
  }

  async recording(id: string): Promise<DeletableRow | undefined> {
    const [row] = await this.#rows(this.#recordings().where({ id }).select('recordings.*'));
    return row === undefined ? undefined : toDeletable(row);
  }

  async holdsOver(recording: string): Promise<readonly HoldRow[]> {
    const query = this.#knex('holds')
      .join('held_recordings', 'held_recordings.hold', 'holds.id')
      .where({ 'held_recordings.recording': recording })
      .whereNull('holds.released_at')
      .orderBy('holds.placed_at')
      .select('holds.*');
    return (await this.#rows(query)).map(toHold);
  }

  async holds(): Promise<readonly (HoldRow & { readonly recordings: number })[]> {
    const query = this.#knex('holds')
      .where({ node: this.#node })
      .orderBy('placed_at', 'desc')
      .select(
        'holds.*',
        this.#knex('held_recordings').whereRaw('held_recordings.hold = holds.id').count('*').as('recordings'),
      );
    return (await this.#rows(query)).map((row) => ({
      ...toHold(row),
      recordings: Number(row['recordings']),
    }));
  }

  async hold(id: string): Promise<HoldRow | undefined> {
    const [row] = await this.#rows(this.#knex('holds').where({ node: this.#node, id }));
    return row === undefined ? undefined : toHold(row);
  }

  async heldBy(hold: string): Promise<readonly string[]> {
    const query = this.#knex('held_recordings').where({ hold }).orderBy('recording').select('recording');
    return (await this.#rows(query)).map((row) => String(row['recording']));
  }

  async lastRun(): Promise<DeletionRun | undefined> {
    const query = this.#knex('deletion_runs').where({ node: this.#node }).orderBy('id', 'desc').limit(1);
    const [row] = await this.#rows(query);
    if (row === undefined) return undefined;
    return {
      day: String(row['day']),
      at: Number(row['at']),
      outcome: String(row['outcome']),
      due: Number(row['due']),
      deleted: Number(row['deleted']),
      pending: Number(row['pending']),
    };
  }

  async putRun(run: DeletionRun): Promise<void> {
    await answered(this.#knex('deletion_runs').insert({ node: this.#node, ...run }));
  }

  #recordings(): Knex.QueryBuilder {
    return this.#knex('recordings').where('recordings.node', this.#node);
  }

  /** Past their last day, everywhere they should be, and not being deleted yet. */
  #pastDay(day: Day): Knex.QueryBuilder {
    const undelivered = this.#knex('deliveries')
      .whereRaw('deliveries.recording = recordings.id')
      .whereNot('deliveries.state', 'delivered');
    return this.#recordings()
      .whereIn('state', ['sealed', 'delivered'])
      .whereNotNull('retain_until')
      .andWhere('retain_until', '<', day)
      .whereNull('deletion_begun_at')
      .whereNotExists(undelivered);
  }

  #inForce(): Knex.QueryBuilder {
    return this.#knex('held_recordings')
      .join('holds', 'holds.id', 'held_recordings.hold')
      .whereRaw('held_recordings.recording = recordings.id')
      .whereNull('holds.released_at');
  }

  #rows(query: Knex.QueryBuilder): Promise<SqlRow[]> {
    return answered(query as PromiseLike<SqlRow[]>);
  }
}

const toDeletable = (row: SqlRow): DeletableRow => ({
  ...toRecording(row),
  ...(typeof row['deletion'] === 'string' && { deletion: JSON.parse(row['deletion']) as DeletionOrder }),
});

function toHold(row: SqlRow): HoldRow {
  const released = row['released_at'] !== null;
  return {
    id: String(row['id']),
    case: String(row['case']),
    reason: String(row['reason']),
    actor: String(row['actor']),
    placedAt: Number(row['placed_at']),
    // What an earlier version wrote stays as it is: the release must repeat it.
    caseHash:
      typeof row['case_hash'] === 'string'
        ? row['case_hash']
        : createHash('sha256').update(String(row['case'])).digest('hex'),
    ...(released && {
      releasedAt: Number(row['released_at']),
      releasedBy: String(row['released_by']),
      releaseReason: String(row['release_reason']),
    }),
  };
}
