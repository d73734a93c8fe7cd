import type { Config } from '../config.ts';
import { SpoolKeep } from '../jobs/release-spool.ts';
import type { Log } from '../log.ts';
import type { Database } from '../store/database.ts';
import { SqlLogStore } from '../store/log-store.ts';
import type { Ground } from './ground.ts';
import type { ShutdownList } from './shutdown-list.ts';

export interface SpoolKeepParts {
  readonly database: Database;
  readonly ground: Ground;
  readonly closing: ShutdownList;
  /** Whether the database has answered once. */
  readonly ready: () => boolean;
  readonly log: Log;
}

const SWEEP_EVERY = 5000;
/** What a crash left half finished is looked for at the start and from time to time. */
const RECALL_EVERY = 3_600_000;

/** Keeps the files of delivered recordings in the spool for the configured time, until closed. */
export function openSpoolKeep(config: Config, parts: SpoolKeepParts): SpoolKeep {
  const { installation, node, spool } = config;
  const keep = new SpoolKeep({
    store: new SqlLogStore(parts.database, { node: `${installation}/${node}` }),
    files: parts.ground.spool,
    keep: spool.keepDeliveredHours * 3_600_000,
    now: Date.now,
  });
  const abort = new AbortController();
  let recalledAt = -Infinity;
  let running: Promise<void> | undefined;
  const look = async (): Promise<void> => {
    if (!parts.ready()) return;
    if (performance.now() - recalledAt > RECALL_EVERY) {
      await keep.recall(abort.signal);
      recalledAt = performance.now();
    }
    await keep.sweep();
  };
  const timer = setInterval(() => {
    running ??= look()
      .catch((error: unknown) => {
        parts.log('warn', 'delivered recordings could not be removed from the spool now', {
          error: String(error),
        });
      })
      .finally(() => {
        running = undefined;
      });
  }, SWEEP_EVERY);
  timer.unref();
  parts.closing.add('spool keep', async () => {
    clearInterval(timer);
    abort.abort();
    await running;
  });
  return keep;
}
