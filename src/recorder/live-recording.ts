import type { CaptureLine, CaptureResult, MediaHost, OpenedCapture, Stopped } from '../media/capture.ts';
import type { LineRole, PressedKey } from '../media/capture.ts';
import type { Decision, Legs } from '../rules/decision.ts';
import { DISCARD_PORT } from '../siprec/answer.ts';
import type { CallDescription } from '../siprec/description.ts';
import type { SessionOffer } from '../siprec/sdp.ts';
import type { CallStanding, LinePorts, MediaSources, OfferedCall, RecordingCall } from './call.ts';
import { CallMarks, type MarkSeen } from './call-marks.ts';
import { captureLines, withoutKeys } from './capture-lines.ts';
import { inactivePorts } from './declined-call.ts';
import { endOf } from './ending.ts';
import type { CallFacts, EndReason, FailReason, RecorderEvent } from './events.ts';
import { Hold } from './hold.ts';
import { Pauses } from './pauses.ts';
import type { RecordingFolders } from './ports.ts';
import { RecorderError } from './recorder-error.ts';
import { recoverCapture } from './recover.ts';
import { initialState, next, type SessionState } from './session-state.ts';
import type { Statements } from './statements.ts';
import { cutOf, StopKeys, USUAL_KEYS, type KeySettings, type KeySource } from './stop-keys.ts';
import { personOf, stopperOf } from './stopper.ts';

export interface LiveDeps {
  readonly media: MediaHost;
  readonly statements: Statements;
  readonly folders: RecordingFolders;
  readonly now: () => number;
  /** Default `USUAL_KEYS`. */
  readonly keys?: KeySettings;
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>) => void;
}

/** What a recording takes over from the one before it. */
export interface Succession {
  readonly lines: readonly CaptureLine[];
  readonly capture: OpenedCapture;
}

/** One accepted call while it is being recorded. Owns its capture; `end` closes it, once. */
export class LiveRecording implements RecordingCall {
  readonly id: string;
  readonly #deps: LiveDeps;
  readonly #folder: string;
  readonly #startedAt: number;
  readonly #onEnded: (id: string, failure: FailReason | undefined) => void;
  #failure: FailReason | undefined;
  #state: SessionState = initialState;
  #ports: LinePorts;
  #lines: readonly CaptureLine[];
  readonly #sources: MediaSources;
  #description: CallDescription;
  readonly #legs: Legs;
  #leftOut: readonly number[];
  readonly #pauses = new Pauses();
  readonly #hold: Hold;
  readonly #marks: CallMarks;
  /** Changes and the end run one after the other, whatever order their answers take. */
  #turn: Promise<unknown> = Promise.resolve();
  #ended: Promise<void> | undefined;
  readonly facts: CallFacts;
  readonly decision: Decision;
  readonly #keys: StopKeys;
  #stopped: Stopped | undefined;
  readonly #standingListeners: (() => void)[] = [];

  constructor(
    deps: LiveDeps,
    opened: {
      readonly id: string;
      readonly folder: string;
      readonly capture: OpenedCapture;
      readonly lines: readonly CaptureLine[];
      readonly offer: SessionOffer;
      readonly description: CallDescription;
      readonly sources: MediaSources;
      readonly legs: Legs;
      /** Lines of the other side, which is not kept. */
      readonly leftOut: readonly number[];
      readonly facts: CallFacts;
      readonly decision: Decision;
      readonly onEnded: (id: string, failure: FailReason | undefined) => void;
    },
  ) {
    this.#deps = deps;
    this.id = opened.id;
    this.#folder = opened.folder;
    this.#startedAt = opened.capture.startedAt;
    this.#legs = opened.legs;
    this.#leftOut = opened.leftOut;
    this.#ports = this.#portsOf(opened.capture);
    this.#lines = withoutKeys(opened.lines);
    this.#hold = new Hold(opened.offer);
    this.#marks = new CallMarks(opened.description, opened.offer);
    this.#description = opened.description;
    this.#sources = opened.sources;
    this.#onEnded = opened.onEnded;
    this.facts = opened.facts;
    this.decision = opened.decision;
    this.#keys = new StopKeys((deps.keys ?? USUAL_KEYS).sequence);
  }

  get ports(): LinePorts {
    return this.#ports;
  }

  get standing(): CallStanding {
    return { kept: this.#stopped === undefined, ports: this.#ports, pauses: this.#pauses.orders };
  }

  onStanding(listener: () => void): void {
    this.#standingListeners.push(listener);
  }

  #tellStanding(): void {
    for (const listener of this.#standingListeners) listener();
  }

  reoffer(offer: SessionOffer, description: CallDescription): Promise<LinePorts> {
    return this.#inTurn(async () => {
      if (this.#stopped !== undefined) this.#ports = new Map([...this.#ports, ...inactivePorts(offer)]);
      if (this.#state.name === 'ending') return this.#ports;
      const lines = this.#keepSides(this.#keepRoles(captureLines(offer, description, this.#sources)));
      const at = this.#deps.now();
      this.describe(description);
      try {
        this.#ports = this.#portsOf(
          await this.#deps.media.change({ id: this.id, lines: this.#maskedLines(lines), at }),
        );
        this.#noteActivity(lines, at);
        this.#hold.offered(offer);
        this.#noteHold();
        // A line that is not offered any more keeps its port and its channel.
        const gone = this.#lines.filter((known) => !lines.some(({ line }) => line === known.line));
        this.#lines = [...gone, ...withoutKeys(lines)];
      } catch (error) {
        this.note('re-offer-failed', messageOf(error));
      }
      return this.#ports;
    });
  }

  describe(description: CallDescription): void {
    if (this.#state.name === 'ending' || JSON.stringify(description) === JSON.stringify(this.#description))
      return;
    this.#hold.described(this.#description, description);
    this.#noteHold();
    this.#description = description;
    this.#publish({ type: 'described', recording: this.id, at: this.#deps.now(), description });
    this.#mark(this.#marks.described(description));
  }

  /** States what holds from the beginning, once the opening is stated. */
  begun(): void {
    this.#mark(this.#marks.first, this.#startedAt);
  }

  note(step: string, detail?: string): void {
    this.#publish({
      type: 'noted',
      recording: this.id,
      at: this.#deps.now(),
      step,
      ...(detail === undefined ? {} : { detail }),
    });
  }

  async silentFor(): Promise<number> {
    // Nothing is heard of it any more, so the client is asked from time to time whether the call still exists.
    if (this.#stopped !== undefined) return this.#deps.now() - this.#stopped.at;
    if (this.#state.name === 'ending' || this.#state.paused || this.#pauses.masked) return 0;
    try {
      return await this.#deps.media.silence(this.id);
    } catch {
      return 0;
    }
  }

  /** Epoch milliseconds of position 0. */
  get startedAt(): number {
    return this.#startedAt;
  }

  get description(): CallDescription {
    return this.#description;
  }

  /** Set once somebody has stopped it. */
  get stopped(): Stopped | undefined {
    return this.#stopped;
  }

  pressed(keys: string): void {
    for (const key of keys) this.take({ key, at: this.#deps.now() });
  }

  /** A key was pressed: in the audio of a line, or told by signalling. Only a recorded user can stop the recording. */
  take({ key, at, line, tone }: Pick<PressedKey, 'key' | 'at'> & KeySource): void {
    if (this.#state.name === 'ending') return;
    const role = this.#lines.find((known) => known.line === line)?.role;
    if (this.#deps.keys?.keep === true) this.note('key pressed', `${key}, ${role ?? 'signalled'}`);
    const source = { ...(line !== undefined && { line }), ...(tone && { tone }) };
    const began = this.#keys.take(key, at, source);
    if (began === undefined) {
      if (line === undefined) this.#tellKey(key, at);
      return;
    }
    const how = line === undefined ? 'info' : tone ? 'tones' : 'keys';
    this.#dialled({ at: began, how }, role);
  }

  #dialled(began: Omit<Stopped, 'actor'>, role: LineRole | undefined): void {
    const actor = stopperOf(this.#description, role);
    if (actor === undefined)
      this.note('stop refused', `${personOf(this.#description, role)} is not the recorded user`);
    else void this.stop({ ...began, actor });
  }

  /** Of keys in the audio the media side knows before us. */
  #tellKey(key: string, at: number): void {
    if (!this.decision.mayStop) return;
    this.#deps.media.change({ id: this.id, lines: [], at, key }).catch((error: unknown) => {
      this.note('key not told to the media side', messageOf(error));
    });
  }

  /**
   * Ends the recording during the call, where its rule allows: nothing that came after `at` is kept, and the dialog goes on without audio.
   * Resolves when nothing of it is on the disk any more. Never rejects.
   */
  async stop(order: Stopped): Promise<'stopped' | 'not-allowed' | 'over'> {
    if (this.#state.name === 'ending') return 'over';
    if (!this.decision.mayStop) {
      this.note('stop refused', `${order.actor}: ${this.decision.rule} does not allow it`);
      return 'not-allowed';
    }
    this.#stopped = { ...order, at: Math.max(order.at, this.#startedAt) };
    this.#ports = new Map([...this.#ports].map(([line]) => [line, DISCARD_PORT]));
    this.#tellStanding();
    // Before the cut, not after it: a crash in between must not bring back what was stopped.
    this.#publish({ type: 'stopping', recording: this.id, at: this.#deps.now(), stopped: this.#stopped });
    await this.end('stopped');
    return 'stopped';
  }

  /** Pauses that are in force because we were told so. */
  get masks(): Pauses['masks'] {
    return this.#pauses.masks;
  }

  /**
   * Keeps nothing from now on, on any line, until `resume` of the same cause: silence in the file, the packets are counted. False when it
   * is paused for this cause already, or ends. Rejects with RecorderError MEDIA when it cannot, and then goes on as before.
   */
  pause(cause: 'operator' | 'policy', actor?: string): Promise<boolean> {
    return this.#inTurn(async () => {
      const at = this.#deps.now();
      const by = actor === undefined ? {} : { actor };
      if (this.#state.name === 'ending' || !this.#pauses.begin({ cause, from: at, ...by })) return false;
      try {
        await this.#deps.media.change({ id: this.id, lines: this.#maskedLines(this.#lines), at });
      } catch (error) {
        this.#pauses.undo(cause);
        throw new RecorderError('MEDIA', 'the recording could not be paused', { cause: error });
      }
      this.#publish({ type: 'paused', recording: this.id, at, cause, ...by });
      this.#tellStanding();
      return true;
    });
  }

  /** Goes on keeping; see `pause`. False when it was not paused for this cause. */
  resume(cause: 'operator' | 'policy', actor?: string): Promise<boolean> {
    return this.#inTurn(async () => {
      const at = this.#deps.now();
      if (this.#state.name === 'ending' || !this.#pauses.end(cause, at)) return false;
      this.#publish({
        type: 'resumed',
        recording: this.id,
        at,
        cause,
        ...(actor === undefined ? {} : { actor }),
      });
      this.#tellStanding();
      try {
        await this.#deps.media.change({ id: this.id, lines: this.#maskedLines(this.#lines), at });
      } catch (error) {
        throw new RecorderError('MEDIA', 'the recording could not be resumed', { cause: error });
      }
      return true;
    });
  }

  /** The media side can no longer write for this call; it goes on receiving. */
  writeFailed(error: Error): void {
    this.#state = next(this.#state, { type: 'write-failed' });
    this.note('write-failed', error.message);
  }

  /**
   * Gives its ports to a successor, in turn with its own changes. The caller ends this recording right after. Rejects with
   * MediaError, or RecorderError when it has ended, and then nothing has changed.
   */
  handOver(next: {
    readonly id: string;
    readonly folder: string;
    readonly call: OfferedCall;
  }): Promise<Succession> {
    return this.#inTurn(async () => {
      if (this.#state.name === 'ending') throw new RecorderError('MEDIA', `${this.id} has ended`);
      const { call } = next;
      const offered = captureLines(call.offer, call.description, call.sources);
      // The ports are taken over as they are; a line that is not offered any more only keeps silent.
      const lines = this.#lines.map(
        (line) => offered.find(({ line: index }) => index === line.line) ?? { ...line, active: false },
      );
      const { id, folder } = next;
      const { layout, mayStop } = call.decision ?? this.decision;
      const cut = cutOf(mayStop, this.#deps.keys);
      const request = { id, folder, bind: '', lines: this.#maskedLines(lines), layout, ...cut };
      return { lines, capture: await this.#deps.media.succeed(this.id, request) };
    });
  }

  /** Takes away a line that nobody will send on: its port closes and its channel goes. Never rejects. */
  dropLine(line: number): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#state.name === 'ending') return;
      const left = this.#lines.filter((known) => known.line !== line);
      try {
        const change = { id: this.id, lines: this.#maskedLines(left), gone: [line], at: this.#deps.now() };
        this.#ports = this.#portsOf(await this.#deps.media.change(change));
        this.#lines = left;
      } catch (error) {
        this.note('line not taken away', messageOf(error));
      }
    });
  }

  end(reason: EndReason): Promise<void> {
    if (this.#stopped !== undefined && reason !== 'stopped') this.note('call over', reason);
    if (this.#ended === undefined) {
      const at = this.#stopped?.at ?? this.#deps.now();
      this.#state = next(this.#state, { type: 'hung-up', reason });
      this.#ended = this.#inTurn(() => this.#finish(reason, at)).finally(() => {
        this.#onEnded(this.id, this.#failure);
      });
    }
    return this.#ended;
  }

  async #finish(reason: EndReason, at: number): Promise<void> {
    const pauses = this.#pauses.until(at);
    const closed = await this.#closeCapture(at);
    const stopped = this.#stopped;
    const capture = {
      ...closed,
      ...(pauses.length > 0 && { pauses }),
      ...(stopped !== undefined && { stopped }),
    };
    const event = endOf(
      { recording: this.id, reason, at: this.#deps.now(), damaged: this.#state.damaged },
      capture,
    );
    if (event.type === 'failed') this.#failure = event.reason;
    // A disk that refuses it gets it later; after a crash until then, the next start takes the audio up from the spool.
    await this.#deps.statements.state(event);
    if (event.type === 'failed' && capture.untouched !== true)
      await this.#deps.folders.discard(this.id).catch(() => undefined);
  }

  async #closeCapture(at: number): Promise<CaptureResult> {
    try {
      return await this.#deps.media.close(this.id, at, this.#stopped !== undefined);
    } catch (error) {
      this.#state = next(this.#state, { type: 'write-failed' });
      this.#deps.log('error', 'capture lost, taking what is on disk', {
        recording: this.id,
        error: messageOf(error),
      });
      const parts = await this.#deps.folders.parts(this.id).catch(() => []);
      const [startedAt, description, stopped] = [this.#startedAt, this.#description, this.#stopped];
      return recoverCapture({ startedAt, description, stopped }, parts);
    }
  }

  /** A line keeps the channel it started with: the files already have it. */
  #keepRoles(lines: readonly CaptureLine[]): readonly CaptureLine[] {
    return lines.map((line) => {
      const before = this.#lines.find((known) => known.line === line.line);
      return before === undefined ? line : { ...line, role: before.role };
    });
  }

  /** Lines of the side that the rules leave out are not taken, also when they come later. */
  #keepSides(lines: readonly CaptureLine[]): readonly CaptureLine[] {
    const [legs, leftOut] = [this.#legs, this.#leftOut];
    if (legs === 'both') return lines;
    const isKept = ({ line, role }: CaptureLine): boolean => role === legs && !leftOut.includes(line);
    const out = lines.filter((line) => !isKept(line)).map(({ line }) => line);
    this.#leftOut = [...new Set([...leftOut, ...out])];
    return lines.filter(isKept);
  }

  #portsOf(capture: OpenedCapture): LinePorts {
    const ports = capture.lines.map(({ line, port }) => [line, port] as const);
    return new Map([...ports, ...this.#leftOut.map((line) => [line, DISCARD_PORT] as const)]);
  }

  #noteActivity(lines: readonly CaptureLine[], at: number): void {
    const paused = lines.length > 0 && lines.every((line) => !line.active);
    const before = this.#state;
    this.#state = next(before, { type: 're-offered', paused });
    const answered = this.#marks.offered(paused);
    this.#mark(answered, at);
    if (this.#state === before) return;
    if (paused) this.#pauses.begin({ cause: 'src', from: at });
    else this.#pauses.end('src', at);
    this.#publish({ type: paused ? 'paused' : 'resumed', recording: this.id, at, cause: 'src' });
    if (paused || answered.length === 0)
      this.#mark([{ kind: paused ? 'held' : 'resumed', source: `streams ${paused ? 'in' : ''}active` }], at);
  }

  #maskedLines(lines: readonly CaptureLine[]): readonly CaptureLine[] {
    return this.#pauses.masked ? lines.map((line) => ({ ...line, active: false })) : lines;
  }

  /** Marks the span in which somebody is on hold; the client goes on deciding what we get (PAUSE-2). */
  #noteHold(): void {
    const cause = 'hold';
    const at = this.#deps.now();
    const { held } = this.#hold;
    const changed = held ? this.#pauses.begin({ cause, from: at }) : this.#pauses.end(cause, at);
    if (!changed) return;
    this.#publish({ type: held ? 'paused' : 'resumed', recording: this.id, at, cause });
    this.#mark([{ kind: held ? 'held' : 'resumed', source: 'metadata or address of a stream' }], at);
  }

  #mark(marks: readonly MarkSeen[], at = this.#deps.now()): void {
    for (const mark of marks)
      this.#publish({ type: 'marked', recording: this.id, at, mark: { at, ...mark } });
  }

  #publish(event: RecorderEvent): void {
    void this.#deps.statements.state(event);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work, work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

const messageOf = (error: unknown): string =>
  (error as { readonly message?: string } | null)?.message ?? String(error);
