import { readFileSync } from 'node:fs';
import { ConfigError, type Config } from '../config.ts';
import type { NoticePost } from '../jobs/notice.ts';
import { AlarmTeller } from '../jobs/tell-alarms.ts';
import type { Log } from '../log.ts';
import type { Alarms } from './alarms.ts';
import type { ShutdownList } from './shutdown-list.ts';

/**
 * Who is told by mail; undefined when nobody is. Rejects with ConfigError NOT_READABLE when the password's or the authority's file cannot be read:
 * better now than at the first failure.
 */
export async function openPost({ mail }: Pick<Config, 'mail'>): Promise<NoticePost | undefined> {
  if (mail === undefined) return undefined;
  const { host, port, security, user, from, to } = mail;
  const password = mail.password ?? read('mail.passwordFile', mail.passwordFile)?.trimEnd();
  const ca = read('mail.ca', mail.ca);
  const { openMail } = await import('../delivery/mail.ts');
  return openMail({ server: { host, port, security, user, password, ca }, from, to });
}

/** From here on people hear of critical alarms by mail, where one is configured. */
export function openAlarmMail(
  config: Pick<Config, 'installation' | 'node' | 'mail'>,
  parts: {
    readonly alarms: Alarms;
    readonly post: NoticePost | undefined;
    readonly closing: Pick<ShutdownList, 'add'>;
    readonly log: Log;
  },
): void {
  const { alarms, post, closing, log } = parts;
  if (post === undefined) return;
  const { installation, node, mail } = config;
  const teller = new AlarmTeller({
    post,
    language: mail?.language ?? 'en',
    recorder: `${installation}/${node}`,
    now: Date.now,
    log,
  });
  alarms.onChange((change) => {
    teller.changed(change);
  });
  closing.add('alarm mail', () => teller.close());
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
