import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { AlarmBell } from '../alarm.ts';
import type { Config } from '../config.ts';
import { readCertificate } from '../evidence/signature.ts';
import { isResetAsked, NodeKeys } from '../store/node-keys.ts';
import { readPassphrase } from '../store/passphrase.ts';
import { StoreError } from '../store/store-error.ts';
import type { ShutdownList } from './shutdown-list.ts';

const DAY = 86_400_000;
const LOOK_EVERY = 3_600_000;
const EXPIRING = 'certificate-expiring';

export const keysFolder = ({ dataDir }: Pick<Config, 'dataDir'>): string => join(dataDir, 'keys');

/** Opens the keys of this node. Rejects with StoreError KEYS_DAMAGED, KEYS_LOCKED, KEYS_NOT_MADE. */
export async function openNodeKeys(config: Config): Promise<NodeKeys> {
  await refuseLostKeys(config.dataDir);
  const { passphraseFile } = config.evidence.keys;
  const passphrase = await readPassphrase(
    passphraseFile === undefined
      ? { file: join(config.dataDir, 'key-credential'), generate: true }
      : { file: passphraseFile, generate: false },
  );
  return NodeKeys.open(keysFolder(config), { subject: `Sealtape ${config.installation}`, passphrase });
}

/** A log that was signed before must not be continued with a key made just now: that would look like a theft of the log. */
async function refuseLostKeys(dataDir: string): Promise<void> {
  const hasFiles = (name: string): Promise<boolean> =>
    readdir(join(dataDir, name)).then(
      (names) => names.length > 0,
      () => false,
    );
  if (!(await hasFiles('evidence')) || (await hasFiles(join('keys', 'current')))) return;
  if (await isResetAsked(join(dataDir, 'keys'))) return;
  const replaced = await readdir(join(dataDir, 'keys')).catch(() => []);
  if (replaced.some((name) => name.startsWith('old-'))) return;
  throw new StoreError(
    'KEYS_DAMAGED',
    `${join(dataDir, 'keys')} is missing, but this recorder has an evidence log; restore the folder from your backup, ` +
      'or give the keys up with `sealtape keys reset`',
  );
}

/** Rings while the certificate in use ends soon or has ended. */
export function openCertificateWatch(
  config: Pick<Config, 'evidence'>,
  parts: {
    readonly keys: Pick<NodeKeys, 'signer'>;
    readonly bell: AlarmBell;
    readonly closing: Pick<ShutdownList, 'add'>;
    /** Epoch milliseconds. */
    readonly now?: () => number;
  },
): void {
  const { keys, bell, closing, now = Date.now } = parts;
  const look = (): void => {
    judgeCertificate(keys.signer.certificatePem, {
      warnDays: config.evidence.keys.warnDays,
      bell,
      now: now(),
    });
  };
  look();
  const timer = setInterval(look, LOOK_EVERY);
  closing.add('certificate watch', () => {
    clearInterval(timer);
  });
}

/** Raises or clears the alarm for one certificate, at `now` (epoch milliseconds). */
function judgeCertificate(
  pem: string,
  { warnDays, bell, now }: { readonly warnDays: number; readonly bell: AlarmBell; readonly now: number },
): void {
  const until = Date.parse(readCertificate(pem).validTo);
  const days = Math.floor((until - now) / DAY);
  if (days >= warnDays) {
    bell.clear(EXPIRING);
    return;
  }
  const day = new Date(until).toISOString().slice(0, 10);
  bell.raise({
    code: EXPIRING,
    severity: days < 0 ? 'critical' : 'warning',
    text:
      days < 0
        ? `the signing certificate ended on ${day}; roll the key with \`sealtape keys roll\``
        : `the signing certificate ends on ${day}; roll the key with \`sealtape keys roll\``,
    fields: { days },
  });
}
