import { deleteRecording, type DeletionDeps } from '../jobs/delete-recording.ts';
import { extendRetention, placeHold, releaseHold } from '../jobs/holds.ts';
import { JobError } from '../jobs/job-error.ts';
import { today } from '../rules/retention.ts';
import type { ClockConfirmation } from './clock-confirmation.ts';
import type { RetentionRuns } from './retention-keeper.ts';
import type { RetentionDesk } from '../web/api/retention-routes.ts';

export interface RetentionDeskParts {
  readonly deps: DeletionDeps;
  readonly timeZone: string;
  readonly clock: ClockConfirmation;
  readonly runs: Pick<RetentionRuns, 'run' | 'hindrance'>;
  /** Signs and exports the log soon: whoever misses a file in an archive should find its tombstone there. */
  readonly publish: () => void;
}

/** An archive that hangs must not keep whoever ordered waiting; what it did not do is reported as not done. */
const PATIENCE = 50_000;
const LISTED = 1000;

/** Takes orders of people about keeping and deleting, and has the jobs carry them out. */
export function openRetentionDesk({
  deps,
  timeZone,
  clock,
  runs,
  publish,
}: RetentionDeskParts): RetentionDesk {
  const { store } = deps;
  const patience = (): AbortSignal => AbortSignal.timeout(PATIENCE);
  const day = (): string => today(deps.now(), timeZone);
  const published = async <T>(work: Promise<T>): Promise<T> => {
    const done = await work;
    publish();
    return done;
  };
  return {
    holds: () => store.holds(),
    place: (order) => published(placeHold(order, deps, patience())),
    release: (order) => published(releaseHold(order, deps, patience())),
    extend: (order) => published(extendRetention(order, deps, patience())),
    delete: async ({ recording, early, ...order }) => {
      const { kept, deletion } = (await store.recording(recording)) ?? {};
      const until = kept?.until;
      // What has begun was allowed then.
      if (!early && deletion === undefined && until !== undefined && until >= day())
        throw new JobError(
          'NOT_DUE',
          `${recording} has to be kept until ${until}, unless it is ordered before its time`,
        );
      return published(deleteRecording(recording, order, deps, patience()));
    },
    run: async () => {
      // One with thousands of recordings goes on when nobody waits for it any more.
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<undefined>((resolve) => {
        timer = setTimeout(resolve, PATIENCE, undefined);
      });
      return Promise.race([runs.run(), late]).finally(() => {
        clearTimeout(timer);
      });
    },
    confirmClock: () => {
      clock.give(deps.now());
    },
    report: async (asked) => {
      const by = asked ?? day();
      return {
        day: by,
        ...(await store.countDue(by)),
        rows: await store.due(by, LISTED),
        begun: await store.begun(),
        lastRun: await store.lastRun(),
        hindrance: await runs.hindrance(),
      };
    },
  };
}
