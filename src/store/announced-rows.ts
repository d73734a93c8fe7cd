import type { Knex } from 'knex';
import type { AnnouncedEvent } from '../recorder/events.ts';
import { text } from './log-rows.ts';

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
