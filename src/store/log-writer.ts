import type { Knex } from 'knex';
import type {
  ChainHead,
  CheckpointRow,
  CopyRow,
  DeliveryRow,
  EntryRow,
  ExportState,
  LogWriter,
  RecordingRow,
  RecordingState,
  RenderRow,
  SealIntent,
  StepRow,
} from '../jobs/ports.ts';
import type { CallDescription } from '../siprec/description.ts';
import { insertAnnounced } from './announced-rows.ts';
import { TransactionEvidenceWriter } from './evidence-writer.ts';
import { updateComplete, updateDelivered, upsertCopies } from './delivery-rows.ts';
import {
  descriptionColumns,
  headColumns,
  participantColumns,
  recordingColumns,
  renderColumns,
  text,
  type SqlRow,
} from './log-rows.ts';
import { insertMark } from './mark-rows.ts';
import { changeSpan, insertDeclined, insertRuleSet, isStated } from './policy-rows.ts';
import { SqlRetentionWriter } from './retention-writer.ts';
import { insertRows, ROWS } from './row-inserts.ts';
import { SealedRows } from './sealed-rows.ts';
import { answered } from './sql-error.ts';
import { moveHead, moveStates, type StateMove } from './state-moves.ts';
import { StoreError } from './store-error.ts';

/**
 * Changes inside one transaction of `SqlLogStore.write`. Every method rejects with StoreError. New entries, recordings and
 * steps are collected and inserted together, because a statement costs far more than a row: what is wrong with them may only
 * come to light in `flush`.
 */
export class TransactionWriter implements LogWriter {
  readonly evidence: TransactionEvidenceWriter;
  readonly retention: SqlRetentionWriter;
  readonly #sql: Knex.Transaction;
  readonly #node: string;
  readonly #collected = {
    entries: [] as SqlRow[],
    participants: [] as SqlRow[],
    links: [] as SqlRow[],
    steps: [] as SqlRow[],
  };
  /** New recordings by id. */
  readonly #opened = new Map<string, SqlRow>();
  /** Recordings of earlier transactions that end in this one. */
  readonly #ended = new Map<string, StateMove>();
  readonly #sealed: SealedRows;
  /** Where the head in the database must be, and where it goes. */
  #move: { readonly from: EntryRow; readonly to: ChainHead } | undefined;

  constructor(transaction: Knex.Transaction, node: string) {
    this.#sql = transaction;
    this.#node = node;
    this.evidence = new TransactionEvidenceWriter(transaction, node);
    this.#sealed = new SealedRows(transaction, node);
    this.retention = new SqlRetentionWriter(transaction, node);
  }

  async appendEntry(entry: EntryRow, head: ChainHead): Promise<void> {
    const { origin, index, prev, hash, type, recording, bytes } = entry;
    if (this.#move?.to.origin !== origin) await this.flush();
    const before = this.#move?.to;
    if (before !== undefined && (before.size !== index || before.prev !== prev)) throw notAtHead(entry);
    this.#collected.entries.push({
      origin,
      index,
      prev,
      hash,
      type,
      recording: recording ?? null,
      bytes,
    });
    this.#move = { from: this.#move?.from ?? entry, to: head };
  }

  /** Writes what was collected. The transaction must not be committed without it. */
  async flush(): Promise<void> {
    const { entries, participants, links, steps } = this.#collected;
    await this.#insertAll('log_entries', entries.splice(0));
    const move = this.#move;
    this.#move = undefined;
    if (move !== undefined) await this.#moveHead(move.from, move.to);
    const opened = [...this.#opened.values()];
    this.#opened.clear();
    await this.#insertAll('recordings', opened);
    await this.#insertAll('participants', participants.splice(0));
    for (let related = links.splice(0, ROWS); related.length > 0; related = links.splice(0, ROWS))
      await answered(
        this.#sql('recording_links').insert(related).onConflict(['recording', 'kind', 'value']).ignore(),
      );
    if (this.#ended.size > 0) await this.#endAll();
    await this.#sealed.flush();
    await this.#insertAll('steps', steps.splice(0));
  }

  async #moveHead(from: EntryRow, to: ChainHead): Promise<void> {
    const { origin, index, prev } = from;
    if (index === 0) {
      await answered(this.#sql('log_heads').insert({ origin, ...headColumns(to) }));
      return;
    }
    // The head must be where the first entry begins; the row stays locked until the commit, so no second writer gets past it.
    const moved = await answered(moveHead(this.#sql, { origin, size: index, prev }, to));
    if (!moved) throw notAtHead(from);
  }

  async openIndexOf(id: string): Promise<number> {
    const row =
      this.#opened.get(id) ??
      (await answered(this.#sql('recordings').where({ id }).first<SqlRow | undefined>('open_index')));
    const index = row?.['open_index'];
    if (index === null || index === undefined)
      throw new StoreError('MISSING', `recording ${id} has no open entry`);
    return Number(index);
  }

  openRecording(row: Omit<RecordingRow, 'state'>): Promise<void> {
    if (this.#opened.has(row.id))
      return Promise.reject(new StoreError('CONFLICT', `recording ${row.id} is there already`));
    this.#opened.set(row.id, { node: this.#node, state: 'recording', ...recordingColumns(row) });
    this.#collectParticipants(row.id, row.description);
    this.#collectLinks(row.id, row.description);
    return Promise.resolve();
  }

  async describeRecording(id: string, description: CallDescription): Promise<void> {
    await this.#settle(id);
    const changed = await answered(
      this.#sql('recordings').where({ id }).update(descriptionColumns(description)),
    );
    if (changed !== 1) throw new StoreError('MISSING', `no recording ${id}`);
    await answered(this.#sql('participants').where({ recording: id }).delete());
    await answered(this.#sql('recording_links').where({ recording: id }).delete());
    this.#collectParticipants(id, description);
    this.#collectLinks(id, description);
    await this.flush();
  }

  async addMark(id: string, mark: Parameters<LogWriter['addMark']>[1]): Promise<void> {
    await this.#settle(id);
    await answered(insertMark(this.#sql, id, mark));
  }

  async stopRecording(id: string, stopped: Parameters<LogWriter['stopRecording']>[1]): Promise<void> {
    await this.#moveState(id, ['recording'], { stopped: text(JSON.stringify(stopped)) });
  }

  async endRecording(id: string, end: Parameters<LogWriter['endRecording']>[1]): Promise<void> {
    const columns = {
      ended_at: end.at,
      end_reason: end.reason,
      status: end.status,
      capture: JSON.stringify(end.capture),
    };
    if (this.#opened.has(id)) await this.#moveState(id, ['recording'], { state: 'ended', ...columns });
    else if (this.#ended.has(id)) throw new StoreError('CONFLICT', `recording ${id} has ended already`);
    else this.#ended.set(id, { id, columns });
  }

  async #endAll(): Promise<void> {
    const ended = [...this.#ended.values()];
    this.#ended.clear();
    const moved = await answered(moveStates(this.#sql, { from: 'recording', to: 'ended' }, ended));
    for (const { id } of ended) if (!moved.has(id)) await this.#refuseMove(id, ['recording']);
  }

  async failRecording(id: string, failure: Parameters<LogWriter['failRecording']>[1]): Promise<void> {
    const opened = this.#opened.get(id);
    await this.#moveState(id, ['recording', 'ended'], {
      state: 'failed',
      ended_at:
        opened === undefined
          ? this.#sql.raw('coalesce(ended_at, ?)', [failure.at])
          : (opened['ended_at'] ?? failure.at),
      fail_reason: text(failure.reason),
      entry_index: failure.entryIndex,
    });
  }

  async sealRecording(id: string, seal: Parameters<LogWriter['sealRecording']>[1]): Promise<void> {
    await this.#settle(id);
    this.#sealed.seal(id, seal);
  }

  async addDeclined(declined: Parameters<LogWriter['addDeclined']>[0]): Promise<void> {
    await answered(insertDeclined(this.#sql, this.#node, declined));
  }

  async isStated(change: Parameters<LogWriter['isStated']>[0]): Promise<boolean> {
    // Steps are collected.
    if (change.type === 'announcement') await this.flush();
    return answered(isStated(this.#sql, this.#node, change));
  }

  async addRuleSet(change: Parameters<LogWriter['addRuleSet']>[0]): Promise<void> {
    await answered(insertRuleSet(this.#sql, this.#node, change));
  }

  async changeMembership(change: Parameters<LogWriter['changeMembership']>[0]): Promise<void> {
    await answered(changeSpan(this.#sql, this.#node, change));
  }

  async addAnnounced(event: Parameters<LogWriter['addAnnounced']>[0]): Promise<void> {
    await answered(insertAnnounced(this.#sql, this.#node, event));
  }

  async setState(id: string, state: RecordingState): Promise<void> {
    await this.#settle(id);
    const changed = await answered(this.#sql('recordings').where({ id }).update({ state }));
    if (changed !== 1) throw new StoreError('MISSING', `no recording ${id}`);
  }

  async setDelivery(row: DeliveryRow): Promise<void> {
    await this.#settle(row.recording);
    const columns = {
      recording: row.recording,
      destination: row.destination,
      state: row.state,
      attempts: row.attempts,
      updated_at: row.updatedAt,
      permanent: row.permanent,
      due_at: row.dueAt ?? 0,
      error: text(row.error),
      location: text(row.location),
    };
    await answered(
      this.#sql('deliveries')
        .insert({ ...columns, waiting_since: row.updatedAt })
        .onConflict(['recording', 'destination'])
        .merge(columns),
    );
  }

  async putDelivered(...args: Parameters<LogWriter['putDelivered']>): ReturnType<LogWriter['putDelivered']> {
    return answered(updateDelivered(this.#sql, ...args));
  }

  async completeDeliveries(recordings: readonly string[]): Promise<readonly string[]> {
    return answered(updateComplete(this.#sql, recordings));
  }

  async putRender(row: RenderRow): Promise<void> {
    await answered(this.#sql('renders').insert(renderColumns(row)).onConflict('recording').ignore());
  }

  async putCopies(copies: readonly CopyRow[]): Promise<void> {
    await answered(upsertCopies(this.#sql, copies));
  }

  addStep(step: StepRow): Promise<void> {
    this.#collected.steps.push({
      recording: step.recording ?? null,
      at: step.at,
      step: text(step.step),
      outcome: step.outcome,
      detail: text(step.detail),
      actor: text(step.actor),
    });
    return Promise.resolve();
  }

  /** The same intent twice is fine; another one for the same recording is a CONFLICT: the first must be finished. */
  putIntent(intent: SealIntent): Promise<void> {
    this.#sealed.putIntent(intent);
    return Promise.resolve();
  }

  dropIntent(recording: string): Promise<void> {
    this.#sealed.dropIntent(recording);
    return Promise.resolve();
  }

  /** The same checkpoint twice is fine; another text for the same size is a CONFLICT: a log states each size once. */
  async putCheckpoint(row: CheckpointRow): Promise<void> {
    const { origin, size, root, text: bytes, signature, nextSignature, exported, at } = row;
    const there = await answered(
      this.#sql('checkpoints').where({ origin, size }).first<SqlRow | undefined>('text'),
    );
    if (there !== undefined) {
      if (bytes.equals(there['text'] as Buffer)) {
        if (exported) await this.evidence.markExported(origin, size);
        return;
      }
      throw new StoreError('CONFLICT', `${origin} has another checkpoint of size ${size}`);
    }
    const columns = { origin, size, root, text: bytes, signature, exported, at };
    await answered(this.#sql('checkpoints').insert({ ...columns, next_signature: nextSignature ?? null }));
  }

  async setCursor(sequence: number): Promise<void> {
    await answered(
      this.#sql.raw(
        'INSERT INTO "journal_cursor" ("node", "sequence") VALUES (?, ?) ' +
          'ON CONFLICT ("node") DO UPDATE SET "sequence" = excluded."sequence"',
        [this.#node, sequence],
      ),
    );
  }

  async setExport(destination: string, origin: string, state: ExportState): Promise<void> {
    await answered(
      this.#sql('exports')
        .insert({ destination, origin, ...state })
        .onConflict(['destination', 'origin'])
        .merge({ ...state }),
    );
  }

  async #moveState(
    id: string,
    from: readonly RecordingState[],
    columns: Record<string, unknown>,
  ): Promise<void> {
    if (this.#ended.has(id)) await this.flush();
    const opened = this.#opened.get(id);
    if (opened !== undefined && from.some((state) => state === opened['state'])) {
      // Opened in this very transaction: it goes into the database as it is now, without a statement of its own.
      this.#opened.set(id, Object.assign({}, opened, columns));
      return;
    }
    const moved = opened !== undefined ? 0 : await this.#update(id, from, columns);
    if (moved !== 1) await this.#refuseMove(id, from);
  }

  async #refuseMove(id: string, from: readonly RecordingState[]): Promise<never> {
    const row =
      this.#opened.get(id) ??
      (await answered(this.#sql('recordings').where({ id }).first<SqlRow | undefined>('state')));
    if (row === undefined) throw new StoreError('MISSING', `no recording ${id}`);
    throw new StoreError('CONFLICT', `recording ${id} is ${String(row['state'])}, not ${from.join(' or ')}`);
  }

  #update(id: string, from: readonly RecordingState[], columns: Record<string, unknown>): Promise<number> {
    return answered(this.#sql('recordings').where({ id }).whereIn('state', from).update(columns));
  }

  #collectLinks(recording: string, description: CallDescription): void {
    for (const { kind, value } of description.related ?? [])
      this.#collected.links.push({ recording, kind, value: text(value) ?? '' });
  }

  #collectParticipants(id: string, description: CallDescription): void {
    for (const [position, entry] of description.participants.entries())
      this.#collected.participants.push(participantColumns(id, entry, position));
  }

  /** Before a recording is changed it must be there. */
  async #settle(id: string): Promise<void> {
    if (this.#opened.has(id) || this.#ended.has(id) || this.#sealed.concerns(id)) await this.flush();
  }

  async #insertAll(table: string, rows: readonly SqlRow[]): Promise<void> {
    await answered(insertRows(this.#sql, table, rows));
  }
}

const notAtHead = ({ origin, index }: EntryRow): StoreError =>
  new StoreError('CONFLICT', `the head of ${origin} is not at entry ${index}`);
