import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { AlarmBell } from '../alarm.ts';
import type { Config } from '../config.ts';
import { readCertificate } from '../evidence/signature.ts';
import type { Log } from '../log.ts';
import { openActorSecret } from '../store/actor-secret.ts';
import { isLocked, type KeyStoreOptions } from '../store/key-store.ts';
import { certificatesIn, isResetAsked, NodeKeys, resetKeys, restoreKeys } from '../store/node-keys.ts';
import { readPassphrase } from '../store/passphrase.ts';
import { codeOf, reasonOf, StoreError } from '../store/store-error.ts';
import type { LostKeys } from './key-keeper.ts';
import { KeysAtHand } from './keys-at-hand.ts';
import type { ShutdownList } from './shutdown-list.ts';

const DAY = 86_400_000;
/** A renewed certificate ends the alarm while somebody still looks. */
const LOOK_EVERY = 10_000;
const EXPIRING = 'certificate-expiring';

export const keysFolder = ({ dataDir }: Pick<Config, 'dataDir'>): string => join(dataDir, 'keys');

/** Opens the keys of this node. Rejects with StoreError KEYS_DAMAGED, KEYS_LOCKED, KEYS_NOT_MADE. */
export async function openNodeKeys(config: Config): Promise<NodeKeys> {
  await refuseLostKeys(config.dataDir);
  return NodeKeys.open(keysFolder(config), await optionsOf(config, !(await isLocked(keysFolder(config)))));
}

/** Puts the pair of a PKCS#12 file in the place of keys that are lost. Resolves with the certificate. Rejects with StoreError. */
async function restoreNodeKeys(
  config: Config,
  file: { readonly bytes: Uint8Array; readonly password: string },
): Promise<string> {
  return restoreKeys(keysFolder(config), await optionsOf(config, true), {
    ...file,
    known: await certificatesIn(join(config.dataDir, 'evidence')),
  });
}

/** What people can do for keys that are lost. */
export const lostKeys = (config: Config): LostKeys => ({
  reset: () => resetKeys(keysFolder(config), join(config.dataDir, 'evidence')),
  restore: (file) => restoreNodeKeys(config, file),
});

/** The keys with what the start does while they are missing. Rejects with StoreError where they are not lost, but were never made. */
export async function openKeysAtHand(
  config: Config,
  parts: { readonly bell: AlarmBell; readonly closing: Pick<ShutdownList, 'add'>; readonly log: Log },
): Promise<KeysAtHand> {
  const folder = keysFolder(config);
  const { bell, closing, log } = parts;
  const isNew = !(await hasFiles(config.dataDir, 'evidence')) && !(await hasFiles(folder, 'current'));
  const keys = new KeysAtHand({
    open: async () => {
      const opened = await openNodeKeys(config).catch((error: unknown) => {
        // Nothing was ever signed: what is wrong is the configuration, and whoever just wrote it sits in front of it.
        if (isNew) throw new StoreError('KEYS_NOT_MADE', reasonOf(error), { cause: error });
        throw error;
      });
      if (opened.created) log('info', 'a new signing key and certificate were made', { folder });
      return { keys: opened, actorSecret: await openActorSecret(folder) };
    },
    places: [folder, join(folder, 'current'), placeOfPassphrase(config)],
    mode: config.evidence.withoutKeys,
    bell,
    now: Date.now,
  });
  await keys.start();
  closing.add('keys', () => {
    keys.close();
  });
  return keys;
}

async function optionsOf(config: Config, generate: boolean): Promise<KeyStoreOptions> {
  const passphrase = await readPassphrase({
    file: placeOfPassphrase(config),
    generate: generate && config.evidence.keys.passphraseFile === undefined,
  });
  return { subject: `Sealtape ${config.installation}`, passphrase };
}

const placeOfPassphrase = ({ dataDir, evidence }: Config): string =>
  evidence.keys.passphraseFile ?? join(dataDir, 'key-credential');

const hasFiles = (...path: readonly string[]): Promise<boolean> =>
  readdir(join(...path)).then(
    (names) => names.length > 0,
    // What cannot be looked into is there.
    (error: unknown) => codeOf(error) !== 'ENOENT',
  );

/** A log that was signed before must not be continued with a key made just now: that would look like a theft of the log. */
async function refuseLostKeys(dataDir: string): Promise<void> {
  if (!(await hasFiles(dataDir, 'evidence')) || (await hasFiles(dataDir, 'keys', 'current'))) return;
  if (await isResetAsked(join(dataDir, 'keys'))) return;
  const replaced = await readdir(join(dataDir, 'keys')).catch(() => []);
  if (replaced.some((name) => name.startsWith('old-'))) return;
  throw new StoreError(
    'KEYS_DAMAGED',
    `${join(dataDir, 'keys')} is missing, but this recorder has an evidence log; restore the folder from your backup, ` +
      'or give the keys up with `sealtape keys reset`',
  );
}

/** Rings while the certificate in use ends soon or has ended; while the keys are missing another alarm rings, and this one stays as it was. */
export function openCertificateWatch(
  config: Pick<Config, 'evidence'>,
  parts: {
    /** Asked at each look: keys that were lost come back as others. */
    readonly keys: { readonly opened: { readonly keys: Pick<NodeKeys, 'signer'> } | undefined };
    readonly bell: AlarmBell;
    readonly closing: Pick<ShutdownList, 'add'>;
    /** Epoch milliseconds. */
    readonly now?: () => number;
  },
): void {
  const { keys, bell, closing, now = Date.now } = parts;
  const look = (): void => {
    const { opened } = keys;
    if (opened === undefined) return;
    judgeCertificate(opened.keys.signer.certificatePem, {
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
