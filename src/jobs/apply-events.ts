import type { RecorderEvent } from '../recorder/events.ts';
import { policyName, RECORD_ALL } from '../rules/decision.ts';
import { applyPolicyEvent } from './apply-policy.ts';
import type { Chain, ChainTurn } from './chain.ts';
import type { JournalReader, LogStore, LogWriter, NumberedEvent } from './ports.ts';
import { isAway } from './shared-writes.ts';

export interface ApplyDeps {
  readonly journal: JournalReader;
  readonly store: LogStore;
  readonly chain: Chain;
  /** Keeps names out of the evidence log. */
  readonly actorSecret: Uint8Array;
  /** A recording ended and is in the log: it can be sealed. Must not throw. */
  readonly onEnded: (recording: string) => void;
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>) => void;
}

/** Events taken into one transaction. */
const BATCH = 1000;
/**
 * Milliseconds in which events come together, since a transaction costs more than many events; a small part of the second in
 * which evidence.md 1.4 wants the `open` entry.
 */
const GATHER = 50;
/** Milliseconds after which a database that is still at it, behind a lock perhaps, counts as away. */
const STALLED = 30_000;
/** Milliseconds between tries while the database is away. */
const RETRY = 1000;

/**
 * Carries what the recorder stated from the journal into the database and the evidence log, in order, each event once: its
 * effects and its number are written in one transaction. While the database is away the journal grows and nothing waits for it.
 */
export class EventApplier {
  readonly #deps: ApplyDeps;
  #running: Promise<void> | undefined;
  #again = false;
  #stopped = false;
  #retry: NodeJS.Timeout | undefined;
  #gathering: NodeJS.Timeout | undefined;
  #idle: (() => void)[] = [];
  #applied = 0;
  /** When the database was asked for what it has not answered yet. */
  #askedAt: number | undefined;

  constructor(deps: ApplyDeps) {
    this.#deps = deps;
    deps.journal.onAppend(() => {
      this.wake();
    });
  }

  /** Number of the last event in the database. */
  get applied(): number {
    return this.#applied;
  }

  /** Whether the last try to reach the database failed, or has lasted too long. */
  get away(): boolean {
    const asked = this.#askedAt;
    return this.#retry !== undefined || (asked !== undefined && performance.now() - asked > STALLED);
  }

  /** There are events, or there may be; they are taken soon, and at once when somebody waits for it. */
  wake(): void {
    this.#again = true;
    if (this.#idle.length > 0) this.#start();
    else
      this.#gathering ??= setTimeout(() => {
        this.#gathering = undefined;
        this.#start();
      }, GATHER);
  }

  #start(): void {
    if (this.#stopped || this.#running !== undefined || this.#retry !== undefined) return;
    this.#running = this.#run().finally(() => {
      this.#askedAt = undefined;
      this.#running = undefined;
      if (this.#again) this.wake();
    });
  }

  /** Resolves when every event appended before the call is in the database. */
  settled(): Promise<void> {
    const done = new Promise<void>((resolve) => this.#idle.push(resolve));
    this.wake();
    return done;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    clearTimeout(this.#gathering);
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      while (!this.#stopped) {
        this.#again = false;
        this.#askedAt = performance.now();
        const waiting = this.#idle;
        this.#applied = await this.#deps.store.cursor();
        const events = await this.#deps.journal.after(this.#applied, BATCH);
        if (events.length === 0) {
          this.#release(waiting);
          return;
        }
        await this.#apply(events);
        // The rest comes together again.
        if (events.length < BATCH && this.#idle.length === 0) return;
      }
    } catch (error) {
      this.#deps.log('warn', 'the log cannot take events now, they stay in the journal', {
        error: String(error),
      });
      this.#retryLater();
    }
  }

  #release(waiting: readonly (() => void)[]): void {
    this.#idle = this.#idle.filter((resolve) => !waiting.includes(resolve));
    for (const resolve of waiting) resolve();
  }

  #retryLater(): void {
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.wake();
    }, RETRY);
    this.#retry.unref();
  }

  async #apply(events: readonly NumberedEvent[]): Promise<void> {
    try {
      await this.#write(events);
    } catch (error) {
      if (isAway(error)) throw error;
      for (const event of events) await this.#applyAlone(event);
    }
    const last = events.at(-1)?.sequence ?? 0;
    this.#applied = last;
    for (const { event } of events) if (event.type === 'ended') this.#deps.onEnded(event.recording);
    await this.#deps.journal.forget(last);
  }

  async #write(events: readonly NumberedEvent[]): Promise<void> {
    await this.#deps.chain.exclusively(async (turn) => {
      await this.#deps.store.write(async (log) => {
        for (const { event } of events) await applyEvent(event, log, turn, this.#deps.actorSecret);
        await log.setCursor(events.at(-1)?.sequence ?? 0);
      });
      turn.commit();
    });
  }

  /** One event that the database will never take must not hold up those behind it; it is kept in the steps, whole. */
  async #applyAlone(numbered: NumberedEvent): Promise<void> {
    try {
      await this.#write([numbered]);
    } catch (error) {
      if (isAway(error)) throw error;
      const detail = JSON.stringify({ event: numbered.event, error: String(error) });
      this.#deps.log('error', 'an event contradicts the log and was set aside', { detail });
      await this.#deps.store.write(async (log) => {
        await log.addStep({ at: numbered.event.at, step: 'event-set-aside', outcome: 'error', detail });
        await log.setCursor(numbered.sequence);
      });
    }
  }
}

async function applyEvent(
  event: RecorderEvent,
  log: LogWriter,
  turn: ChainTurn,
  actorSecret: Uint8Array,
): Promise<void> {
  switch (event.type) {
    case 'opened':
      return applyOpened(event, log, turn);
    case 'described':
      await log.describeRecording(event.recording, event.description);
      return log.addStep({ recording: event.recording, at: event.at, step: 'described', outcome: 'ok' });
    case 'noted':
      return applyNoted(event, log, turn);
    case 'paused':
    case 'resumed':
      return applyPause(event, log, turn);
    case 'stopping':
      return log.stopRecording(event.recording, event.stopped);
    case 'marked':
      return log.addMark(event.recording, event.mark);
    case 'segment':
      return applySegment(event, log, turn);
    case 'ended':
      return applyEnded(event, log, turn);
    case 'failed':
      return applyFailed(event, log, turn);
    case 'refused':
      return applyRefused(event, log, turn);
    default:
      return applyPolicyEvent(event, log, turn, actorSecret);
  }
}

/** Pauses are the business of the evidence log too: what is missing on purpose must be told from what is missing. */
const PAUSES: Readonly<Record<string, 'pause' | 'resume'>> = { paused: 'pause', resumed: 'resume' };
/** Who paused, when the note says nothing else: the client, by a re-INVITE (RFC 7866 §7.1). */
const BY_CLIENT = 'src';

async function applyNoted(
  event: Extract<RecorderEvent, { type: 'noted' }>,
  log: LogWriter,
  turn: ChainTurn,
): Promise<void> {
  const { recording, at, step, detail } = event;
  const type = PAUSES[step];
  if (type !== undefined) {
    const cause = /^(?:operator|policy)$/.exec(detail ?? '')?.[0] ?? BY_CLIENT;
    const { entry, headAfter } = turn.prepare({ type, rec: recording, cause }, recording);
    await log.appendEntry(entry, headAfter);
  }
  await log.addStep({
    recording,
    at,
    step,
    outcome: step.endsWith('failed') ? 'error' : 'ok',
    ...(detail === undefined ? {} : { detail }),
  });
}

async function applyOpened(
  event: Extract<RecorderEvent, { type: 'opened' }>,
  log: LogWriter,
  turn: ChainTurn,
): Promise<void> {
  const { entry, headAfter } = turn.prepare(
    { type: 'open', rec: event.recording, policy: policyName(event.decision ?? RECORD_ALL) },
    event.recording,
  );
  await log.openRecording({
    id: event.recording,
    facts: event.facts,
    description: event.description,
    ...(event.decision === undefined ? {} : { decision: event.decision }),
    openedAt: event.at,
    startedAt: event.startedAt,
    ...(event.keysMissingSince === undefined ? {} : { keysMissingSince: event.keysMissingSince }),
    openIndex: entry.index,
  });
  await log.appendEntry(entry, headAfter);
  await log.addStep({ recording: event.recording, at: event.at, step: 'opened', outcome: 'ok' });
  if (event.keysMissingSince !== undefined)
    await log.addStep({
      recording: event.recording,
      at: event.at,
      step: 'recorded-without-keys',
      outcome: 'warning',
      detail: `the signing keys were missing since ${new Date(event.keysMissingSince).toISOString()}`,
    });
}

/** A hold keeps nothing from being recorded: it is a step, and no entry. */
async function applyPause(
  event: Extract<RecorderEvent, { type: 'paused' | 'resumed' }>,
  log: LogWriter,
  turn: ChainTurn,
): Promise<void> {
  const { recording, at, cause, actor } = event;
  const paused = event.type === 'paused';
  if (cause !== 'hold') {
    const { entry, headAfter } = turn.prepare(
      { type: paused ? 'pause' : 'resume', rec: recording, cause },
      recording,
    );
    await log.appendEntry(entry, headAfter);
  }
  const step = cause === 'hold' ? (paused ? 'held' : 'unheld') : event.type;
  await log.addStep({
    recording,
    at,
    step,
    outcome: 'ok',
    detail: cause,
    ...(actor === undefined ? {} : { actor }),
  });
}

async function applySegment(
  { recording, file, n, bytes, sha256 }: Extract<RecorderEvent, { type: 'segment' }>,
  log: LogWriter,
  turn: ChainTurn,
): Promise<void> {
  const { entry, headAfter } = turn.prepare(
    { type: 'segment', rec: recording, file, n, bytes, hash: sha256 },
    recording,
  );
  await log.appendEntry(entry, headAfter);
}

async function applyEnded(
  event: Extract<RecorderEvent, { type: 'ended' }>,
  log: LogWriter,
  turn: ChainTurn,
): Promise<void> {
  const { recording, at, reason, status } = event;
  if (reason === 'crash') {
    const bytes = event.capture.files.reduce((sum, file) => sum + file.bytes, 0);
    const { entry, headAfter } = turn.prepare(
      { type: 'recovered', rec: recording, bytes, how: 'start-up-scan' },
      recording,
    );
    await log.appendEntry(entry, headAfter);
  }
  await log.endRecording(recording, event);
  if (reason === 'stopped') await applyStopped(event, log, turn);
  const outcome = status === 'complete' ? 'ok' : 'warning';
  await log.addStep({ recording, at, step: 'ended', outcome, detail: `${reason}, ${status}` });
}

/** What is missing because somebody wanted so is told from what is missing: a `pause` that nothing resumes. */
async function applyStopped(
  event: Extract<RecorderEvent, { type: 'ended' }>,
  log: LogWriter,
  turn: ChainTurn,
): Promise<void> {
  const { recording, capture } = event;
  const { how = 'api', at = event.at, actor = 'unknown' } = capture.stopped ?? {};
  const cause = how === 'api' ? 'stopped-by-operator' : 'stopped-by-user';
  const { entry, headAfter } = turn.prepare({ type: 'pause', rec: recording, cause }, recording);
  await log.appendEntry(entry, headAfter);
  await log.addStep({ recording, at, step: 'stopped', outcome: 'ok', detail: how, actor });
}

async function applyFailed(
  event: Extract<RecorderEvent, { type: 'failed' }>,
  log: LogWriter,
  turn: ChainTurn,
): Promise<void> {
  const { recording, at, reason, detail } = event;
  const open = await log.openIndexOf(recording);
  const { entry, headAfter } = turn.prepare({ type: 'failed', rec: recording, open, reason }, recording);
  await log.appendEntry(entry, headAfter);
  await log.failRecording(recording, { at, reason, entryIndex: entry.index });
  await log.addStep({ recording, at, step: 'failed', outcome: 'error', detail: `${reason}: ${detail}` });
}

async function applyRefused(
  event: Extract<RecorderEvent, { type: 'refused' }>,
  log: LogWriter,
  turn: ChainTurn,
): Promise<void> {
  const { entry, headAfter } = turn.prepare({
    type: 'refused',
    reason: event.reason,
    count: event.count,
    window: event.windowSeconds,
  });
  await log.appendEntry(entry, headAfter);
  const who = [event.trunk, event.callId].filter((part) => part !== undefined).join(' ');
  await log.addStep({
    at: event.at,
    step: 'refused',
    outcome: 'warning',
    detail: `${event.count} x ${event.reason} ${event.detail} ${who}`.trim(),
  });
}
