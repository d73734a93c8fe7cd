import type { Config } from '../config.ts';
import { Policy } from '../recorder/policy.ts';
import type { Recorder } from '../recorder/recorder.ts';
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
