import type { AlarmBell } from '../alarm.ts';
import type { DeliveryStanding, DeliveryTrouble } from './delivery-standing.ts';
import type { NoticeLanguage, NoticePost } from './notice.ts';
import { deliveryNotice, type DeliveryNews } from './notice-texts.ts';

/** What the watch asks of the log; `store/delivery-watch.ts` fits. */
export interface DeliveryWatchStore {
  /** Of every destination that has open deliveries of this recorder. */
  standings(): Promise<readonly DeliveryStanding[]>;
  troubles(): Promise<readonly DeliveryTrouble[]>;
  putTrouble(trouble: DeliveryTrouble): Promise<void>;
  dropTrouble(destination: string): Promise<void>;
  /** Recordings delivered to the destination since then. */
  deliveredSince(destination: string, since: number): Promise<number>;
  /** Takes failed deliveries as if they had never been tried, also where only a person could help; resolves with their number. */
  askAnew(which: FailedDeliveries): Promise<number>;
}

/** All that is given must hold. */
export interface FailedDeliveries {
  readonly destination?: string | undefined;
  readonly recording?: string | undefined;
}

export interface DeliveryWatchDeps {
  readonly store: DeliveryWatchStore;
  /** Undefined when no mail is configured. */
  readonly post: NoticePost | undefined;
  readonly language: NoticeLanguage;
  /** Names this recorder in subjects. */
  readonly recorder: string;
  readonly bell: AlarmBell;
  readonly now: () => number;
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>) => void;
}

/** While a destination fails, people hear of it this often. */
const DIGEST_EVERY = 24 * 3_600_000;

/**
 * Looks once at every destination: raises or clears its alarm and tells people when it begins to fail, once a day while that lasts, and when
 * everything has arrived, with the number of recordings delivered meanwhile. One mail a look at the most, never one a file. What is known is kept
 * in the database, so a restart tells nothing twice. A mail that cannot be sent is tried again at the next look.
 */
export async function watchDeliveries(deps: DeliveryWatchDeps): Promise<void> {
  const { store } = deps;
  const standings = new Map((await store.standings()).map((standing) => [standing.destination, standing]));
  const troubles = new Map((await store.troubles()).map((trouble) => [trouble.destination, trouble]));
  const news: DeliveryNews[] = [];
  for (const destination of new Set([...standings.keys(), ...troubles.keys()])) {
    const standing = standings.get(destination) ?? { destination, waiting: 0, failed: 0, permanent: 0 };
    const told = await look(standing, troubles.get(destination), deps);
    if (told !== undefined) news.push(told);
  }
  if (news.length > 0 && (await tell(news, deps))) await settle(news, deps);
}

async function look(
  standing: DeliveryStanding,
  known: DeliveryTrouble | undefined,
  deps: DeliveryWatchDeps,
): Promise<DeliveryNews | undefined> {
  const { destination, failed } = standing;
  if (failed === 0) return known && lookAtRecovery(standing, known, deps);
  const { recoveringSince, ...trouble } = known ?? { destination, since: deps.now() };
  if (known === undefined || recoveringSince !== undefined) await deps.store.putTrouble(trouble);
  deps.bell.raise(alarmOf(standing));
  if (trouble.toldAt === undefined) return { kind: 'began', standing, trouble };
  return deps.now() - trouble.toldAt >= DIGEST_EVERY ? { kind: 'lasting', standing, trouble } : undefined;
}

/** Nothing fails any more: it is over when everything has arrived that was there when this was first seen. */
async function lookAtRecovery(
  standing: DeliveryStanding,
  trouble: DeliveryTrouble,
  { store, bell, now }: DeliveryWatchDeps,
): Promise<DeliveryNews | undefined> {
  const { destination, waiting, oldestSince = Infinity } = standing;
  const delivered = await store.deliveredSince(destination, trouble.since);
  // Somebody asked for all of it anew, and nothing has come of it yet.
  if (waiting > 0 && delivered === 0) return undefined;
  bell.clear('destination-failing', destination);
  const { recoveringSince = now() } = trouble;
  if (waiting > 0 && oldestSince <= recoveringSince) {
    if (trouble.recoveringSince === undefined) await store.putTrouble({ ...trouble, recoveringSince });
    return undefined;
  }
  if (trouble.toldAt !== undefined) return { kind: 'over', standing, trouble, delivered };
  await store.dropTrouble(destination);
  return undefined;
}

const alarmOf = ({ destination, failed, permanent, lastError }: DeliveryStanding) =>
  ({
    code: 'destination-failing',
    subject: destination,
    severity: permanent > 0 ? 'critical' : 'warning',
    text: `destination ${destination} does not take recordings`,
    fields: { failed, permanent, ...(lastError !== undefined && { error: lastError }) },
  }) as const;

/** False when it has to be told again. Without mail everything counts as told: the alarm stands in log and metrics. */
async function tell(news: readonly DeliveryNews[], deps: DeliveryWatchDeps): Promise<boolean> {
  const { post, language, recorder, bell, log } = deps;
  if (post === undefined) return true;
  try {
    await post.send(deliveryNotice(news, { language, recorder, now: deps.now() }));
    bell.clear('mail-failing');
    return true;
  } catch (error) {
    const why = (error as { readonly message?: string }).message ?? String(error);
    log('warn', 'people could not be told by mail', { error: why });
    bell.raise({
      code: 'mail-failing',
      severity: 'warning',
      text: 'mail cannot be sent',
      fields: { error: why },
    });
    return false;
  }
}

async function settle(news: readonly DeliveryNews[], { store, now }: DeliveryWatchDeps): Promise<void> {
  for (const { kind, trouble } of news)
    if (kind === 'over') await store.dropTrouble(trouble.destination);
    else await store.putTrouble({ ...trouble, toldAt: now() });
}
