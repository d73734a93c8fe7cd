import { withDeadline } from '../deadline.ts';
import { isOfRecording, PermanentUploadError } from './destination.ts';
import type { DeliveryRow } from './ports.ts';
import type { UploadJob } from './upload.ts';

export interface LaneDeps {
  /** Deliveries to the destination that may be tried now, oldest first. Rejects with StoreError. */
  readonly due: (destination: string, limit: number) => Promise<readonly DeliveryRow[]>;
  /** `onCopied` is called when the destination has the files, and what is left concerns others as much: another may be copied then. */
  readonly upload: (job: UploadJob, signal: AbortSignal, onCopied: () => void) => Promise<void>;
  /** Puts a failure into the log; the delivery is not tried again before `dueAt`, epoch milliseconds. */
  readonly noteFailure: (job: UploadJob, error: unknown, dueAt: number) => Promise<void>;
  /** Copies at a time. */
  readonly parallel: number;
  /** Resolves when a delivery may begin: what is more urgent goes first. Must not reject. */
  readonly pass?: (signal: AbortSignal) => Promise<void>;
  /** There may be something to do again. */
  readonly wake: () => void;
  readonly now: () => number;
}

/** One recording's turn at a destination, and what came of it. */
export interface Turn {
  readonly recording: string;
  readonly error?: Error;
}

/** Quick tries with growing pauses, a quarter of an hour in all; hourly from then on. */
const QUICK_TRIES = 10;
const LONGEST_PAUSE = 300_000;
const LONG_PAUSE = 3_600_000;
/** After so many failures in a row of the oldest recording the next one is tried as well: it may be that recording's fault. */
const DOUBTED_AFTER = 5;
/** A transfer that hangs must not hold up the destination for ever. */
const UPLOAD_TIMEOUT = 3_600_000;

const pauseAfter = (failures: number): number =>
  failures > QUICK_TRIES ? LONG_PAUSE : Math.min(1000 * 2 ** (failures - 1), LONGEST_PAUSE);

interface Outage {
  readonly failures: number;
  readonly until: number;
  /** Failed often: another one is tried beside it, at once. */
  readonly doubted?: string;
}

/**
 * The way to one destination. Recordings go oldest first, several at a time. The back-off is the destination's, not the recording's: when it
 * fails nothing more begins, and after a pause only the oldest recording is tried; when that one arrives the others follow in order. What is the
 * fault of one recording (its name is taken, say) sets that one aside for an hour and holds up no other. Which fault it is the error says, or, when
 * the oldest fails time and again, the next recording that arrives.
 *
 * What waits is in the log, so nothing here has to survive a restart; after one the first try is a single one where something had failed.
 */
export class DeliveryLane {
  readonly #destination: string;
  readonly #deps: LaneDeps;
  /** Recordings under way, and whether as the trial of an outage. */
  readonly #busy = new Map<string, boolean>();
  /** Those of them that take no place any more. */
  readonly #copied = new Set<string>();
  readonly #turns = new Set<Promise<Turn | undefined>>();
  /** Recordings that failed while others arrived, and how often: their faults are their own. */
  readonly #suspects = new Map<string, number>();
  #outage: Outage | undefined;
  #looked = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(destination: string, deps: LaneDeps) {
    this.#destination = destination;
    this.#deps = deps;
  }

  get parallel(): number {
    return this.#deps.parallel;
  }

  /** Nothing has arrived since it failed. */
  get failing(): boolean {
    return this.#outage !== undefined;
  }

  /** How many turns it would give now. */
  get free(): number {
    const { parallel, now } = this.#deps;
    if (this.#outage === undefined) return Math.max(0, parallel - this.#busy.size + this.#copied.size);
    const trying = [...this.#busy.values()].includes(true);
    return trying || (now() < this.#outage.until && this.#outage.doubted === undefined) ? 0 : 1;
  }

  /** Somebody may have helped: tries again at once. */
  retry(): void {
    this.#suspects.clear();
    if (this.#outage !== undefined) this.#rest({ failures: 0, until: this.#deps.now() });
  }

  /**
   * Delivers the oldest recording that may be tried now, and resolves with it when that is over; undefined when there is none, or the
   * destination rests. Rejects with StoreError when that cannot be found out, or what came of it not be noted. `onCopied` is called as soon
   * as its place is free, if that is earlier.
   */
  turn(signal: AbortSignal, onCopied: () => void = () => undefined): Promise<Turn | undefined> {
    const turn = this.#turn(signal, onCopied).finally(() => this.#turns.delete(turn));
    this.#turns.add(turn);
    return turn;
  }

  /** Resolves when the turns that are under way now are over, whoever asked for them. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#turns);
  }

  async #turn(signal: AbortSignal, onCopied: () => void): Promise<Turn | undefined> {
    await this.#deps.pass?.(signal);
    const recording = await this.#take();
    if (recording === undefined) return undefined;
    const job = { recording, destination: this.#destination };
    try {
      await withDeadline(signal, UPLOAD_TIMEOUT, (within) =>
        this.#deps.upload(job, within, () => {
          if (this.#busy.has(recording)) this.#copied.add(recording);
          onCopied();
        }),
      );
      this.#arrived(recording);
      return { recording };
    } catch (error) {
      if (!signal.aborted) await this.#failed(job, error);
      return { recording, error: asError(error) };
    } finally {
      this.#busy.delete(recording);
      this.#copied.delete(recording);
    }
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  async #take(): Promise<string | undefined> {
    if (this.free === 0) return undefined;
    // What ends while it is looked may still be among what is found.
    const underWay = new Set(this.#busy.keys());
    // Those under way, one that is doubted, and the one that is looked for.
    const rows = await this.#deps.due(this.#destination, this.#busy.size + this.#deps.parallel + 2);
    if (!this.#looked) {
      this.#looked = true;
      // An earlier process left it failing.
      if (rows.some(({ state }) => state === 'failed'))
        this.#outage = { failures: 0, until: this.#deps.now() };
    }
    // Others may have had their turn meanwhile.
    if (this.free === 0) return undefined;
    const next = rows.find(
      ({ recording }) =>
        !underWay.has(recording) && !this.#busy.has(recording) && recording !== this.#outage?.doubted,
    );
    if (next === undefined) this.#leaveDoubt();
    else this.#busy.set(next.recording, this.#outage !== undefined);
    return next?.recording;
  }

  /** There is no other recording to compare the oldest with. */
  #leaveDoubt(): void {
    if (this.#outage?.doubted === undefined) return;
    const { failures, until } = this.#outage;
    this.#rest({ failures, until });
  }

  #arrived(recording: string): void {
    this.#suspects.delete(recording);
    if (this.#outage === undefined || this.#busy.get(recording) !== true) return;
    const { doubted } = this.#outage;
    if (doubted !== undefined) this.#suspects.set(doubted, 0);
    clearTimeout(this.#timer);
    this.#outage = undefined;
    this.#deps.wake();
  }

  async #failed(job: UploadJob, error: unknown): Promise<void> {
    const { now, noteFailure } = this.#deps;
    const { recording } = job;
    const suspected = this.#suspects.get(recording);
    const own = isOfRecording(error) || suspected !== undefined;
    if (suspected !== undefined) this.#suspects.set(recording, suspected + 1);
    const pause = isOfRecording(error) ? LONG_PAUSE : pauseAfter(DOUBTED_AFTER + (suspected ?? 0));
    try {
      await noteFailure(job, error, own ? now() + pause : 0);
    } finally {
      // What began before the destination rested says nothing new.
      if (this.#outage === undefined ? !own : this.#busy.get(recording) === true)
        this.#rest(own ? { failures: 0, ...this.#outage, until: now() } : this.#blamed(recording, error));
    }
  }

  /** The destination failed, once more if it did before. */
  #blamed(recording: string, error: unknown): Outage {
    const { failures, until, doubted } = this.#outage ?? { failures: 0, until: 0 };
    if (doubted !== undefined) return { failures, until };
    const pause = error instanceof PermanentUploadError ? LONG_PAUSE : pauseAfter(failures + 1);
    return {
      failures: failures + 1,
      until: this.#deps.now() + pause,
      ...(failures + 1 >= DOUBTED_AFTER && { doubted: recording }),
    };
  }

  #rest(outage: Outage): void {
    this.#outage = outage;
    clearTimeout(this.#timer);
    const pause = outage.doubted === undefined ? outage.until - this.#deps.now() : 0;
    this.#timer = setTimeout(this.#deps.wake, Math.max(0, pause));
    this.#timer.unref();
  }
}

/** Not `instanceof Error`: errors may come from another realm. */
const asError = (error: unknown): Error =>
  typeof (error as { readonly message?: unknown } | null)?.message === 'string'
    ? (error as Error)
    : new Error(String(error));
