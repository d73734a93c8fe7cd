import type { Knex } from 'knex';
import type { LogWriter } from '../jobs/ports.ts';
import { policyName } from '../rules/decision.ts';
import { text } from './log-rows.ts';

/** Rows of decisions, rules and memberships, inside a transaction of the log. Every function rejects with what the driver throws. */

export async function insertDeclined(
  sql: Knex,
  node: string,
  declined: Parameters<LogWriter['addDeclined']>[0],
): Promise<void> {
  const { at, trunk, callId, pbxCallId, direction, decision, answer, entryIndex } = declined;
  await sql('declined_calls').insert({
    node,
    at,
    trunk: text(trunk),
    call_id: text(callId),
    pbx_call_id: text(pbxCallId),
    direction,
    rule: policyName(decision),
    decision: text(JSON.stringify({ ...decision, answer })),
    entry_index: entryIndex,
  });
}

export async function insertRuleSet(
  sql: Knex,
  node: string,
  change: Parameters<LogWriter['addRuleSet']>[0],
): Promise<void> {
  const { version, at, source, actor, hashAfter: hash, rules } = change;
  await sql('rule_sets').insert({ node, version, at, source, actor: text(actor), hash, rules: text(rules) });
}

/** A version of the rules by what it says and when; a membership by the moment its span began or ended; an announcement by its step. */
export async function isStated(
  sql: Knex,
  node: string,
  change: Parameters<LogWriter['isStated']>[0],
): Promise<boolean> {
  const { at } = change;
  if (change.type === 'rules') {
    const { version, hashAfter: hash } = change;
    return (await sql('rule_sets').where({ node, version, at, hash }).first('version')) !== undefined;
  }
  if (change.type === 'announcement') {
    const step = { at, step: `announcement ${change.change}`, actor: text(change.actor) };
    return (await sql('steps').where(step).first('at')) !== undefined;
  }
  const { group, member } = change;
  const moment = begins(change) ? { since: at } : { until: at };
  const span = sql(spansOf(change)).where({ node, group, member, ...moment });
  return (await span.first('since')) !== undefined;
}

type Membership = Parameters<LogWriter['changeMembership']>[0];

const begins = ({ change }: Membership): boolean => change === 'added' || change === 'logged-in';

const spansOf = ({ change }: Membership): string =>
  change === 'added' || change === 'removed' ? 'group_members' : 'group_logins';

/** Begins a span of membership or login, or ends the one that lasts. */
export async function changeSpan(sql: Knex, node: string, on: Membership): Promise<void> {
  const { group, member, at, actor } = on;
  const table = spansOf(on);
  const span = { node, group, member };
  if (begins(on)) {
    await sql(table).insert({ ...span, since: at, until: null, begun_by: text(actor) });
    return;
  }
  await sql(table)
    .where(span)
    .whereNull('until')
    .update({ until: at, ended_by: text(actor) });
}
