import type { AlarmBell } from '../alarm.ts';
import { namesForRules, type Config } from '../config.ts';
import { Policy } from '../recorder/policy.ts';
import { PolicyError } from '../recorder/policy-error.ts';
import type { Recorder } from '../recorder/recorder.ts';
import { memberKey } from '../rules/call-to-decide.ts';
import { unknownNames, type RuleSet } from '../rules/rule-set.ts';
import type { GroupLogins } from '../sip/group-calls.ts';
import { openPolicyFile } from '../store/policy-file.ts';

/** Rules and groups as they held before, or as the configuration has them now. Rejects with StoreError CORRUPT for a damaged file. */
export async function openPolicy(
  config: Config,
  { recorder, bell }: { readonly recorder: Pick<Recorder, 'state'>; readonly bell: AlarmBell },
): Promise<Policy> {
  // Rules of the configuration file are stated before there is a policy to ask.
  const opened: { policy?: Policy } = {};
  const policy = await Policy.open({
    file: openPolicyFile(config.dataDir),
    state: async (event) => {
      const onDisk = await recorder.state(event);
      if (opened.policy !== undefined) ringForMissing(opened.policy.rules.set, config, bell);
      return onDisk;
    },
    now: Date.now,
    timeZone: config.timeZone,
    configured: config.rules,
  });
  opened.policy = policy;
  ringForMissing(policy.rules.set, config, bell);
  return policy;
}

const MISSING = 'rule-names-missing';

/**
 * Rules made by API outlive a change of the configuration: one that names a destination or profile that is not there any more keeps its recordings
 * on this machine alone, or for ever.
 */
function ringForMissing(rules: RuleSet, config: Config, bell: AlarmBell): void {
  const missing = unknownNames(rules, namesForRules(config)).map(({ path: [, at, key], message }) => {
    const { id = '?' } = rules.rules[Number(at)] ?? {};
    return `${id}: ${String(key)}: ${message}`;
  });
  if (missing.length === 0) bell.clear(MISSING);
  else
    bell.raise({
      code: MISSING,
      severity: 'critical',
      text: `rules name what the configuration does not have, so that their recordings go to no archive or are kept for ever: ${missing.slice(0, MOST_NAMED).join('; ')}`,
      fields: { names: missing.length },
    });
}

/** In one alarm. */
const MOST_NAMED = 10;

/** What a function key of a phone may do: log its own user in and out of a group it belongs to. */
export const groupLogins = (policy: Policy, recorder: Pick<Recorder, 'state'>): GroupLogins => ({
  hasGroup: (group) => policy.groups[group] !== undefined,
  press: async (group, callers, key) => {
    const member = callers.map(memberKey).find((name) => policy.groups[group]?.[name] !== undefined);
    if (member === undefined) return await refused(recorder, group, key);
    try {
      if (key === 'toggle') return await policy.toggle(group, member, 'phone');
      const change = key === 'login' ? 'logged-in' : 'logged-out';
      await policy.changeMembership(group, member, { change, actor: 'phone' });
      return change;
    } catch (error) {
      // Removed from the group at this very moment.
      if (error instanceof PolicyError) return await refused(recorder, group, key);
      throw error;
    }
  },
});

/** Who it was is not kept: nobody of ours. */
async function refused(
  recorder: Pick<Recorder, 'state'>,
  group: string,
  key: 'login' | 'logout' | 'toggle',
): Promise<'refused'> {
  const step = `not done: group: ${key}`;
  const detail = `${group}-${key}; the caller is no member`;
  await recorder.state({ type: 'acted', at: Date.now(), actor: 'phone', step, outcome: 'warning', detail });
  return 'refused';
}
