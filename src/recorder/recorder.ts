import type { AlarmBell } from '../alarm.ts';
import type { CaptureLine, MediaHost, OpenedCapture, PauseCause } from '../media/capture.ts';
import { RECORD_ALL, type Decision, type Layout } from '../rules/decision.ts';
import type { CallRecorder, LeftCall, OfferedCall, PauseOrder, Readiness, RecordingCall } from './call.ts';
import { captureLines, choiceOf, keptOf } from './capture-lines.ts';
import { Continuation } from './continuation.ts';
import { DeclinedCall } from './declined-call.ts';
import type { EventJournal, RecordingFolders } from './ports.ts';
import type { CallDescription } from '../siprec/description.ts';
import type { CallFacts, OpenedEvent, RecorderEvent, StatedEvent } from './events.ts';
import type { SessionOffer } from '../siprec/sdp.ts';
import { LiveRecording, type LiveDeps, type Succession } from './live-recording.ts';
import { PairedHalves, pairLines } from './paired-halves.ts';
import { PortShortage } from './port-shortage.ts';
import { RecorderError } from './recorder-error.ts';
import { newRecordingId } from './recording-id.ts';
import { Refusals, type RefusalBook } from './refusals.ts';
import { ReopenedCapture } from './reopened-capture.ts';
import { Statements } from './statements.ts';
import { cutOf } from './stop-keys.ts';

/** How long an answer waits for the journal: evidence.md 1.4 allows the `open` entry up to a second after the 200. */
const JOURNAL_PATIENCE = 200;
/** How long a recording that was cut off waits to be told by which one its call goes on, in ms. */
const CONTINUED_WITHIN = 2000;

export interface RecorderOptions extends Omit<LiveDeps, 'statements'> {
  readonly media: MediaHost;
  readonly bell?: AlarmBell;
  readonly journal: EventJournal;
  readonly folders: RecordingFolders;
  /** Below this much free space in the spool new calls are turned away. */
  readonly minFreeBytes: number;
  /** Without it refusals of the last minute are lost when the process is killed. */
  readonly refusalBook?: RefusalBook | undefined;
  /**
   * Called when it is decided whether a call, by its SIP Call-ID, is recorded: before it is answered, and anew for each session of a dialog. Must not throw.
   */
  readonly onDecided?: (callId: string, recorded: boolean) => void;
  /** The keys without which nothing is signed; always there when not given. */
  readonly signing?: {
    /** Since when they are missing, epoch milliseconds. */
    readonly missing: { readonly since: number } | undefined;
    /** Whether calls are turned away meanwhile. */
    readonly refusing: boolean;
  };
}

/** A recording of now, as people see it. */
export interface RunningRecording {
  readonly id: string;
  readonly startedAt: number;
  readonly facts: CallFacts;
  readonly description: CallDescription;
  readonly decision: Decision;
  /** Why nothing is kept at the moment. */
  readonly paused: readonly PauseCause[];
}

export interface RecorderCounts {
  readonly accepted: number;
  /** Kept out by the rules. */
  readonly declined: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly failed: Readonly<Record<string, number>>;
}

/** All live recordings of this process. */
export class Recorder implements CallRecorder {
  readonly #options: RecorderOptions;
  /** What every recording needs. */
  readonly #liveDeps: ConstructorParameters<typeof LiveRecording>[0];
  readonly #refusals: Refusals;
  readonly #statements: Statements;
  readonly #halves: PairedHalves;
  readonly #live = new Map<string, LiveRecording>();
  /** Calls from before the start. */
  readonly #takenUp: Continuation[] = [];
  #draining = false;
  #accepted = 0;
  #declined = 0;
  readonly #refused = new Map<string, number>();
  readonly #failed = new Map<string, number>();
  readonly #ports: PortShortage;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#halves = new PairedHalves(options.now);
    this.#ports = new PortShortage(options.now);
    const statements = new Statements(options);
    this.#statements = statements;
    this.#liveDeps = { ...options, statements };
    this.#refusals = new Refusals({
      publish: (event) => statements.state(event),
      now: options.now,
      book: options.refusalBook,
    });
    options.media.onFailure((id, error) => {
      this.#live.get(id)?.writeFailed(error);
    });
    options.media.onKey((id, key) => {
      this.#live.get(id)?.take(key);
    });
    options.media.onSegment((recording, segment) => {
      // What was stopped is being cut back.
      if (this.#live.get(recording)?.stopped !== undefined || !this.#live.has(recording)) return;
      void statements.state({ type: 'segment', at: options.now(), recording, ...segment });
    });
  }

  get liveCount(): number {
    return this.#live.size;
  }

  /** Calls since the start: accepted, and refused and failed by reason. */
  get counts(): RecorderCounts {
    return {
      accepted: this.#accepted,
      declined: this.#declined,
      refused: Object.fromEntries(this.#refused),
      failed: Object.fromEntries(this.#failed),
    };
  }

  /** Since when calls have been refused because no media port is free, epoch milliseconds; undefined while none are. */
  get withoutPortsSince(): number | undefined {
    return this.#ports.since;
  }

  /** Whether calls are turned away because of the spool's disk, whatever else keeps them from being taken. */
  get spoolFull(): boolean {
    return this.#options.folders.freeBytes() < this.#options.minFreeBytes;
  }

  /** Statements that wait for the journal, and those that were lost since the start, by kind. */
  get statementCounts(): Statements['counts'] {
    return this.#statements.counts;
  }

  isLive(recording: string): boolean {
    return this.#live.has(recording);
  }

  /** Nothing is taken any more: the recorder stops. */
  get isDraining(): boolean {
    return this.#draining;
  }

  readiness(): Readiness {
    if (this.#draining) return { ready: false, reason: 'shutting down' };
    if (this.#options.signing?.refusing === true) return { ready: false, reason: 'signing keys missing' };
    if (!this.#options.journal.writable) return { ready: false, reason: 'journal not writable' };
    if (this.spoolFull) return { ready: false, reason: 'spool disk nearly full' };
    return { ready: true };
  }

  accept(call: OfferedCall): Promise<RecordingCall> {
    return this.#halves.inTurn(call, () => this.#accept(call));
  }

  async #accept(call: OfferedCall): Promise<RecordingCall> {
    const readiness = this.readiness();
    if (!readiness.ready) throw new RecorderError('NOT_READY', readiness.reason);
    const joined = this.#halves.take(call);
    if (joined !== undefined) return joined;
    const pair = pairLines(call);
    const all = pair?.lines ?? captureLines(call.offer, call.description, call.sources);
    const kept = keptOf(call, all);
    if (!kept.decision.record) return this.decline({ ...call, decision: kept.decision }, 'inactive');
    const id = newRecordingId(this.#options.now());
    const { lines } = kept;
    const folder = this.#options.folders.folderOf(id);
    const { layout, mayStop: mayBeCut } = kept.decision;
    const { localAddress } = call;
    const capture = await this.#openCapture({ id, folder, lines, layout, mayBeCut, localAddress });
    this.#ports.served();
    await this.#journalOpening(id, call, capture);
    this.#accepted++;
    const { sources } = call;
    const recording = this.#begin({ id, folder, capture, lines, sources, ...choiceOf(call, all) });
    recording.begun();
    return pair === undefined ? recording : this.#halves.open(recording, call, pair);
  }

  decline(call: OfferedCall & { readonly decision: Decision }, answer: string): RecordingCall {
    const { facts, description, decision, offer } = call;
    const { callId, trunk } = facts;
    this.#declined++;
    this.#options.onDecided?.(callId, false);
    void this.#statements.state({
      type: 'declined',
      at: this.#options.now(),
      callId,
      trunk,
      ...(description.pbxCallId === undefined ? {} : { pbxCallId: description.pbxCallId.value }),
      direction: description.direction,
      decision,
      answer,
    });
    return new DeclinedCall(newRecordingId(this.#options.now()), offer, this.#options.now);
  }

  /**
   * Goes on with a call that a restart cut off, on the ports it had; where those cannot be had, or nothing on them could be read, with its next
   * offer. What comes is kept as a recording of its own. Never rejects.
   */
  async takeUp(call: OfferedCall, left: LeftCall): Promise<Continuation | DeclinedCall> {
    const { now } = this.#options;
    if (!left.kept) {
      if (call.decision?.record === false) this.#options.onDecided?.(call.facts.callId, false);
      return new DeclinedCall(newRecordingId(now()), call.offer, now);
    }
    const lines = await this.#reopen(call, left);
    const { offer } = call;
    const accept = (next: SessionOffer, description: CallDescription): Promise<RecordingCall> =>
      this.#acceptPaused({ ...call, offer: next, description }, left.pauses);
    const continuation = new Continuation({ left, offer, lines, accept, now });
    this.#takenUp.push(continuation);
    return continuation;
  }

  /** The recording that goes on with another one, once that is known; undefined where none was taken up. */
  continuationOf(recording: string): Promise<string | undefined> | undefined {
    return this.#takenUp.find(({ former }) => former === recording)?.settled(CONTINUED_WITHIN);
  }

  async succeed(before: RecordingCall, call: OfferedCall): Promise<RecordingCall> {
    if (before instanceof Continuation) {
      const begun = before.start();
      if (begun !== undefined) return this.succeed(begun, call);
      await before.end('replaced');
      return this.accept(call);
    }
    // Its ports are closed; another communication session is another call.
    if (before instanceof DeclinedCall || (before instanceof LiveRecording && before.stopped !== undefined))
      return this.accept(call);
    const kept = keptOf(call, captureLines(call.offer, call.description, call.sources));
    if (kept.decision.record) return this.#follow(before, call);
    await before.end('replaced');
    return this.decline({ ...call, decision: kept.decision }, 'inactive');
  }

  async #follow(before: RecordingCall, call: OfferedCall): Promise<LiveRecording> {
    const live = this.#live.get(before.id);
    if (live === undefined) throw new RecorderError('MEDIA', `${before.id} has ended`);
    const id = newRecordingId(this.#options.now());
    const folder = this.#options.folders.folderOf(id);
    const { lines, capture } = await this.#handOver(live, { id, folder, call });
    const { description, sources } = call;
    const all = captureLines(call.offer, description, sources);
    const recording = this.#begin({ id, folder, capture, lines, sources, ...choiceOf(call, all) });
    // The ports are taken over: from here on this is the recording, whatever the journal says.
    void this.#statements.state(this.#openingOf(id, call, capture));
    recording.begun();
    void live.end('replaced');
    for (const { cause, actor } of live.standing.pauses) await recording.pause(cause, actor);
    // Lines that the client added in the same breath.
    await recording.reoffer(call.offer, description);
    return recording;
  }

  /**
   * Keeps nothing of a live recording until `resume`: silence in its files, an entry in the evidence log. Undefined when it is not live;
   * false when it is paused for this cause already. Rejects with RecorderError MEDIA when it cannot be done.
   */
  async pause(recording: string, by: PauseOrder): Promise<boolean | undefined> {
    return this.#live.get(recording)?.pause(by.cause, by.actor);
  }

  /** The recordings of now, oldest first. */
  running(): readonly RunningRecording[] {
    return [...this.#live.values()].filter(({ stopped }) => stopped === undefined).map(runningOf);
  }

  /** Ends a live recording during its call, see `LiveRecording.stop`. Undefined when it is not live. Never rejects. */
  async stop(recording: string, actor: string): Promise<'stopped' | 'not-allowed' | 'over' | undefined> {
    return this.#live.get(recording)?.stop({ at: this.#options.now(), how: 'api', actor });
  }

  /** Undoes a `pause` of the same cause; answers alike. */
  async resume(recording: string, by: PauseOrder): Promise<boolean | undefined> {
    return this.#live.get(recording)?.resume(by.cause, by.actor);
  }

  /** States what refusals are still being counted. Call when no call can come any more. Resolves when that is on disk. */
  flushRefusals(): Promise<void> {
    return this.#refusals.flush();
  }

  refuse(refusal: Parameters<CallRecorder['refuse']>[0]): void {
    increment(this.#refused, refusal.reason);
    this.#refusals.add(refusal);
  }

  /**
   * States what others did, in order with what the recorder does. Resolves with true when it is on disk, and what was stated before with it; with
   * false when it waits for the disk. Never rejects.
   */
  state(event: StatedEvent): Promise<boolean> {
    return this.#statements.state(event);
  }

  /** From now on nothing is ready: INVITE and OPTIONS get 503. */
  drain(): void {
    this.#draining = true;
  }

  /** Ends every live recording and waits until their files are closed. */
  async endAll(): Promise<void> {
    this.drain();
    const unheard = this.#takenUp.filter(({ begun }) => begun === undefined);
    await Promise.all([...this.#live.values(), ...unheard].map((recording) => recording.end('shutdown')));
    await this.#statements.atEnd();
  }

  #begin(opened: Omit<ConstructorParameters<typeof LiveRecording>[1], 'onEnded'>): LiveRecording {
    const recording = new LiveRecording(this.#liveDeps, {
      onEnded: (ended, failure) => {
        this.#live.delete(ended);
        if (failure !== undefined) increment(this.#failed, failure);
      },
      ...opened,
    });
    this.#live.set(opened.id, recording);
    this.#options.onDecided?.(opened.facts.callId, true);
    return recording;
  }

  /** Undefined when none of the lines can be opened as they were. */
  async #reopen(call: OfferedCall, left: LeftCall): Promise<ReopenedCapture | undefined> {
    const { media, folders, now, log } = this.#options;
    const all = captureLines(call.offer, call.description, call.sources);
    const kept = keptOf(call, all);
    const masked = left.pauses.length > 0;
    const lines = kept.lines.flatMap((line) => {
      const port = left.ports.get(line.line);
      return port === undefined ? [] : [{ ...line, port, ...(masked && { active: false }) }];
    });
    if (lines.length === 0) return undefined;
    const id = newRecordingId(now());
    try {
      const folder = folders.folderOf(id);
      const { layout, mayStop: mayBeCut } = kept.decision;
      const { localAddress, sources } = call;
      const capture = await this.#openCapture({ id, folder, lines, layout, mayBeCut, localAddress });
      const opening = this.#openingOf(id, call, capture);
      const begin = (): RecordingCall => {
        const usual = lines.map(({ port: _port, ...line }) => line);
        const recording = this.#begin({ id, folder, capture, lines: usual, sources, ...choiceOf(call, all) });
        void this.#statements.state(opening);
        for (const { cause, actor } of left.pauses)
          recording.pause(cause, actor).catch((error: unknown) => {
            recording.note('pause not continued', String(error));
          });
        return recording;
      };
      const state = async (end: RecorderEvent): Promise<void> => {
        await this.#statements.state(opening);
        await this.#statements.state(end);
      };
      const discard = (): Promise<void> => folders.discard(id);
      return new ReopenedCapture({ id, capture, ports: left.ports, media, now, begin, state, discard, log });
    } catch (error) {
      log('warn', 'the ports of a call that was cut off cannot be had again', {
        recording: left.recording,
        error: String((error as { readonly cause?: unknown }).cause ?? error),
      });
      return undefined;
    }
  }

  /** With the pauses that held before: what comes until they hold again is a few packets at most. */
  async #acceptPaused(call: OfferedCall, pauses: LeftCall['pauses']): Promise<RecordingCall> {
    const recording = await this.accept(call);
    if (recording instanceof LiveRecording)
      for (const { cause, actor } of pauses) await recording.pause(cause, actor);
    return recording;
  }

  async #handOver(
    live: LiveRecording,
    next: { readonly id: string; readonly folder: string; readonly call: OfferedCall },
  ): Promise<Succession> {
    try {
      return await live.handOver(next);
    } catch (error) {
      await this.#options.folders.discard(next.id).catch(() => undefined);
      throw new RecorderError('MEDIA', 'the recording cannot be followed by another', { cause: error });
    }
  }

  async #openCapture(request: {
    readonly id: string;
    readonly folder: string;
    readonly lines: readonly CaptureLine[];
    readonly layout: Layout;
    readonly mayBeCut: boolean;
    readonly localAddress: string;
  }): Promise<OpenedCapture> {
    const { id, folder, lines, layout, mayBeCut } = request;
    const bind = request.localAddress.includes(':') ? '::' : '0.0.0.0';
    try {
      const cut = cutOf(mayBeCut, this.#options.keys);
      return await this.#options.media.open({ id, folder, bind, lines, layout, ...cut });
    } catch (error) {
      await this.#options.folders.discard(id).catch(() => undefined);
      const code = (error as { readonly code?: string }).code;
      if (code === 'NO_PORTS' && lines.every(({ port }) => port === undefined)) this.#ports.refused();
      const known = code === 'NO_PORTS' || code === 'DISK' ? code : 'MEDIA';
      throw new RecorderError(known, 'the media side could not open', { cause: error });
    }
  }

  /** The recording is stated before the client hears 200; a slow disk delays that by no more than the patience. */
  async #journalOpening(id: string, call: OfferedCall, capture: OpenedCapture): Promise<void> {
    const event = this.#openingOf(id, call, capture);
    const appended = this.#options.journal.append(event);
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, JOURNAL_PATIENCE).unref();
    });
    try {
      await Promise.race([appended, patience]);
      // The client has its answer: what the disk refuses now is stated when it takes events again.
      appended.catch(() => this.#statements.state(event));
    } catch (error) {
      await this.#options.media.close(id, this.#options.now()).catch(() => undefined);
      await this.#options.folders.discard(id).catch(() => undefined);
      throw new RecorderError('DISK', 'the journal refused the opening', { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  #openingOf(recording: string, call: OfferedCall, { startedAt }: OpenedCapture): OpenedEvent {
    const { facts, description, decision = RECORD_ALL } = call;
    const { now, signing } = this.#options;
    const keysMissingSince = signing?.missing?.since;
    return {
      ...{ type: 'opened', at: now(), recording, startedAt, facts, description, decision },
      ...(keysMissingSince === undefined ? {} : { keysMissingSince }),
    };
  }
}

const runningOf = (recording: LiveRecording): RunningRecording => {
  const { id, startedAt, facts, description, decision, masks } = recording;
  return { id, startedAt, facts, description, decision, paused: masks.map(({ cause }) => cause) };
};

const increment = (counts: Map<string, number>, key: string): void => {
  counts.set(key, (counts.get(key) ?? 0) + 1);
};
