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

/** Begins a span of membership or login, or ends the one that lasts. */
export async function changeSpan(
  sql: Knex,
  node: string,
  on: Parameters<LogWriter['changeMembership']>[0],
): Promise<void> {
  const { group, member, change, at, actor } = on;
  const table = change === 'added' || change === 'removed' ? 'group_members' : 'group_logins';
  const span = { node, group, member };
  if (change === 'added' || change === 'logged-in') {
    await sql(table).insert({ ...span, since: at, until: null, begun_by: text(actor) });
    return;
  }
  await sql(table)
    .where(span)
    .whereNull('until')
    .update({ until: at, ended_by: text(actor) });
}
