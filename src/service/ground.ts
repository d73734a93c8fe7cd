import { mkdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AlarmBell } from '../alarm.ts';
import type { Config } from '../config.ts';
import { certificateFingerprint } from '../evidence/signature.ts';
import type { Log } from '../log.ts';
import { lockDataDir } from '../store/data-dir-lock.ts';
import { openJournal, type Journal } from '../store/journal.ts';
import { openSpool, type Spool } from '../store/spool.ts';
import { openKeysAtHand } from './keys.ts';
import type { KeysAtHand } from './keys-at-hand.ts';
import type { ShutdownList } from './shutdown-list.ts';

/** What must be there before anything can be recorded: the data directory with keys, journal and spool. */
export interface Ground {
  readonly journal: Journal;
  readonly spool: Spool;
  readonly keys: KeysAtHand;
  /** SHA-256 of the certificate as people compare it: pairs of digits with colons; undefined while the keys are missing. */
  readonly fingerprint: string | undefined;
  /** When an earlier process was last known to be alive, epoch milliseconds. */
  readonly lastAlive: number | undefined;
}

const ALIVE_EVERY = 2000;
/** Each waits for the disk most of its time. */
const SPOOL_THREADS = 4;

/** Opens the data directory. Rejects with StoreError when another recorder uses it, or when the disk is damaged. */
export async function openGround(
  config: Config,
  parts: { readonly log: Log; readonly bell: AlarmBell; readonly closing: ShutdownList },
): Promise<Ground> {
  const { log, closing } = parts;
  await mkdir(config.dataDir, { recursive: true, mode: 0o750 });
  const lock = await lockDataDir(config.dataDir);
  closing.add('data directory lock', () => lock.release());
  const keys = await openKeysAtHand(config, parts);
  const journal = await openJournal(join(config.dataDir, 'journal'));
  closing.add('journal', () => journal.close());
  for (const damage of journal.damage) log('error', 'the journal was damaged', { damage });
  const spool = await openSpool(config.dataDir, { threads: SPOOL_THREADS });
  closing.add('spool', () => {
    spool.close();
  });
  const lastAlive = await keepAlive(join(config.dataDir, 'alive'), closing);
  return {
    journal,
    spool,
    keys,
    // A key roll may change it at any time.
    get fingerprint() {
      const signer = keys.opened?.keys.signer;
      return signer && inPairs(certificateFingerprint(signer.certificatePem));
    },
    lastAlive,
  };
}

/** Touches a file every two seconds, so that the next start knows since when nothing was recorded. */
async function keepAlive(file: string, closing: ShutdownList): Promise<number | undefined> {
  const last = await stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  );
  await writeFile(file, '');
  const timer = setInterval(() => {
    const now = new Date();
    // Missing a touch only makes the outage look longer.
    utimes(file, now, now).catch(() => undefined);
  }, ALIVE_EVERY);
  closing.add('alive mark', () => {
    clearInterval(timer);
  });
  return last;
}

const inPairs = (hex: string): string => (hex.match(/../g) ?? []).join(':').toUpperCase();
