import { randomUUID } from 'node:crypto';
import { endOfDay, type Day } from '../rules/retention.ts';
import { PermanentUploadError, type Destination } from './destination.ts';
import type { EvidenceLog } from './evidence-log.ts';
import { JobError } from './job-error.ts';
import type { LogStore } from './ports.ts';
import type { HoldRow } from './retention-orders.ts';
import type { RetentionStore } from './retention-ports.ts';

export interface HoldDeps {
  readonly store: RetentionStore;
  readonly log: Pick<LogStore, 'copies'>;
  readonly evidence: EvidenceLog;
  readonly destinations: ReadonlyMap<string, Destination>;
  readonly now: () => number;
}

/** Archives that could not be told, a sentence each. Our own log keeps the recordings all the same. */
export interface ArchiveFaults {
  readonly faults: readonly string[];
}

/**
 * Keeps recordings whatever their retention says, until `releaseHold`: in our log at once, and in archives that can hold by themselves. One entry a
 * recording, so that each one's history is complete by itself.
 *
 * @throws JobError UNKNOWN_RECORDING, NOT_SEALED (already deleted, or its deletion has begun), before anything is changed.
 */
export async function placeHold(
  order: Pick<HoldRow, 'case' | 'reason' | 'actor'> & { readonly recordings: readonly string[] },
  deps: HoldDeps,
  signal: AbortSignal,
): Promise<HoldRow & ArchiveFaults> {
  const { recordings, ...rest } = order;
  for (const id of recordings) await assertThere(id, deps.store);
  const caseHash = deps.evidence.case(order.case);
  const hold: HoldRow = { id: randomUUID(), ...rest, placedAt: deps.now(), caseHash };
  for (const [at, recording] of recordings.entries())
    await deps.evidence.appendOnce(bodyOf('hold', recording, hold, deps), {
      recording,
      // A deletion is stated in the same log: one that began meanwhile is seen here.
      isDone: () => assertThere(recording, deps.store).then(() => false),
      step: { step: 'hold', outcome: 'ok', detail: hold.case },
      // The hold with its first recording, then the others one by one: each is held from the moment its entry is written.
      change: (log) => log.retention.putHold(hold, recordings.slice(0, at + 1)),
    });
  return { ...hold, faults: await tellArchives(recordings, true, deps, signal) };
}

/** Ends a hold; recordings that no other hold keeps may be deleted when their time has passed. @throws JobError UNKNOWN_HOLD. */
export async function releaseHold(
  release: { readonly id: string; readonly actor: string; readonly reason: string },
  deps: HoldDeps,
  signal: AbortSignal,
): Promise<HoldRow & ArchiveFaults> {
  const hold = await deps.store.hold(release.id);
  if (hold === undefined) throw new JobError('UNKNOWN_HOLD', release.id);
  if (hold.releasedAt !== undefined) return { ...hold, faults: [] };
  const recordings = await deps.store.heldBy(hold.id);
  const at = deps.now();
  const last = recordings.length - 1;
  for (const [index, recording] of recordings.entries())
    await deps.evidence.append(
      bodyOf('release', recording, { caseHash: hold.caseHash, actor: release.actor }, deps),
      {
        recording,
        step: { step: 'hold-released', outcome: 'ok', detail: hold.case },
        ...(index === last && {
          change: (log) =>
            log.retention.releaseHold(hold.id, { at, actor: release.actor, reason: release.reason }),
        }),
      },
    );
  const free: string[] = [];
  for (const recording of recordings)
    if ((await deps.store.holdsOver(recording)).length === 0) free.push(recording);
  const faults = await tellArchives(free, false, deps, signal);
  return { ...hold, releasedAt: at, releasedBy: release.actor, releaseReason: release.reason, faults };
}

/**
 * Keeps a recording longer (WpHG § 83(8): an authority may extend by two years); never shorter.
 *
 * @throws JobError UNKNOWN_RECORDING, NOT_SEALED, NOT_LATER.
 */
export async function extendRetention(
  order: {
    readonly recording: string;
    readonly until: Day;
    readonly case: string;
    readonly actor: string;
  },
  deps: HoldDeps,
  signal: AbortSignal,
): Promise<ArchiveFaults> {
  const row = await assertThere(order.recording, deps.store);
  const before = row.kept?.until;
  if (before === undefined || order.until <= before)
    throw new JobError(
      'NOT_LATER',
      `${order.recording} is kept ${before === undefined ? 'for ever' : `until ${before}`}`,
    );
  await deps.evidence.appendOnce(
    bodyOf('hold', order.recording, { caseHash: deps.evidence.case(order.case), actor: order.actor }, deps),
    {
      recording: order.recording,
      // A deletion is stated in the same log: one that began meanwhile is seen here.
      isDone: () => assertThere(order.recording, deps.store).then(() => false),
      step: { step: 'retention-extended', outcome: 'ok', detail: `${order.case}: until ${order.until}` },
      change: (log) => log.retention.setRetainUntil(order.recording, order.until),
    },
  );
  const faults: string[] = [];
  const until = endOfDay(order.until).getTime();
  for (const copy of await deps.log.copies(order.recording)) {
    if (copy.retention === undefined || copy.removedAt !== undefined) continue;
    const { mode } = copy.retention;
    await tell(copy.destination, faults, deps, (archive) =>
      archive.setRetention(copy, { until, mode }, signal),
    );
  }
  return { faults };
}

async function assertThere(id: string, store: RetentionStore) {
  const row = await store.recording(id);
  if (row === undefined) throw new JobError('UNKNOWN_RECORDING', id);
  if (row.state === 'expired' || row.deletion !== undefined)
    throw new JobError('NOT_SEALED', `${id} is deleted, or being deleted`);
  return row;
}

function bodyOf(
  type: 'hold' | 'release',
  recording: string,
  who: { readonly caseHash: string; readonly actor: string },
  { evidence }: HoldDeps,
) {
  return { type, of: recording, caseHash: who.caseHash, actor: evidence.actor(who.actor) } as const;
}

async function tellArchives(
  recordings: readonly string[],
  on: boolean,
  deps: HoldDeps,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const faults: string[] = [];
  for (const recording of recordings)
    for (const copy of await deps.log.copies(recording))
      if (copy.removedAt === undefined)
        await tell(copy.destination, faults, deps, (archive) => archive.setHold(copy, on, signal));
  return [...new Set(faults)];
}

/** Archives that cannot hold are no fault: their administrator knows, and our own log keeps the recording. */
async function tell(
  name: string,
  faults: string[],
  { destinations }: HoldDeps,
  order: (archive: Destination) => Promise<void>,
): Promise<void> {
  const archive = destinations.get(name);
  if (archive === undefined) return;
  try {
    await order(archive);
  } catch (error) {
    if (error instanceof PermanentUploadError && error.fault === 'unsupported') return;
    faults.push(`${name}: ${String(error)}`);
  }
}
