import { performance } from 'node:perf_hooks';
import type { AlarmBell } from '../alarm.ts';
import type { Config } from '../config.ts';
import { clockFault, type ClockFacts } from '../jobs/clock-guard.ts';
import { expire, type ExpiryDeps } from '../jobs/expire.ts';
import { JobError } from '../jobs/job-error.ts';
import type { DeletionRun } from '../jobs/retention-ports.ts';
import type { Log } from '../log.ts';
import { today } from '../rules/retention.ts';
import { SqlLogStore } from '../store/log-store.ts';
import { SqlRetentionStore } from '../store/retention-store.ts';
import { openSystemClock } from '../store/system-clock.ts';
import type { Archive } from './archive-opening.ts';
import type { ArchiveLine } from './archive-line.ts';
import type { ClockConfirmation } from './clock-confirmation.ts';
import type { Ground } from './ground.ts';

export interface RetentionKeeperParts {
  readonly archive: Archive;
  readonly ground: Ground;
  readonly clock: ClockConfirmation;
  readonly bell: AlarmBell;
  readonly log: Log;
}

/** How often it is looked whether the day's deletions are due. */
const LOOK_EVERY = 60_000;
const TRY_AGAIN = 3_600_000;

/** Deletions for their time, by the clock and by hand. */
export interface RetentionRuns {
  /** Deletes now what is past its last day, after a run that is under way. Rejects with JobError STOPPING, or with StoreError. */
  run(): Promise<DeletionRun>;
  /** Why nothing would be deleted now, a sentence; undefined when nothing stands in the way. */
  hindrance(): Promise<string | undefined>;
  close(): Promise<void>;
}

/**
 * Deletes once a day, from the configured hour on, what is past its last day, until closed; with `retention.delete: false` only when a person
 * asks for it.
 */
export function openRetentionKeeper(config: Config, parts: RetentionKeeperParts): RetentionRuns {
  const keeper = new RetentionKeeper(config, parts);
  const timer = setInterval(() => {
    if (config.retention.delete) keeper.look();
  }, LOOK_EVERY);
  timer.unref();
  return {
    run: () => keeper.run(),
    hindrance: () => keeper.hindrance(),
    close: () => {
      clearInterval(timer);
      return keeper.close();
    },
  };
}

class RetentionKeeper {
  readonly #config: Config;
  readonly #parts: RetentionKeeperParts;
  readonly #began = { now: Date.now(), monotonic: performance.now() };
  readonly #clock = openSystemClock();
  readonly #abort = new AbortController();
  #running: Promise<void> | undefined;

  constructor(config: Config, parts: RetentionKeeperParts) {
    this.#config = config;
    this.#parts = parts;
  }

  look(): void {
    const line = this.#parts.archive.line();
    if (line === undefined || this.#abort.signal.aborted) return;
    this.#running ??= this.#runWhenDue(line)
      .catch((error: unknown) => {
        this.#parts.log('warn', 'what is past its time could not be deleted now', { error: String(error) });
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  async run(): Promise<DeletionRun> {
    for (let under = this.#running; under !== undefined; under = this.#running) await under;
    const mine = this.#runNow();
    this.#running = mine
      .then(
        () => undefined,
        () => undefined,
      )
      .finally(() => {
        this.#running = undefined;
      });
    return mine;
  }

  async hindrance(): Promise<string | undefined> {
    const line = this.#parts.archive.line();
    return line && clockFault(this.#facts(await line.newestEntryAt()));
  }

  async #runNow(): Promise<DeletionRun> {
    const line = this.#parts.archive.line();
    if (line === undefined || this.#abort.signal.aborted)
      throw new JobError('STOPPING', 'nothing is deleted while the recorder starts or stops');
    return this.#carryOut(line, this.#store());
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  async #runWhenDue(line: ArchiveLine): Promise<void> {
    const { timeZone, retention } = this.#config;
    const store = this.#store();
    const day = today(Date.now(), timeZone);
    const last = await store.lastRun();
    if (hourIn(timeZone) < retention.hour) return;
    if (last?.day === day && !this.#again(last)) return;
    await this.#carryOut(line, store);
  }

  #store(): SqlRetentionStore {
    const { installation, node } = this.#config;
    return new SqlRetentionStore(this.#parts.archive.database, { node: `${installation}/${node}` });
  }

  async #carryOut(line: ArchiveLine, store: SqlRetentionStore): Promise<DeletionRun> {
    const run = await expire(this.#deps(line, store), this.#abort.signal);
    const { deleted, pending, outcome } = run;
    // Whoever misses a file in an archive should find its tombstone there.
    if (deleted + pending > 0) line.publish();
    if (deleted + pending > 0 || outcome !== 'done')
      this.#parts.log('info', 'recordings past their time', { deleted, pending, outcome });
    return run;
  }

  /** A run that a doubtful clock stopped is tried again the same day, at once when somebody vouched for the clock. */
  #again({ outcome, at }: DeletionRun): boolean {
    if (outcome === 'done') return false;
    return (this.#parts.clock.at ?? 0) > at || Date.now() - at >= TRY_AGAIN;
  }

  #deps(line: ArchiveLine, store: SqlRetentionStore): ExpiryDeps {
    const { archive, ground, bell, log } = this.#parts;
    const { installation, node, timeZone } = this.#config;
    return {
      store,
      log: new SqlLogStore(archive.database, { node: `${installation}/${node}` }),
      evidence: line.evidence,
      destinations: line.destinations,
      files: ground.spool,
      now: Date.now,
      clockFault: async () => clockFault(this.#facts(await line.newestEntryAt())),
      today: () => today(Date.now(), timeZone),
      bell,
      tell: log,
    };
  }

  #facts(newestEntry: number | undefined): ClockFacts {
    return {
      now: Date.now(),
      monotonic: performance.now(),
      began: this.#began,
      lastAlive: this.#parts.ground.lastAlive,
      newestEntry,
      synced: this.#clock().clock !== 'unsynced',
      demand: this.#config.retention.clock,
      confirmed: this.#parts.clock.at !== undefined,
    };
  }
}

const hourIn = (timeZone: string): number =>
  Number(
    new Intl.DateTimeFormat('en-US', { timeZone, hour: 'numeric', hourCycle: 'h23' }).format(Date.now()),
  );
