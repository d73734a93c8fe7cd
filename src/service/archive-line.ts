import { adoptSealed } from '../jobs/adopt.ts';
import type { Chain, ClockReading } from '../jobs/chain.ts';
import { EventApplier } from '../jobs/apply-events.ts';
import type { Destination } from '../jobs/destination.ts';
import type { EvidenceLog } from '../jobs/evidence-log.ts';
import { HandOver } from '../jobs/hand-over.ts';
import type { TimeStampAuthority } from '../jobs/stamp.ts';
import type { AlarmBell } from '../alarm.ts';
import type { Counters } from '../jobs/heartbeat.ts';
import { JobError } from '../jobs/job-error.ts';
import type { JournalReader, LogStore, RecordingRow, RenderRow, SealFiles } from '../jobs/ports.ts';
import type { JobQueues } from '../jobs/queues.ts';
import { outstanding, reconcile, sealJobId } from '../jobs/reconcile.ts';
import { renderJobId, type RenderDeps } from '../jobs/render.ts';
import type { Installation } from '../jobs/recording-info.ts';
import { endRun } from '../jobs/run-log.ts';
import type { RollDeps } from '../jobs/roll-key.ts';
import type { Epoch } from '../jobs/find-epoch.ts';
import { seal, type SealDeps } from '../jobs/seal.ts';
import { SealsFirst } from '../jobs/seals-first.ts';
import { SealGroup } from '../jobs/seal-group.ts';
import { DeliveryGroup } from '../jobs/delivery-group.ts';
import type { DeliveryLanes } from '../jobs/delivery-lanes.ts';
import { uploadJobId, type UploadDeps } from '../jobs/upload.ts';
import type { CurrentSigner } from '../evidence/current-signer.ts';
import type { Log } from '../log.ts';
import type { EventJournal, RecordingFolders } from '../recorder/ports.ts';
import { recoverRecording } from './crash-recovery.ts';
import { openChain, settleKeys, type KeysAtStart } from './chain-opening.ts';
import { settleEpoch } from './epoch.ts';
import { EvidenceLine } from './evidence-line.ts';
import { inTime } from './in-time.ts';
import { openLanes } from './lanes-opening.ts';
import { Rendering } from './rendering.ts';
import { beginRunOnce } from './run-opening.ts';
import { OnFoot } from './on-foot.ts';
import type { Peering, Peers } from './peering.ts';

export interface ArchiveLineOptions {
  readonly store: LogStore;
  readonly journal: JournalReader & EventJournal;
  readonly files: SealFiles & RecordingFolders;
  readonly keys: KeysAtStart;
  readonly signer: CurrentSigner;
  readonly clock: () => ClockReading;
  readonly installation: Installation;
  readonly origin: string;
  readonly policyHash: string;
  readonly lastAlive: number | undefined;
  readonly counters: () => Promise<Counters>;
  readonly authorities: readonly TimeStampAuthority[];
  readonly peers: Peers;
  readonly bell: AlarmBell;
  /** Keeps the names of users out of the log. */
  readonly actorSecret: Uint8Array;
  /** Where recordings go. */
  readonly destinations: readonly Destination[];
  /** Uploads at a time, by destination. */
  readonly parallel: ReadonlyMap<string, number>;
  /** The recorder's own copy of the evidence log. */
  readonly localEvidence: Destination;
  /** Where in them, how locked, and what becomes of the spool then. */
  readonly placing: Pick<UploadDeps, 'folderOf' | 'lockModeOf' | 'release'>;
  readonly keep: SealDeps['keep'];
  readonly render: Pick<RenderDeps, 'renderer' | 'maxRate' | 'patience'>;
  readonly onJudged: NonNullable<SealDeps['onJudged']>;
  readonly queues: JobQueues;
  readonly checkpointMilliseconds: number;
  readonly isLive: (recording: string) => boolean;
  /** See `Recorder.continuationOf`. */
  readonly continuationOf: (recording: string) => Promise<string | undefined> | undefined;
  /** Before this process took its first call, epoch milliseconds: what the log calls running since earlier was cut off. */
  readonly startedAt: number;
  /** Logs whose run this process has begun: to open the line again is no restart. */
  readonly begun: Set<string>;
  readonly onSealed: NonNullable<SealDeps['onSealed']>;
  readonly atStep?: NonNullable<SealDeps['atStep']>;
  readonly log: Log;
}

/** Everything behind the point where real time ends: journal to log, seal, delivery, checkpoints. */
export interface ArchiveLine {
  /** For whoever has something to state: jobs, the API. */
  readonly evidence: EvidenceLog;
  readonly destinations: ReadonlyMap<string, Destination>;
  /** Recordings for outsiders. */
  readonly handOver: HandOver;
  /** With the other recorders. */
  readonly peering: Peering;
  /** When the newest entry of the evidence log was written, epoch milliseconds. Rejects with StoreError. */
  newestEntryAt(): Promise<number | undefined>;
  /** Tries a destination, or all, again at once: somebody has helped. */
  retryDeliveries(destination: string | undefined): void;
  /** Signs and exports the log soon, when something must not wait for the next checkpoint. */
  publish(): void;
  /** Number of the newest journal event in the database. */
  applied(): number;
  /** What a key roll is made with. */
  readonly rolling: RollDeps;
  /** Checkpoint and export now instead of in a few minutes. */
  checkpointNow(): void;
  /** Whether the database answered when it was last asked. */
  databaseAnswers(): boolean;
  /**
   * Seals and delivers everything that has ended; gives up at the deadline (epoch milliseconds), and earlier when the database
   * does not answer: the journal keeps it for the next start.
   */
  workOff(deadline: number): Promise<void>;
  /**
   * Closes the chain with an entry and exports the last checkpoint. Nothing may be offered any more. Rejects with JobError
   * NOT_CLOSED when the database does not answer.
   */
  closeLog(deadline: number): Promise<void>;
  close(): Promise<void>;
}

const RECONCILE_EVERY = 10_000;
/** A walk ends after this, in milliseconds; the next one goes on. */
const WALK_TIMEOUT = 3_600_000;
/** Milliseconds without any progress of the database after which a stop no longer waits for it. */
const STANDSTILL = 5000;
const GLANCE = 500;
const DATABASE_RETRY = 1000;

export async function startArchiveLine(options: ArchiveLineOptions): Promise<ArchiveLine> {
  const { store, log } = options;
  options.journal.reserve(await store.cursor());
  const sealing = {
    store,
    files: options.files,
    destinations: options.destinations.map(({ name }) => name),
    now: Date.now,
  };
  const { origin, predecessor, ...epoch } = await settleEpoch(options);
  const { signer } = options;
  const chain = await openChain(origin, { store, signer, clock: options.clock, now: Date.now });
  await beginRunOnce(options, { chain, predecessor });
  await settleKeys(options.keys, { store, chain, signer, now: Date.now });
  const sealDeps: SealDeps = {
    ...sealing,
    group: new SealGroup(chain, store),
    signer,
    installation: options.installation,
    keep: options.keep,
    adopt: (row) => adoptSealed(row, { ...options, ...options.placing, chain, now: Date.now }),
    bell: options.bell,
    onJudged: options.onJudged,
    onSealed: options.onSealed,
    ...(options.atStep === undefined ? {} : { atStep: options.atStep }),
  };
  const line = new Line(options, chain, sealDeps, epoch);
  try {
    await line.open();
  } catch (error) {
    // The next try begins another one: two would both take from the journal.
    await line.close();
    throw error;
  }
  log('info', 'evidence log open', { origin, entries: chain.head.size });
  return line;
}

class Line implements ArchiveLine {
  readonly evidence: EvidenceLog;
  readonly handOver: HandOver;
  readonly peering: Peering;
  readonly rolling: RollDeps;
  readonly #line: EvidenceLine;
  readonly #options: ArchiveLineOptions;
  readonly #chain: Chain;
  readonly #sealDeps: SealDeps;
  readonly #uploadDeps: UploadDeps;
  readonly #applier: EventApplier;
  readonly #queues: JobQueues;
  readonly #rendering: Rendering;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #sealsFirst = new SealsFirst();
  readonly #lanes: DeliveryLanes;
  readonly #onFoot: OnFoot;
  readonly #outstanding: Parameters<typeof outstanding>[0];
  #logReadable = true;
  #patience = STANDSTILL;
  #ending = false;
  #closed = false;
  #reconciling: Promise<void> | undefined;
  readonly #recoveries: Promise<void>[] = [];
  #checkpointing: Promise<void> = Promise.resolve();
  #lastCheckpoint = 0;

  constructor(
    options: ArchiveLineOptions,
    chain: Chain,
    sealDeps: SealDeps,
    epoch: Pick<Epoch, 'unchecked' | 'toFinish'>,
  ) {
    this.#options = options;
    this.#chain = chain;
    this.#sealDeps = { ...sealDeps, awaitsCopy: (row, copy) => this.#awaitsCopy(row, copy) };
    this.#line = new EvidenceLine({
      ...options,
      chain,
      toFinish: epoch.toFinish,
      unchecked: epoch.unchecked,
    });
    this.rolling = { store: options.store, chain, signer: options.signer, now: Date.now };
    this.evidence = this.#line.evidence;
    this.peering = this.#line.peering;
    this.#uploadDeps = {
      ...this.#line.exports,
      prove: (recording) => this.#line.prove(recording),
      group: new DeliveryGroup(this.evidence, Date.now),
      destinations: new Map(options.destinations.map((destination) => [destination.name, destination])),
      files: options.files,
      ...options.placing,
      now: Date.now,
    };
    this.handOver = new HandOver({
      ...this.#uploadDeps,
      evidence: this.evidence,
      treeOf: (origin) => this.#line.treeOf(origin),
      signaturesOf: this.#line.signaturesOf,
    });
    this.#rendering = new Rendering({
      store: options.store,
      files: options.files,
      now: Date.now,
      ...options.render,
    });
    this.#lanes = openLanes(this.#uploadDeps, {
      ...options,
      sealsFirst: this.#sealsFirst,
      wake: () => {
        this.#reconcile();
      },
    });
    this.#onFoot = new OnFoot(this.#lanes, options.log);
    this.#outstanding = { store: options.store, lanes: this.#lanes, now: Date.now };
    this.#applier = new EventApplier({
      journal: options.journal,
      store: options.store,
      chain,
      actorSecret: options.actorSecret,
      log: options.log,
      onEnded: (recording) => {
        this.#askForSeal(recording);
      },
    });
    this.#queues = options.queues;
  }

  applied(): number {
    return this.#applier.applied;
  }

  get destinations(): ReadonlyMap<string, Destination> {
    return this.#uploadDeps.destinations;
  }

  newestEntryAt(): Promise<number | undefined> {
    return this.#line.newestEntryAt();
  }

  retryDeliveries(destination: string | undefined): void {
    this.#lanes.retry(destination);
    this.#reconcile();
  }

  publish(): void {
    if (!this.#ending) this.checkpointNow();
  }

  databaseAnswers(): boolean {
    return this.#logReadable && !this.#applier.away;
  }

  async open(): Promise<void> {
    await this.#applier.settled();
    await this.#recoverCrashed();
    this.#queues.work({
      seal: ({ recording }) => this.#seal(recording),
      render: async ({ recording }, signal) => {
        await this.#rendering.make(recording, signal);
        this.#askForSeal(recording);
      },
      upload: ({ destination }, signal) => this.#lanes.deliver(destination, signal),
    });
    this.#queues.onConnected(() => {
      this.#reconcile();
    });
    // At once, and on foot: what the process before was working on when it died is still locked in its queue.
    this.#catchUp(this.#walk(AbortSignal.timeout(WALK_TIMEOUT)));
    this.#every(RECONCILE_EVERY, () => {
      this.#reconcile();
    });
    this.#line.start();
    this.#every(this.#options.checkpointMilliseconds, () => {
      this.checkpointNow();
    });
    this.checkpointNow();
  }

  async workOff(deadline: number): Promise<void> {
    this.#ending = true;
    for (const timer of this.#timers) clearInterval(timer);
    await inTime(Promise.all(this.#recoveries), deadline);
    if (!(await this.#settled(deadline))) return;
    await inTime(Promise.all([this.#reconciling, this.#onFoot.idle()]), deadline);
    await this.#walk(until(deadline));
    await inTime(this.#rendering.idle(), deadline);
    // What a worker of the queues has begun counts as well.
    await inTime(Promise.all([this.#onFoot.idle(), this.#lanes.idle()]), deadline);
  }

  async closeLog(deadline: number): Promise<void> {
    const closed =
      (await this.#settled(deadline)) &&
      (await inTime(
        this.#checkpointing
          .then(() => this.#line.stop())
          .then(() => this.#line.beat())
          .then(() => endRun({ store: this.#options.store, chain: this.#chain })),
        deadline,
      ));
    if (!closed)
      throw new JobError(
        'NOT_CLOSED',
        'the database does not answer; the journal keeps what it lacks, and the next start states the outage',
      );
    await this.#line.round(until(deadline), true);
    this.#options.log('info', 'evidence log closed', { entries: this.#chain.head.size });
  }

  async close(): Promise<void> {
    this.#ending = true;
    this.#closed = true;
    this.#lanes.close();
    await this.#line.stop();
    for (const timer of this.#timers) clearInterval(timer);
    await this.#applier.stop();
    await this.#reconciling;
    await this.#checkpointing;
  }

  /** Waits for the playable copy where there is to be one: what is sealed is closed. */
  #awaitsCopy(row: RecordingRow, copy: RenderRow | undefined): boolean {
    const isAwaited = this.#rendering.isAwaited(row, copy);
    if (isAwaited) this.#ask('render', renderJobId(row.id), { recording: row.id });
    return isAwaited;
  }

  async #seal(recording: string): Promise<void> {
    const sealed = await this.#sealsFirst.sealing(recording, () => seal(recording, this.#sealDeps));
    // Also where nothing is delivered. Nobody waits for it: the next seal can begin.
    if (sealed)
      void this.#attempt('proof', () => this.#line.prove(recording)).then(() => {
        for (const job of this.#lanes.jobsFor(recording)) this.#ask('upload', uploadJobId(job), job);
      });
    // The first recording after a long silence should not wait for its checkpoint.
    if (Date.now() - this.#lastCheckpoint > this.#options.checkpointMilliseconds) this.checkpointNow();
  }

  #askForSeal(recording: string): void {
    this.#sealsFirst.due(recording);
    this.#ask('seal', sealJobId(recording), { recording });
  }

  /** With Redis away the work begins on foot, at once. */
  #ask(queue: 'seal' | 'upload' | 'render', id: string, data: object): void {
    if (this.#queues.connected())
      this.#queues.request(queue, id, data).catch(() => {
        this.#reconcile();
      });
    else this.#reconcile();
  }

  /** False when the database stood still, or at the deadline. */
  async #settled(deadline: number): Promise<boolean> {
    for (;;) {
      const before = this.#applier.applied;
      if (await inTime(this.#applier.settled(), Math.min(deadline, Date.now() + this.#patience))) return true;
      if (this.#applier.applied !== before && Date.now() < deadline) continue;
      // It was waited for once; the next step of the stop only looks whether it is back.
      this.#patience = GLANCE;
      return false;
    }
  }

  /** Recordings that a crash cut off: their audio is on disk, their end is not in the log (evidence.md 1.7, restart). */
  async #recoverCrashed(): Promise<void> {
    const { isLive, startedAt, continuationOf } = this.#options;
    for (const row of await this.#cutOff()) {
      if (isLive(row.id) || row.openedAt >= startedAt) continue;
      const later = continuationOf(row.id)?.then((next) => recoverRecording(row, next, this.#options));
      if (later === undefined) await recoverRecording(row, undefined, this.#options);
      else this.#recoveries.push(this.#attempt('recovery', () => later));
    }
    await this.#applier.settled();
  }

  /** Waits for a database that went away again: to begin a second line beside this one would be worse. */
  async #cutOff(): Promise<readonly RecordingRow[]> {
    for (;;) {
      try {
        return await this.#options.store.recordingsInState('recording');
      } catch (error) {
        if (this.#closed) return [];
        this.#options.log('warn', 'what a crash cut off could not be found out', { error: String(error) });
        await new Promise((resolve) => setTimeout(resolve, DATABASE_RETRY));
      }
    }
  }

  #every(milliseconds: number, work: () => void): void {
    this.#timers.push(setInterval(work, milliseconds));
  }

  #reconcile(): void {
    if (this.#reconciling !== undefined || this.#ending) return;
    const onFoot = (): Promise<void> => this.#walk(AbortSignal.timeout(WALK_TIMEOUT));
    if (!this.#queues.connected()) {
      this.#catchUp(onFoot());
      return;
    }
    const asked = reconcile({ ...this.#outstanding, queues: this.#queues });
    // Connected is not yet working: a Redis may be out of memory, read-only, or hang.
    this.#catchUp(asked.catch(onFoot));
  }

  #catchUp(work: Promise<unknown>): void {
    this.#reconciling = work
      .then(
        () => {
          this.#logReadable = true;
        },
        (error: unknown) => {
          this.#logReadable = false;
          this.#options.log('warn', 'what is still to be done could not be found out', {
            error: String(error),
          });
        },
      )
      .finally(() => {
        this.#reconciling = undefined;
      });
  }

  /**
   * Redis is a motor; without it the work is done on foot. A worker may do the same at the same time: every step can be taken
   * twice. Resolves when everything is sealed and the uploads have begun.
   */
  async #walk(signal: AbortSignal): Promise<void> {
    const { seals } = await outstanding(this.#outstanding);
    for (const recording of seals)
      if (!signal.aborted) await this.#attempt('seal', () => this.#seal(recording));
    const { seals: waiting, uploads } = await outstanding(this.#outstanding);
    this.#rendering.walk(waiting, signal, (recording) => this.#seal(recording));
    this.#onFoot.begin(uploads, signal);
  }

  checkpointNow(): void {
    this.#lastCheckpoint = Date.now();
    this.#checkpointing = this.#checkpointing.then(() => this.#line.round(AbortSignal.timeout(WALK_TIMEOUT)));
  }

  async #attempt(what: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#options.log('error', `${what} failed`, { error: String(error) });
    }
  }
}

const until = (deadline: number): AbortSignal => AbortSignal.timeout(Math.max(1, deadline - Date.now()));
