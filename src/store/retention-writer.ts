import type { Knex } from 'knex';
import type { DeletionOrder, HoldRow, RetentionWriter } from '../jobs/retention-orders.ts';
import type { Day } from '../rules/retention.ts';
import { text } from './log-rows.ts';
import { answered } from './sql-error.ts';
import { StoreError } from './store-error.ts';

/** What is left of a recording's description and facts: nothing that leads to a person. */
const FORGOTTEN = {
  description: {
    direction: 'unknown',
    directionSource: 'deleted',
    caller: { source: 'deleted' },
    callee: { source: 'deleted' },
    participants: [],
    channelSource: 'deleted',
    metadataStatus: 'absent',
    warnings: [],
  },
  facts: { callId: '', trunk: '', transport: '', remoteAddress: '', remotePort: 0 },
};

/** Deletions, holds and days inside one transaction of the log. Every method rejects with StoreError. */
export class SqlRetentionWriter implements RetentionWriter {
  readonly #sql: Knex.Transaction;
  readonly #node: string;

  constructor(transaction: Knex.Transaction, node: string) {
    this.#sql = transaction;
    this.#node = node;
  }

  async beginDeletion(recording: string, order: DeletionOrder, at: number): Promise<void> {
    await this.#change(recording, { deletion: JSON.stringify(order), deletion_begun_at: at });
  }

  async expireRecording(recording: string, at: number): Promise<void> {
    await this.#change(recording, {
      state: 'expired',
      direction: 'unknown',
      caller_name: null,
      caller_number: null,
      callee_name: null,
      callee_number: null,
      call_id: '',
      pbx_call_id: null,
      trunk: '',
      file_name: null,
      decision: null,
      capture: null,
      stopped: null,
      description: JSON.stringify(FORGOTTEN.description),
      facts: JSON.stringify(FORGOTTEN.facts),
    });
    await answered(this.#sql('participants').where({ recording }).delete());
    await answered(this.#sql('recording_links').where({ recording }).delete());
    await answered(this.#sql('recording_marks').where({ recording }).delete());
    await answered(this.#sql('announced').where({ recording }).delete());
    await answered(this.#sql('steps').where({ recording }).andWhere('at', '<', at).update({ detail: null }));
    await answered(this.#sql('deliveries').where({ recording }).update({ location: null, error: null }));
    await this.#forgetNames(recording);
  }

  async putHold(hold: HoldRow, recordings: readonly string[]): Promise<void> {
    await answered(
      this.#sql('holds')
        .insert({
          id: hold.id,
          node: this.#node,
          case: text(hold.case),
          reason: text(hold.reason),
          actor: text(hold.actor),
          placed_at: hold.placedAt,
          case_hash: hold.caseHash,
        })
        .onConflict(['id'])
        .ignore(),
    );
    await answered(
      this.#sql('held_recordings')
        .insert(recordings.map((recording) => ({ hold: hold.id, recording })))
        .onConflict(['hold', 'recording'])
        .ignore(),
    );
  }

  async releaseHold(
    id: string,
    release: { readonly at: number; readonly actor: string; readonly reason: string },
  ): Promise<void> {
    await answered(
      this.#sql('holds')
        .where({ id })
        .update({
          released_at: release.at,
          released_by: text(release.actor),
          release_reason: text(release.reason),
        }),
    );
  }

  async setRetainUntil(recording: string, until: Day): Promise<void> {
    await this.#change(recording, { retain_until: until });
  }

  /** The names of files carry numbers; hashes and sizes stay, under names that say only which file it was. */
  async #forgetNames(recording: string): Promise<void> {
    const rename = async (table: 'files' | 'copies', columns: Record<string, string>): Promise<void> => {
      const rows = await answered(
        this.#sql(table).where('recording', recording).distinct<{ name: string }[]>('name'),
      );
      for (const [at, { name }] of rows.sort((a, b) => (a.name < b.name ? -1 : 1)).entries())
        await answered(
          this.#sql(table)
            .where({ recording, name })
            .update({ ...columns, name: `deleted-${at + 1}${/\.[A-Za-z0-9]+$/.exec(name)?.[0] ?? ''}` }),
        );
    };
    await rename('files', {});
    await rename('copies', { path: '', location: '' });
  }

  async #change(id: string, columns: Record<string, unknown>): Promise<void> {
    const changed = await answered(this.#sql('recordings').where({ id }).update(columns));
    if (changed !== 1) throw new StoreError('MISSING', `no recording ${id}`);
  }
}
