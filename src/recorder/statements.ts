import type { AlarmBell } from '../alarm.ts';
import type { RecorderEvent } from './events.ts';
import { countsText, isAlwaysKept, isDetail, LostStatements } from './lost-statements.ts';
import type { EventJournal } from './ports.ts';

export interface StatementDeps {
  readonly journal: EventJournal;
  /** Without it nothing rings. */
  readonly bell?: AlarmBell | undefined;
  readonly now: () => number;
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>) => void;
}

/** Milliseconds between tries while the journal refuses. */
const RETRY = 1000;
/** Events kept while the journal refuses; calls are turned away then, so only those already running can add any. */
const MOST = 50_000;
/** Milliseconds between log lines about what is lost. */
const SAY_EVERY = 60_000;
const LOST = 'statements-lost';

/**
 * States events in the journal, in order, and again when the disk refused them: a full disk must not make the end of a
 * recording vanish. Of more than can be kept, details are lost first and what says that there was a call last; how many of
 * which kind is stated as soon as the disk takes events again. What is still not stated when the process ends is found out by
 * the next start, as far as the files of the recordings tell it.
 */
export class Statements {
  readonly #deps: StatementDeps;
  #refused: RecorderEvent[] = [];
  readonly #lost = new LostStatements();
  #saidAt = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(deps: StatementDeps) {
    this.#deps = deps;
  }

  /** How many wait for the disk, and how many were lost since the start, by kind. */
  get counts(): { readonly waiting: number; readonly lost: Readonly<Record<string, number>> } {
    return { waiting: this.#refused.length, lost: this.#lost.totals };
  }

  /** Resolves with true when the event is on disk, with false when it has to wait for the disk. Never rejects. */
  async state(event: RecorderEvent): Promise<boolean> {
    if (this.#refused.length > 0) return this.#keep(event);
    try {
      await this.#deps.journal.append(event);
      return true;
    } catch (error) {
      this.#deps.log('error', 'an event could not be journalled and is kept in memory', {
        event: event.type,
        error: String(error),
      });
      return this.#keep(event);
    }
  }

  /** Tries once more, now. Resolves with true when nothing waits any more. */
  async retry(): Promise<boolean> {
    this.#turn = this.#turn.then(() => this.#drain());
    await this.#turn;
    return this.#refused.length === 0;
  }

  /** Tries for the last time; what does not get to the disk now is gone, and the log of the process says how much. */
  async atEnd(): Promise<void> {
    if (await this.retry()) return;
    for (const event of this.#refused) this.#lost.add(event);
    const counts = countsText(this.#lost.unstated?.counts ?? {});
    this.#deps.log('error', 'the journal takes nothing: these statements end with the process', { counts });
  }

  #keep(event: RecorderEvent): false {
    if (this.#refused.length < MOST || isAlwaysKept(event) || (!isDetail(event) && this.#giveWay()))
      this.#refused.push(event);
    else this.#lose(event);
    this.#timer ??= setInterval(() => void this.retry(), RETRY).unref();
    return false;
  }

  /** Drops the newest detail; never the first of all, which may be on its way to the disk. */
  #giveWay(): boolean {
    const place = this.#refused.findLastIndex(isDetail);
    if (place <= 0) return false;
    for (const dropped of this.#refused.splice(place, 1)) this.#lose(dropped);
    return true;
  }

  #lose(event: RecorderEvent): void {
    const { bell, log, now } = this.#deps;
    this.#lost.add(event);
    bell?.raise({
      code: LOST,
      severity: 'critical',
      text: `the journal takes nothing and ${MOST} statements wait for it; what exceeds them is lost, and how many will be stated: make room for the journal on its disk`,
    });
    if (now() - this.#saidAt < SAY_EVERY) return;
    this.#saidAt = now();
    const counts = countsText(this.#lost.unstated?.counts ?? {});
    log('error', 'statements are lost: the journal takes nothing, and no more can be kept', { counts });
  }

  async #drain(): Promise<void> {
    for (let [event] = this.#refused; event !== undefined; [event] = this.#refused) {
      try {
        await this.#deps.journal.append(event);
      } catch {
        return;
      }
      this.#refused.shift();
    }
    if (!(await this.#stateLoss())) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** False when it has to wait for the disk. */
  async #stateLoss(): Promise<boolean> {
    const { journal, bell, log, now } = this.#deps;
    const loss = this.#lost.unstated;
    if (loss === undefined) return true;
    try {
      await journal.append({ type: 'outage', phase: 'lost', at: now(), ...loss });
    } catch {
      return false;
    }
    this.#lost.stated();
    bell?.clear(LOST);
    log('error', 'statements were lost, as the evidence log says', { counts: countsText(loss.counts) });
    return true;
  }
}
