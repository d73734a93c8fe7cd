import type { Destination } from '../jobs/destination.ts';

/**
 * A destination with two accounts: `everyday` stores and reads and need not be allowed to delete; `deletion` is used for nothing but what takes
 * away: removing files whose time is over, and releasing holds. Closing closes both.
 */
export function withDeletionAccount(everyday: Destination, deletion: Destination): Destination {
  return {
    name: everyday.name,
    put: (...given) => everyday.put(...given),
    extend: (...given) => everyday.extend(...given),
    open: (...given) => everyday.open(...given),
    stat: (...given) => everyday.stat(...given),
    list: (...given) => everyday.list(...given),
    capabilities: (...given) => everyday.capabilities(...given),
    setRetention: (...given) => everyday.setRetention(...given),
    remove: (...given) => deletion.remove(...given),
    setHold: (copy, on, signal) => (on ? everyday : deletion).setHold(copy, on, signal),
    close: async () => {
      await Promise.all([everyday.close(), deletion.close()]);
    },
  };
}
