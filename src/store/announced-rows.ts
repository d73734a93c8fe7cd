import type { Knex } from 'knex';
import type { AnnouncedRow } from '../jobs/log-records.ts';
import type { RecordingRow } from '../jobs/ports.ts';
import type { AnnouncedEvent } from '../recorder/events.ts';
import { sameNumber } from '../siprec/number-plan.ts';
import { text, type SqlRow } from './log-rows.ts';

/** Of a number that can be written with or without country code; shorter ones are extensions. */
const TAIL = 7;

/** By which a number is looked up, however it is written: its last digits. Undefined for what has none. */
function tailOf(number: string | undefined): string | undefined {
  const digits = (number ?? '').replace(/[^0-9*#]/g, '');
  return digits === '' ? undefined : digits.slice(-TAIL);
}

/** One announcement that was heard, with its keys. Rows whose time is over and that no recording needs go. Rejects with what the driver throws. */
export async function insertAnnounced(sql: Knex, node: string, event: AnnouncedEvent): Promise<void> {
  const { id, at, name, locale, sha256, milliseconds, whole, trunk, callId, numbers, callIds, keepUntil } =
    event;
  await sql('announced').insert({
    id,
    node,
    at,
    name: text(name),
    locale,
    sha256,
    milliseconds,
    whole,
    trunk: text(trunk),
    call_id: text(callId),
    numbers: text(JSON.stringify(numbers)),
    keep_until: keepUntil,
    recording: null,
    linked_by: null,
  });
  const tails = new Set(numbers.flatMap((number) => tailOf(number) ?? []));
  const keys = [
    ...[...tails].map((value) => ({ announced: id, kind: 'tail', value })),
    ...[...new Set(callIds.map(text))].map((value) => ({ announced: id, kind: 'id', value })),
  ];
  if (keys.length > 0) await sql('announced_keys').insert(keys);
  await sql('announced').whereNull('recording').andWhere('keep_until', '<', at).delete();
}

/** How long before its recording an announcement may be heard that only the numbers connect with it, in milliseconds. */
export const LINK_WITHIN = 300_000;

/** Recordings that began so long before an announcement may be running still. */
const LONGEST_CALL = 14_400_000;
const MOST = 20;

type Linkable = Pick<RecordingRow, 'id' | 'facts' | 'description' | 'startedAt' | 'endedAt'>;

/**
 * What was heard in the call of a recording: linked with it when it was sealed, or found by an id of the call, or by a number and the time, where no
 * other recording of the number is nearer. Oldest first. Rejects with what the driver throws.
 */
export async function announcedIn(
  sql: Knex,
  row: Linkable,
  within: number,
): Promise<readonly AnnouncedRow[]> {
  const [any] = await sql<SqlRow>('announced').select('id').limit(1);
  if (any === undefined) return [];
  const linked = (await sql('announced').where({ recording: row.id })) as SqlRow[];
  const byId = await withKeys(sql, 'id', idsOf(row), (query) => query.where('at', '<=', endOf(row)));
  const tails = partiesOf(row).flatMap((number) => tailOf(number) ?? []);
  const byNumber = await withKeys(sql, 'tail', tails, (query) =>
    query.whereBetween('at', [row.startedAt - within, endOf(row)]),
  );
  const nearest: SqlRow[] = [];
  for (const each of byNumber) if (await belongs(sql, each, { row, within })) nearest.push(each);
  const found = new Map<string, AnnouncedRow>();
  const take = (rows: readonly SqlRow[], linkedBy: AnnouncedRow['linkedBy']): void => {
    for (const each of rows)
      if (!found.has(String(each['id']))) found.set(String(each['id']), toAnnounced(each, linkedBy));
  };
  for (const each of linked) take([each], each['linked_by'] === 'call-id' ? 'call-id' : 'number-and-time');
  take(byId, 'call-id');
  take(nearest, 'number-and-time');
  return [...found.values()].toSorted((a, b) => a.at - b.at).slice(0, MOST);
}

/** Rows that nobody has yet, by their keys. */
async function withKeys(
  sql: Knex,
  kind: 'id' | 'tail',
  values: readonly string[],
  narrow: (query: Knex.QueryBuilder) => Knex.QueryBuilder,
): Promise<readonly SqlRow[]> {
  if (values.length === 0) return [];
  const keys = sql('announced_keys').where({ kind }).whereIn('value', values).select('announced');
  return (await narrow(sql('announced').whereNull('recording').whereIn('id', keys))
    .orderBy('at')
    .limit(MOST)) as SqlRow[];
}

/** Whether the numbers are really the same, and no other recording with them is nearer to the announcement. */
async function belongs(
  sql: Knex,
  announced: SqlRow,
  { row, within }: { readonly row: Linkable; readonly within: number },
): Promise<boolean> {
  const at = Number(announced['at']);
  const numbers = JSON.parse(String(announced['numbers'])) as readonly string[];
  const shared = partiesOf(row).filter((party) => numbers.some((number) => isSame(party, number)));
  if (shared.length === 0) return false;
  const own = distance(at, row.startedAt, row.endedAt);
  const rivals = (await sql('recordings')
    .whereNot({ id: row.id })
    .whereBetween('started_at', [at - LONGEST_CALL, at + within])
    .where((either) => {
      for (const tail of shared.flatMap((number) => tailOf(number) ?? []))
        for (const column of ['caller_number', 'callee_number'])
          void either.orWhere(column, 'like', `%${tail}`);
    })
    .select('started_at', 'ended_at')
    .limit(1000)) as SqlRow[];
  return !rivals.some((rival) => {
    const ended = rival['ended_at'];
    return distance(at, Number(rival['started_at']), ended === null ? undefined : Number(ended)) < own;
  });
}

/** From an announcement to a recording that runs at that time (0), or begins later. */
function distance(at: number, startedAt: number, endedAt: number | undefined): number {
  if (startedAt > at) return startedAt - at;
  return at <= (endedAt ?? Infinity) ? 0 : Infinity;
}

const isSame = (one: string, other: string): boolean => one === other || sameNumber(one, other);

const endOf = ({ endedAt }: Linkable): number => endedAt ?? Number.MAX_SAFE_INTEGER;

const partiesOf = ({ description: { caller, callee } }: Linkable): readonly string[] =>
  [caller.number, callee.number].flatMap((number) => number ?? []);

const idsOf = ({ facts, description }: Linkable): readonly string[] => {
  const { pbxCallId, pbxCallIds = [], related = [] } = description;
  const ids = [pbxCallId, ...pbxCallIds, ...related].flatMap((id) => id?.value ?? []);
  return [...new Set([...ids, facts.callId])].filter((id) => id !== '');
};

const toAnnounced = (row: SqlRow, linkedBy: AnnouncedRow['linkedBy']): AnnouncedRow => ({
  id: String(row['id']),
  at: Number(row['at']),
  name: String(row['name']),
  locale: String(row['locale']),
  sha256: String(row['sha256']),
  milliseconds: Number(row['milliseconds']),
  whole: Boolean(row['whole']),
  numbers: JSON.parse(String(row['numbers'])) as readonly string[],
  linkedBy,
});

/** The recording is sealed: it has these from now on. */
export async function linkAnnounced(
  sql: Knex,
  recording: string,
  announced: readonly Pick<AnnouncedRow, 'id' | 'linkedBy'>[],
): Promise<void> {
  for (const { id, linkedBy } of announced)
    await sql('announced').where({ id }).whereNull('recording').update({ recording, linked_by: linkedBy });
}
