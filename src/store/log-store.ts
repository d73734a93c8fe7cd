import type {
  ChainHead,
  CheckpointRow,
  CopyRow,
  DeliveryRow,
  EntryRow,
  ExportState,
  FileRow,
  LogStore,
  LogWriter,
  RecordingRow,
  RecordingState,
  RenderRow,
  Sealable,
  SealIntent,
} from '../jobs/ports.ts';
import type { AnnouncedRow, MarkRow } from '../jobs/log-records.ts';
import { announcedIn, LINK_WITHIN } from './announced-rows.ts';
import type { Database } from './database.ts';
import { SqlEvidenceStore } from './evidence-store.ts';
import { decodeIntent } from './intent-json.ts';
import {
  toCheckpoint,
  toCopy,
  toDelivery,
  toEntry,
  toFile,
  toHead,
  toRecording,
  toRender,
  type SqlRow,
} from './log-rows.ts';
import { marksOf } from './mark-rows.ts';
import { TransactionWriter } from './log-writer.ts';
import { sealableRows } from './sealable-rows.ts';
import { answered, toStoreError } from './sql-error.ts';

/**
 * The log in SQLite or PostgreSQL. `node` names this recorder: several may share a PostgreSQL database, and each sees its own
 * cursor, intents, open recordings and deliveries only.
 */
export class SqlLogStore implements LogStore {
  readonly evidence: SqlEvidenceStore;
  readonly #database: Database;
  readonly #node: string;
  readonly #linkWithin: number;

  /** `linkWithin`: see `LINK_WITHIN`. */
  constructor(database: Database, options: { readonly node: string; readonly linkWithin?: number }) {
    this.#database = database;
    this.#node = options.node;
    this.#linkWithin = options.linkWithin ?? LINK_WITHIN;
    this.evidence = new SqlEvidenceStore(database.knex, options.node);
  }

  /** What `work` throws comes out as it is, everything else as StoreError; in both cases nothing was written. */
  async write<T>(work: (log: LogWriter) => Promise<T>): Promise<T> {
    let thrown: { readonly error: unknown } | undefined;
    try {
      return await this.#database.knex.transaction(async (transaction) => {
        try {
          const writer = new TransactionWriter(transaction, this.#node);
          const result = await work(writer);
          await writer.flush();
          return result;
        } catch (error) {
          thrown = { error };
          throw error;
        }
      });
    } catch (error) {
      throw thrown === undefined ? toStoreError(error) : thrown.error;
    }
  }

  async cursor(): Promise<number> {
    const row = await this.#first('journal_cursor', { node: this.#node });
    return Number(row?.['sequence'] ?? 0);
  }

  async head(origin: string): Promise<ChainHead | undefined> {
    const row = await this.#first('log_heads', { origin });
    return row === undefined ? undefined : toHead(row);
  }

  async entries(origin: string, from: number, limit: number): Promise<readonly EntryRow[]> {
    const query = this.#from('log_entries').where({ origin }).andWhere('index', '>=', from);
    return (await answered(query.orderBy('index').limit(limit))).map(toEntry);
  }

  async recording(id: string): Promise<RecordingRow | undefined> {
    const row = await this.#first('recordings', { id });
    return row === undefined ? undefined : toRecording(row);
  }

  async sealable(ids: readonly string[]): Promise<ReadonlyMap<string, Sealable>> {
    return answered(sealableRows(this.#database.knex, ids));
  }

  async recordingsInState(state: RecordingState): Promise<readonly RecordingRow[]> {
    const query = this.#from('recordings').where({ node: this.#node, state });
    return (await answered(query.orderBy(['opened_at', 'id']))).map(toRecording);
  }

  async files(recording: string): Promise<readonly FileRow[]> {
    return (await answered(this.#from('files').where({ recording }).orderBy('position'))).map(toFile);
  }

  async deliveries(recording: string): Promise<readonly DeliveryRow[]> {
    return (await answered(this.#from('deliveries').where({ recording }).orderBy('destination'))).map(
      toDelivery,
    );
  }

  async announced(row: RecordingRow): Promise<readonly AnnouncedRow[]> {
    return answered(announcedIn(this.#database.knex, row, this.#linkWithin));
  }

  async marks(recording: string): Promise<readonly MarkRow[]> {
    return answered(marksOf(this.#database.knex, recording));
  }

  async render(recording: string): Promise<RenderRow | undefined> {
    const row = await this.#first('renders', { recording });
    return row === undefined ? undefined : toRender(row);
  }

  async copies(recording: string): Promise<readonly CopyRow[]> {
    const query = this.#from('copies').where({ recording });
    return (await answered(query.orderBy(['destination', 'name']))).map(toCopy);
  }

  async openDeliveries(): Promise<readonly DeliveryRow[]> {
    return (await answered(this.#openDeliveries())).map(toDelivery);
  }

  async dueDeliveries(destination: string, at: number, limit: number): Promise<readonly DeliveryRow[]> {
    const query = this.#openDeliveries()
      .where('deliveries.destination', destination)
      .where('deliveries.due_at', '<=', at)
      .limit(limit);
    return (await answered(query)).map(toDelivery);
  }

  #openDeliveries() {
    return this.#from('deliveries')
      .join('recordings', 'recordings.id', 'deliveries.recording')
      .where('recordings.node', this.#node)
      .whereIn('deliveries.state', ['waiting', 'failed'])
      .orderBy(['deliveries.waiting_since', 'recordings.entry_index', 'deliveries.destination'])
      .select('deliveries.*');
  }

  async intents(): Promise<readonly SealIntent[]> {
    const rows = await answered(
      this.#from('seal_intents').where({ node: this.#node }).orderBy(['at', 'recording']),
    );
    return rows.map((row) => decodeIntent(String(row['intent'])));
  }

  async intent(recording: string): Promise<SealIntent | undefined> {
    const row = await this.#first('seal_intents', { recording });
    return row === undefined ? undefined : decodeIntent(String(row['intent']));
  }

  async newestCheckpoint(origin: string): Promise<CheckpointRow | undefined> {
    const query = this.#from('checkpoints').where({ origin }).orderBy('size', 'desc').limit(1);
    return (await answered(query)).map(toCheckpoint)[0];
  }

  async checkpoints(origin: string, afterSize: number): Promise<readonly CheckpointRow[]> {
    const query = this.#from('checkpoints')
      .where({ origin, exported: true })
      .andWhere('size', '>', afterSize);
    return (await answered(query.orderBy('size'))).map(toCheckpoint);
  }

  async exportState(destination: string, origin: string): Promise<ExportState> {
    const row = await this.#first('exports', { destination, origin });
    const { entries, checkpoint, files } = row ?? {};
    return { entries: Number(entries ?? 0), checkpoint: Number(checkpoint ?? 0), files: Number(files ?? 0) };
  }

  #from(table: string) {
    return this.#database.knex<SqlRow, SqlRow[]>(table);
  }

  async #first(table: string, where: Readonly<Record<string, string>>): Promise<SqlRow | undefined> {
    return (await answered(this.#from(table).where(where).limit(1)))[0];
  }
}
