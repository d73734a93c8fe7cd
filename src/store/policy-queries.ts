import type { Knex } from 'knex';
import type { StepRow } from '../jobs/ports.ts';
import type { Decision } from '../rules/decision.ts';
import type { Database } from './database.ts';
import { toStep, type SqlRow } from './log-rows.ts';
import { answered } from './sql-error.ts';

/** One version of the rules, as it was stored. */
export interface RuleVersion {
  readonly version: number;
  readonly at: number;
  readonly source: string;
  readonly actor: string;
  readonly hash: string;
  readonly rules: unknown;
}

/** A time in which somebody belonged to a group, or was logged in. */
export interface MembershipSpan {
  readonly group: string;
  readonly member: string;
  readonly kind: 'member' | 'logged-in';
  readonly since: number;
  /** Absent while it lasts. */
  readonly until?: number;
  readonly begunBy: string;
  readonly endedBy?: string;
}

/** Between two moments, epoch milliseconds, at most so many. */
interface Span {
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly limit: number;
}

/** A call that the rules kept out. */
export interface DeclinedCallRow {
  readonly at: number;
  readonly trunk: string;
  readonly callId: string;
  readonly pbxCallId?: string;
  readonly direction: string;
  readonly decision: Decision & { readonly answer: string };
  /** Of its entry in the evidence log. */
  readonly entryIndex: number;
}

/** What pages and the API ask about decisions, rules and groups of one recorder. Every method rejects with StoreError. */
export class PolicyQueries {
  readonly #database: Database;
  readonly #node: string;

  constructor(database: Database, node: string) {
    this.#database = database;
    this.#node = node;
  }

  /** Newest first. */
  async ruleVersions(): Promise<readonly RuleVersion[]> {
    const rows = await answered(this.#from('rule_sets').orderBy('version', 'desc').limit(1000));
    return rows.map((row) => ({
      version: Number(row['version']),
      at: Number(row['at']),
      source: String(row['source']),
      actor: String(row['actor']),
      hash: String(row['hash']),
      rules: JSON.parse(String(row['rules'])) as unknown,
    }));
  }

  /** Spans that touch the time between two moments, in order of their beginning. */
  async membershipSpans(on: {
    readonly group?: string | undefined;
    readonly from: number;
    readonly to: number;
  }): Promise<readonly MembershipSpan[]> {
    const spans = await Promise.all([
      this.#spans('group_members', 'member', on),
      this.#spans('group_logins', 'logged-in', on),
    ]);
    return spans.flat().toSorted((a, b) => a.since - b.since);
  }

  async #spans(
    table: string,
    kind: MembershipSpan['kind'],
    on: { readonly group?: string | undefined; readonly from: number; readonly to: number },
  ): Promise<readonly MembershipSpan[]> {
    const query = this.#from(table).where('since', '<=', on.to);
    void query.where((later) => void later.whereNull('until').orWhere('until', '>', on.from));
    if (on.group !== undefined) void query.where({ group: on.group });
    const rows = await answered(query.orderBy(['since', 'id']).limit(10_000));
    return rows.map((row) => ({
      group: String(row['group']),
      member: String(row['member']),
      kind,
      since: Number(row['since']),
      begunBy: String(row['begun_by']),
      ...(row['until'] === null ? {} : { until: Number(row['until']), endedBy: String(row['ended_by']) }),
    }));
  }

  /** Newest first; by the SIP or PBX call id, or between two moments. */
  async declinedCalls(
    on: Span & { readonly callId?: string | undefined },
  ): Promise<readonly DeclinedCallRow[]> {
    const query = this.#from('declined_calls');
    const { callId } = on;
    if (callId !== undefined)
      void query.where((either) => void either.where({ call_id: callId }).orWhere({ pbx_call_id: callId }));
    const rows = await answered(newestOf(query, on));
    return rows.map(toDeclined);
  }

  /** Steps that somebody took, newest first; of all recorders that share the database. */
  async stepsOfActors(on: Span & { readonly actor?: string | undefined }): Promise<readonly StepRow[]> {
    const query = this.#database.knex<SqlRow, SqlRow[]>('steps').whereNotNull('actor');
    if (on.actor !== undefined) void query.where({ actor: on.actor });
    const rows = await answered(newestOf(query, on));
    return rows.map(toStep);
  }

  #from(table: string) {
    return this.#database.knex<SqlRow, SqlRow[]>(table).where({ node: this.#node });
  }
}

function newestOf(query: Knex.QueryBuilder<SqlRow, SqlRow[]>, { from, to, limit }: Span): typeof query {
  if (from !== undefined) void query.where('at', '>=', from);
  if (to !== undefined) void query.where('at', '<=', to);
  return query.orderBy('at', 'desc').orderBy('id', 'desc').limit(limit);
}

const toDeclined = (row: SqlRow): DeclinedCallRow => ({
  at: Number(row['at']),
  trunk: String(row['trunk']),
  callId: String(row['call_id']),
  ...(typeof row['pbx_call_id'] === 'string' ? { pbxCallId: row['pbx_call_id'] } : {}),
  direction: String(row['direction']),
  decision: JSON.parse(String(row['decision'])) as DeclinedCallRow['decision'],
  entryIndex: Number(row['entry_index']),
});
