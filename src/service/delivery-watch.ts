import type { AlarmBell } from '../alarm.ts';
import type { Config } from '../config.ts';
import type { NoticePost } from '../jobs/notice.ts';
import { watchDeliveries } from '../jobs/watch-deliveries.ts';
import type { Log } from '../log.ts';
import type { Database } from '../store/database.ts';
import { SqlDeliveryWatch } from '../store/delivery-watch.ts';

/** A failure that the next try or two cure is nobody's business; one that lasts longer is told. */
const LOOK_EVERY = 15_000;

/** Watches over the deliveries until closed. A database that is away is looked at again at the next turn. */
export function openDeliveryWatch(
  config: Config,
  parts: {
    readonly database: Database;
    readonly bell: AlarmBell;
    /** Undefined when no mail is configured. */
    readonly post: NoticePost | undefined;
    readonly log: Log;
  },
): { close(): Promise<void> } {
  const { installation, node, mail } = config;
  const { database, bell, post, log } = parts;
  const recorder = `${installation}/${node}`;
  const deps = {
    store: new SqlDeliveryWatch(database, { node: recorder }),
    post,
    language: mail?.language ?? 'en',
    recorder,
    bell,
    now: Date.now,
    log,
  };
  let looking: Promise<void> | undefined;
  const timer = setInterval(() => {
    looking ??= watchDeliveries(deps)
      .catch((error: unknown) => {
        log('debug', 'deliveries could not be looked at', { error: String(error) });
      })
      .finally(() => {
        looking = undefined;
      });
  }, LOOK_EVERY);
  timer.unref();
  return {
    close: async () => {
      clearInterval(timer);
      await looking;
    },
  };
}
