import type { Knex } from 'knex';
import type { LogWriter, SealIntent } from '../jobs/ports.ts';
import { linkAnnounced } from './announced-rows.ts';
import { encodeIntent } from './intent-json.ts';
import { verdictColumns, type SqlRow } from './log-rows.ts';
import { insertRows, placesFor, rowsOf } from './row-inserts.ts';
import { answered } from './sql-error.ts';
import { moveStates } from './state-moves.ts';
import { StoreError } from './store-error.ts';

type Seal = Parameters<LogWriter['sealRecording']>[1];

/**
 * What seals write in one transaction: their intents, later the sealed recordings. Collected and written together for all that share the
 * transaction, since a statement costs far more than a row.
 */
export class SealedRows {
  readonly #sql: Knex.Transaction;
  readonly #node: string;
  readonly #seals = new Map<string, Seal>();
  #intents: SealIntent[] = [];
  #dropped: string[] = [];

  constructor(transaction: Knex.Transaction, node: string) {
    this.#sql = transaction;
    this.#node = node;
  }

  /** Whether something of the recording is not written yet. */
  concerns(id: string): boolean {
    return this.#seals.has(id);
  }

  seal(id: string, seal: Seal): void {
    this.#seals.set(id, seal);
  }

  putIntent(intent: SealIntent): void {
    this.#intents.push(intent);
  }

  dropIntent(recording: string): void {
    this.#dropped.push(recording);
  }

  /** Rejects with StoreError. */
  async flush(): Promise<void> {
    const intents = this.#intents;
    const dropped = this.#dropped;
    const seals = new Map(this.#seals);
    this.#intents = [];
    this.#dropped = [];
    this.#seals.clear();
    if (intents.length > 0) await answered(this.#insertIntents(intents));
    if (seals.size > 0) await answered(this.#sealAll(seals));
    if (dropped.length > 0)
      await answered(
        this.#sql.raw(`DELETE FROM "seal_intents" WHERE "recording" IN (${placesFor(dropped)})`, dropped),
      );
  }

  async #insertIntents(intents: readonly SealIntent[]): Promise<void> {
    const encoded = intents.map((intent) => [intent.recording, encodeIntent(intent)] as const);
    const values = encoded.flatMap(([recording, text], at) => [
      recording,
      this.#node,
      intents[at]?.at ?? 0,
      text,
    ]);
    const inserted = await rowsOf(
      this.#sql.raw(
        `INSERT INTO "seal_intents" ("recording", "node", "at", "intent") VALUES ${intents.map(() => '(?, ?, ?, ?)').join(', ')} ` +
          'ON CONFLICT ("recording") DO NOTHING RETURNING "recording"',
        values,
      ),
    );
    if (inserted.length === intents.length) return;
    const known = await this.#sql('seal_intents')
      .whereIn(
        'recording',
        intents.map(({ recording }) => recording),
      )
      .select<SqlRow[]>('recording', 'intent');
    const stored = new Map(known.map((row) => [row['recording'], row['intent']]));
    for (const [recording, text] of encoded)
      if (stored.get(recording) !== text)
        throw new StoreError('CONFLICT', `${recording} has an unfinished seal`);
  }

  async #sealAll(seals: ReadonlyMap<string, Seal>): Promise<void> {
    const moves = [...seals].map(([id, { at, fileName, entryIndex, kept, status }]) => ({
      id,
      columns: {
        sealed_at: at,
        status: status ?? null,
        file_name: fileName,
        entry_index: entryIndex,
        retain_profile: kept?.profile ?? null,
        retain_until: kept?.until ?? null,
      },
    }));
    const moved = await moveStates(this.#sql, { from: 'ended', to: 'sealed' }, moves);
    for (const [id, seal] of seals) if (!moved.has(id)) await this.#requireDone(id, seal);
    const fresh = [...seals].filter(([id]) => moved.has(id));
    const files = fresh.flatMap(([id, seal]) =>
      seal.files.map((file, position) => ({ ...file, recording: id, position })),
    );
    await insertRows(this.#sql, 'files', files);
    const verdicts = fresh.flatMap(([id, seal]) =>
      (seal.verdicts ?? []).map((verdict) => verdictColumns(id, verdict)),
    );
    await insertRows(this.#sql, 'leg_verdicts', verdicts);
    for (const [id, { announced }] of fresh) await linkAnnounced(this.#sql, id, announced ?? []);
    const deliveries = [...seals].flatMap(([id, seal]) => deliveriesOf(id, seal));
    await insertRows(this.#sql, 'deliveries', deliveries, { unless: ['recording', 'destination'] });
  }

  /** It may be sealed already, as the same. */
  async #requireDone(id: string, { fileName, entryIndex }: Seal): Promise<void> {
    const columns = ['state', 'file_name', 'entry_index'];
    const row = await this.#sql('recordings')
      .where({ id })
      .first<SqlRow | undefined>(...columns);
    if (row === undefined) throw new StoreError('MISSING', `no recording ${id}`);
    const state = String(row['state']);
    const isSame = row['file_name'] === fileName && Number(row['entry_index']) === entryIndex;
    if (isSame && (state === 'sealed' || state === 'delivered')) return;
    throw new StoreError('CONFLICT', `recording ${id} is ${state}, not ended`);
  }
}

const deliveriesOf = (recording: string, { destinations, at }: Seal): readonly SqlRow[] =>
  destinations.map((destination) => ({
    recording,
    destination,
    state: 'waiting',
    attempts: 0,
    waiting_since: at,
    updated_at: at,
    permanent: false,
  }));
