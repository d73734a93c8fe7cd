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
export const groupLogins = (policy: Policy): GroupLogins => ({
  hasGroup: (group) => policy.groups[group] !== undefined,
  press: async (group, callers, key) => {
    const member = callers.map(memberKey).find((name) => policy.groups[group]?.[name] !== undefined);
    if (member === undefined) return 'refused';
    try {
      if (key === 'toggle') return await policy.toggle(group, member, 'phone');
      const change = key === 'login' ? 'logged-in' : 'logged-out';
      await policy.changeMembership(group, member, { change, actor: 'phone' });
      return change;
    } catch (error) {
      // Removed from the group at this very moment.
      if (error instanceof PolicyError) return 'refused';
      throw error;
    }
  },
});
