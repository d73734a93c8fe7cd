import { readFileSync } from 'node:fs';
import type { AlarmBell } from '../alarm.ts';
import { ConfigError, type Config } from '../config.ts';
import { openMail } from '../delivery/mail.ts';
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
    readonly log: Log;
  },
): { close(): Promise<void> } {
  const { installation, node, mail } = config;
  const { database, bell, log } = parts;
  const recorder = `${installation}/${node}`;
  const deps = {
    store: new SqlDeliveryWatch(database, { node: recorder }),
    post: mail === undefined ? undefined : openPost(mail),
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

/** Throws ConfigError NOT_READABLE when the password's or the authority's file cannot be read: better now than at the first failure. */
function openPost(mail: NonNullable<Config['mail']>): NoticePost {
  const { host, port, security, user, from, to } = mail;
  const password = mail.password ?? read('mail.passwordFile', mail.passwordFile)?.trimEnd();
  const ca = read('mail.ca', mail.ca);
  return openMail({ server: { host, port, security, user, password, ca }, from, to });
}

function read(key: string, file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError('NOT_READABLE', `${key}: ${file} cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
