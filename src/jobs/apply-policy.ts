import { actorHash } from '../evidence/actor-hash.ts';
import { STATEMENTS_LOST } from '../evidence/entry-types.ts';
import type { RecorderEvent } from '../recorder/events.ts';
import { countsText } from '../recorder/lost-statements.ts';
import { policyName } from '../rules/decision.ts';
import type { ChainTurn } from './chain.ts';
import type { LogWriter } from './ports.ts';

export type PolicyEvent = Extract<
  RecorderEvent,
  { type: 'declined' | 'rules' | 'membership' | 'announcement' | 'announced' | 'acted' | 'outage' }
>;

/** Takes into the log what was decided, changed and asked for. */
export async function applyPolicyEvent(
  event: PolicyEvent,
  log: LogWriter,
  turn: ChainTurn,
  actorSecret: Uint8Array,
): Promise<void> {
  switch (event.type) {
    case 'acted':
      return log.addStep(event);
    case 'declined':
      return applyDeclined(event, log, turn);
    case 'rules':
    case 'membership':
    case 'announcement':
      return (await log.isStated(event)) ? undefined : applyChange(event, log, turn, actorSecret);
    case 'announced':
      return log.addAnnounced(event);
    case 'outage':
      return applyOutage(event, log, turn);
    default:
      return event satisfies never;
  }
}

function applyChange(
  event: Extract<PolicyEvent, { type: 'rules' | 'membership' | 'announcement' }>,
  log: LogWriter,
  turn: ChainTurn,
  actorSecret: Uint8Array,
): Promise<void> {
  if (event.type === 'membership') return applyMembership(event, log);
  return event.type === 'rules'
    ? applyRules(event, log, turn, actorSecret)
    : applyAnnouncement(event, log, turn, actorSecret);
}

async function applyMembership(
  event: Extract<PolicyEvent, { type: 'membership' }>,
  log: LogWriter,
): Promise<void> {
  const { at, actor, group, member, change } = event;
  await log.changeMembership(event);
  const detail = `${member} in ${group}`;
  await log.addStep({ at, actor, step: `member ${change}`, outcome: 'ok', detail });
}

/** Stated when it is over; of one whose end nobody saw, at the next start. Rows and entries change together. */
async function applyOutage(
  event: Extract<PolicyEvent, { type: 'outage' }>,
  log: LogWriter,
  turn: ChainTurn,
): Promise<void> {
  if (event.phase === 'begun') {
    await log.evidence.beginOutage(event);
    return log.addStep({ at: event.at, step: 'outage begun', outcome: 'error', detail: event.cause });
  }
  if (event.phase === 'lost') return applyLoss(event, log, turn);
  const seen = event.phase === 'over';
  const outages = seen ? [event] : await log.evidence.takeOutages();
  for (const { cause, since } of outages) {
    await appendOutage({ since, at: event.at, cause, clean: seen }, log, turn);
    if (seen) await log.evidence.endOutage({ cause, since });
    await log.addStep({ at: event.at, step: 'outage over', outcome: 'ok', detail: cause });
  }
}

async function appendOutage(
  outage: { readonly since: number; readonly at: number; readonly cause: string; readonly clean: boolean },
  log: LogWriter,
  turn: ChainTurn,
): Promise<void> {
  const { since, at, cause, clean } = outage;
  const from = new Date(since).toISOString();
  const to = new Date(Math.max(since, at)).toISOString();
  const { entry, headAfter } = turn.prepare({ type: 'outage', from, to, cause, clean });
  await log.appendEntry(entry, headAfter);
}

/** Statements that could not be kept: how many of which kind, and from when to when. */
async function applyLoss(
  { at, since, counts }: Extract<PolicyEvent, { phase: 'lost' }>,
  log: LogWriter,
  turn: ChainTurn,
): Promise<void> {
  const detail = countsText(counts);
  await appendOutage({ since, at, cause: `${STATEMENTS_LOST} ${detail}`, clean: true }, log, turn);
  await log.addStep({ at, step: 'statements lost', outcome: 'error', detail });
}

/** `config` with the hashes of all announcements before and after. */
async function applyAnnouncement(
  event: Extract<PolicyEvent, { type: 'announcement' }>,
  log: LogWriter,
  turn: ChainTurn,
  actorSecret: Uint8Array,
): Promise<void> {
  const { at, change, name, locale, sha256, actor, hashBefore, hashAfter } = event;
  const { entry, headAfter } = turn.prepare({
    type: 'config',
    part: 'announcements',
    hashBefore,
    hashAfter,
    actor: actorHash(actorSecret, actor),
  });
  await log.appendEntry(entry, headAfter);
  await log.addStep({
    at,
    actor,
    step: `announcement ${change}`,
    outcome: 'ok',
    detail: `${name} ${locale}, sha256 ${sha256}`,
  });
}

/** evidence.md 1.4: every call offered ends in exactly one entry. */
async function applyDeclined(
  event: Extract<PolicyEvent, { type: 'declined' }>,
  log: LogWriter,
  turn: ChainTurn,
): Promise<void> {
  const policy = policyName(event.decision);
  const { entry, headAfter } = turn.prepare({
    type: 'refused',
    reason: `rule ${policy}`,
    count: 1,
    window: 0,
  });
  await log.appendEntry(entry, headAfter);
  await log.addDeclined({ ...event, entryIndex: entry.index });
}

/** `config` with the hashes of the rules before and after; the rules themselves are kept in the database, every version of them. */
async function applyRules(
  event: Extract<PolicyEvent, { type: 'rules' }>,
  log: LogWriter,
  turn: ChainTurn,
  actorSecret: Uint8Array,
): Promise<void> {
  const { at, version, source, actor, hashBefore, hashAfter } = event;
  const { entry, headAfter } = turn.prepare({
    type: 'config',
    part: 'policy',
    hashBefore,
    hashAfter,
    actor: actorHash(actorSecret, actor),
  });
  await log.appendEntry(entry, headAfter);
  await log.addRuleSet(event);
  await log.addStep({
    at,
    actor,
    step: 'rules changed',
    outcome: 'ok',
    detail: `version ${version} from ${source}, sha256 ${hashAfter}`,
  });
}
