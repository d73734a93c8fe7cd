import type { Config } from '../config.ts';
import { Policy } from '../recorder/policy.ts';
import { PolicyError } from '../recorder/policy-error.ts';
import type { Recorder } from '../recorder/recorder.ts';
import { memberKey } from '../rules/call-to-decide.ts';
import type { GroupLogins } from '../sip/group-calls.ts';
import { openPolicyFile } from '../store/policy-file.ts';

/** Rules and groups as they held before, or as the configuration has them now. Rejects with StoreError CORRUPT for a damaged file. */
export const openPolicy = (config: Config, recorder: Recorder): Promise<Policy> =>
  Policy.open({
    file: openPolicyFile(config.dataDir),
    state: (event) => recorder.state(event),
    now: Date.now,
    timeZone: config.timeZone,
    configured: config.rules,
  });

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
