import type { Knex } from 'knex';
import type { AnnouncedRow, MarkRow, RecordingFilter } from '../jobs/log-records.ts';
import type { DeliveryRow, FileRow, RecordingRow, RecordingState, StepRow } from '../jobs/ports.ts';
import type { LegVerdict } from '../media/verdict.ts';
import type { ParticipantEntry } from '../siprec/description.ts';
import { announcedIn, LINK_WITHIN } from './announced-rows.ts';
import type { Database } from './database.ts';
import {
  toDelivery,
  toFile,
  toParticipant,
  toRecording,
  toStep,
  toVerdict,
  type SqlRow,
} from './log-rows.ts';
import { marksOf } from './mark-rows.ts';
import { answered, toStoreError } from './sql-error.ts';

/** Where a page of the list ended; the next one begins behind it. */
export interface ListPosition {
  readonly startedAt: number;
  readonly id: string;
}

/** A recording as the list shows it: without the capture's statistics. */
export type ListedRecording = Omit<RecordingRow, 'capture'>;

/** Everything the log knows of one recording. */
export interface RecordingDetails {
  readonly recording: RecordingRow;
  readonly participants: readonly ParticipantEntry[];
  readonly files: readonly FileRow[];
  readonly deliveries: readonly DeliveryRow[];
  /** How its legs were judged when it was sealed. */
  readonly verdicts: readonly LegVerdict[];
  readonly steps: readonly StepRow[];
  /** Other recordings of the same call, by the ids they share; newest first. */
  readonly related: readonly RelatedRecording[];
  /** What was heard in its call, oldest first. */
  readonly announcements: readonly AnnouncedRow[];
  /** Its timeline, in order. */
  readonly marks: readonly MarkRow[];
}

export interface RelatedRecording {
  readonly id: string;
  readonly startedAt: number;
  /** Once sealed. */
  readonly fileName?: string;
  /** What both carry, for example `ucid 00FA…`. */
  readonly sharedId: string;
}

const RELATED_LIMIT = 100;

const LIST_LIMIT = 1000;
const FOUND_LIMIT = 100;
/** Every column but the capture, which may be long. */
const LISTED = (
  'id state facts description decision opened_at started_at ended_at end_reason status fail_reason ' +
  'open_index entry_index file_name sealed_at'
).split(' ');

/** What pages and the API ask of the log, over all recorders that share it. Every method rejects with StoreError. */
export class RecordingQueries {
  readonly #database: Database;
  readonly #linkWithin: number;

  /** `linkWithin`: see `LINK_WITHIN`. */
  constructor(database: Database, linkWithin = LINK_WITHIN) {
    this.#database = database;
    this.#linkWithin = linkWithin;
  }

  /** At most `limit` (and never more than 1000) recordings, newest start first; `before` continues a list. */
  async listNewest(limit: number, before?: ListPosition): Promise<readonly ListedRecording[]> {
    const query = this.#from('recordings').select(LISTED).orderBy('started_at', 'desc').orderBy('id', 'desc');
    // Both databases walk their index from here on, however deep in the list the page is.
    if (before !== undefined) void query.whereRaw('(started_at, id) < (?, ?)', [before.startedAt, before.id]);
    return (await run(query.limit(Math.min(limit, LIST_LIMIT)))).map(toRecording);
  }

  /** Recordings to which all of the filter applies, in the order of `listNewest`. */
  async search(
    filter: RecordingFilter,
    limit: number,
    before?: ListPosition,
  ): Promise<readonly ListedRecording[]> {
    const query = this.#from('recordings').select(LISTED).orderBy('started_at', 'desc').orderBy('id', 'desc');
    if (before !== undefined) void query.whereRaw('(started_at, id) < (?, ?)', [before.startedAt, before.id]);
    if (filter.id !== undefined) void query.whereIn('id', await this.findByAnyId(filter.id));
    narrow(query, filter);
    return (await run(query.limit(Math.min(limit, LIST_LIMIT)))).map(toRecording);
  }

  async findRecording(id: string): Promise<RecordingDetails | undefined> {
    const [row] = await run(this.#from('recordings').where({ id }).limit(1));
    if (row === undefined) return undefined;
    const of = (table: string, order: string): Promise<SqlRow[]> =>
      run(this.#from(table).where({ recording: id }).orderBy(order));
    const recording = toRecording(row);
    return {
      recording,
      participants: (await of('participants', 'position')).map(toParticipant),
      files: (await of('files', 'position')).map(toFile),
      deliveries: (await of('deliveries', 'destination')).map(toDelivery),
      verdicts: (await of('leg_verdicts', 'line')).map(toVerdict),
      steps: (await of('steps', 'id')).map(toStep),
      related: await this.#related(id),
      announcements: await answered(announcedIn(this.#database.knex, recording, this.#linkWithin)),
      marks: await answered(marksOf(this.#database.knex, id)),
    };
  }

  /**
   * Recordings that a person may mean, oldest first, at most `FOUND_LIMIT`: by their own id, file name (with or without its ending), SIP
   * Call-ID, or any id of the call in the PBX.
   */
  async findByAnyId(text: string): Promise<readonly string[]> {
    const name = text.replace(/^.*\//, '').replace(/(?:_info\.txt|\.[a-z0-9]{2,6})+$/, '');
    const rows = await run(
      this.#from('recordings')
        .whereIn('id', [text, name])
        .orWhereIn('file_name', [text, name])
        .orWhere({ call_id: text })
        .orWhere({ pbx_call_id: text })
        .orWhereIn('id', this.#from('recording_links').where({ value: text }).select('recording'))
        .orderBy('started_at')
        .limit(FOUND_LIMIT)
        .select('id'),
    );
    return rows.map(({ id }) => String(id));
  }

  /**
   * Sealed recordings by party and time of their start, oldest first. A number is matched as it stands; one of at least six digits also
   * without what is in front of it in the log, such as a country code.
   */
  async findWithParty(on: {
    readonly number?: string | undefined;
    readonly from?: number | undefined;
    readonly to?: number | undefined;
    readonly limit: number;
  }): Promise<readonly string[]> {
    const { number, from, to, limit } = on;
    const query = this.#from('recordings').whereIn('state', ['sealed', 'delivered']);
    if (from !== undefined) void query.where('started_at', '>=', from);
    if (to !== undefined) void query.where('started_at', '<=', to);
    if (number !== undefined) {
      const ending = number.replace(/[^0-9]/g, '').replace(/^0+/, '');
      void query.where((either) => {
        for (const column of ['caller_number', 'callee_number']) {
          void either.orWhere(column, number);
          if (ending.length >= 6) void either.orWhere(column, 'like', `%${ending}`);
        }
      });
    }
    const rows = await run(query.orderBy('started_at').limit(limit).select('id'));
    return rows.map(({ id }) => String(id));
  }

  /** Steps that belong to no recording and name this text: calls that were refused. Oldest first. */
  async stepsNaming(text: string): Promise<readonly StepRow[]> {
    const query = this.#from('steps')
      .whereNull('recording')
      .whereRaw("detail LIKE ? ESCAPE '\\'", [`%${escaped(text)}%`]);
    return (await run(query.orderBy('id').limit(FOUND_LIMIT))).map(toStep);
  }

  async #related(id: string): Promise<readonly RelatedRecording[]> {
    const rows = await run(
      this.#database
        .knex('recording_links as mine')
        .join('recording_links as theirs', (join) => {
          join.on('mine.kind', 'theirs.kind').andOn('mine.value', 'theirs.value');
        })
        .join('recordings', 'recordings.id', 'theirs.recording')
        .where('mine.recording', id)
        .whereNot('theirs.recording', id)
        .orderBy('recordings.started_at', 'desc')
        .limit(RELATED_LIMIT)
        .select('recordings.id', 'recordings.started_at', 'recordings.file_name', 'mine.kind', 'mine.value'),
    );
    const found = new Map<string, RelatedRecording>();
    for (const row of rows) if (!found.has(String(row['id']))) found.set(String(row['id']), toRelated(row));
    return [...found.values()];
  }

  /** How many recordings are in each state; states without one are 0. */
  async countByState(): Promise<Readonly<Record<RecordingState, number>>> {
    const rows = await run(this.#from('recordings').select('state').count({ count: '*' }).groupBy('state'));
    const counts: Record<RecordingState, number> = {
      recording: 0,
      ended: 0,
      sealed: 0,
      delivered: 0,
      expired: 0,
      failed: 0,
    };
    for (const row of rows) counts[row['state'] as RecordingState] = Number(row['count']);
    return counts;
  }

  /** Deliveries that are not done yet, failed ones included. */
  async countOpenDeliveries(): Promise<number> {
    const [row] = await run(this.#from('deliveries').whereNot({ state: 'delivered' }).count({ count: '*' }));
    return Number(row?.['count'] ?? 0);
  }

  #from(table: string) {
    return this.#database.knex<SqlRow, SqlRow[]>(table);
  }
}

type Query = Knex.QueryBuilder<SqlRow, SqlRow[]>;

function narrow(query: Query, { from, to, ...filter }: RecordingFilter): void {
  if (from !== undefined) void query.where('started_at', '>=', from);
  if (to !== undefined) void query.where('started_at', '<', to);
  for (const column of ['direction', 'trunk', 'state'] as const)
    if (filter[column] !== undefined) void query.where(column, filter[column]);
  numbered(query, ['caller_number'], filter.caller);
  numbered(query, ['callee_number'], filter.callee);
  numbered(query, ['caller_number', 'callee_number'], filter.number);
  if (filter.name === undefined) return;
  const part = `%${escaped(filter.name.toLowerCase())}%`;
  void query.where((either) => {
    for (const column of ['caller_name', 'callee_name'])
      void either.orWhereRaw("lower(??) LIKE ? ESCAPE '\\'", [column, part]);
  });
}

/** One of these columns is the number, or begins with what stands before its star. */
function numbered(query: Query, columns: readonly string[], number: string | undefined): void {
  if (number === undefined) return;
  const beginning = number.endsWith('*') ? `${escaped(number.slice(0, -1))}%` : undefined;
  void query.where((either) => {
    for (const column of columns)
      if (beginning === undefined) void either.orWhere(column, number);
      else void either.orWhereRaw("?? LIKE ? ESCAPE '\\'", [column, beginning]);
  });
}

const escaped = (text: string): string => text.replace(/[\\%_]/g, '\\$&');

const toRelated = (row: SqlRow): RelatedRecording => ({
  id: String(row['id']),
  startedAt: Number(row['started_at']),
  ...(typeof row['file_name'] === 'string' ? { fileName: row['file_name'] } : {}),
  sharedId: `${String(row['kind'])} ${String(row['value'])}`,
});

async function run(query: PromiseLike<unknown>): Promise<SqlRow[]> {
  try {
    return (await query) as SqlRow[];
  } catch (error) {
    throw toStoreError(error);
  }
}
