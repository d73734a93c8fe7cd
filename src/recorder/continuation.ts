import type { CallDescription } from '../siprec/description.ts';
import type { SessionOffer } from '../siprec/sdp.ts';
import type { CallStanding, LeftCall, LinePorts, RecordingCall } from './call.ts';
import { inactivePorts } from './declined-call.ts';
import type { EndReason } from './events.ts';

/** Ports that are open again for a call, while nobody knows whether it still goes on. */
export interface ReopenedLines {
  readonly ports: LinePorts;
  /** Whether a packet has come in. Never rejects. */
  heard(): Promise<boolean>;
  /** Makes a recording of it, from the opening of the ports on. */
  begin(): RecordingCall;
  /** Closes the ports; what came in after all is stated as a recording. Never rejects. */
  close(reason: EndReason): Promise<void>;
}

export interface ContinuationParts {
  readonly left: LeftCall;
  readonly offer: SessionOffer;
  /** Undefined where the ports cannot be had again, or no packet on them could be read. */
  readonly lines: ReopenedLines | undefined;
  /** Begins the recording with an offer, on whatever ports there are. */
  readonly accept: (offer: SessionOffer, description: CallDescription) => Promise<RecordingCall>;
  readonly now: () => number;
}

/** How often it is looked whether a packet has come, in ms. */
const LOOK_EVERY = 250;
/** Steps kept for the recording while there is none. */
const MOST_NOTES = 50;

/**
 * A call that a restart cut off. It may have ended meanwhile, so it becomes a recording only with the first sign of life: a packet, which is
 * kept from the first one on, or an offer. Until then nothing of it is stated.
 */
export class Continuation implements RecordingCall {
  readonly #parts: ContinuationParts;
  readonly #since: number;
  readonly #listeners: (() => void)[] = [];
  readonly #notes: [step: string, detail?: string][] = [];
  readonly #timer: NodeJS.Timeout | undefined;
  #ports: LinePorts;
  #recording: RecordingCall | undefined;
  #beginning: Promise<LinePorts> | undefined;
  #over = false;

  constructor(parts: ContinuationParts) {
    this.#parts = parts;
    this.#since = parts.now();
    const { lines, offer } = parts;
    this.#ports = lines?.ports ?? inactivePorts(offer);
    if (lines === undefined) return;
    this.#timer = setInterval(() => void this.#look(lines), LOOK_EVERY).unref();
  }

  /** Of the recording that goes on; before there is one, of the one that was cut off. */
  get id(): string {
    return this.#recording?.id ?? this.#parts.left.recording;
  }

  /** The recording that was cut off. */
  get former(): string {
    return this.#parts.left.recording;
  }

  /** The recording that goes on. */
  get begun(): RecordingCall | undefined {
    return this.#recording;
  }

  /** True while only an offer can bring it back: there is no port that could hear anything. */
  get waiting(): boolean {
    return !this.#over && this.#recording === undefined && this.#parts.lines === undefined;
  }

  /** The id of the recording that goes on; undefined when there is none within `patience` ms. */
  settled(patience: number): Promise<string | undefined> {
    const isKnown = (): boolean => this.#over || this.#recording !== undefined;
    if (isKnown() || this.waiting) return Promise.resolve(this.#recording?.id);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, patience, undefined).unref();
      this.onStanding(() => {
        if (!isKnown()) return;
        clearTimeout(timer);
        resolve(this.#recording?.id);
      });
    });
  }

  /** The recording, begun now where that is possible. */
  start(): RecordingCall | undefined {
    const { lines } = this.#parts;
    if (!this.#over && lines !== undefined) this.#begin(lines);
    return this.#recording;
  }

  get ports(): LinePorts {
    return this.#recording?.ports ?? this.#ports;
  }

  get standing(): CallStanding {
    const { kept, pauses, ports } = this.#parts.left;
    return this.#recording?.standing ?? { kept, pauses, ports: this.#parts.lines?.ports ?? ports };
  }

  onStanding(listener: () => void): void {
    this.#listeners.push(listener);
  }

  async reoffer(offer: SessionOffer, description: CallDescription): Promise<LinePorts> {
    if (this.#over) return this.#ports;
    const recording = this.start();
    if (recording !== undefined) return recording.reoffer(offer, description);
    this.#beginning ??= this.#accept(offer, description).finally(() => {
      this.#beginning = undefined;
    });
    return this.#beginning;
  }

  describe(description: CallDescription): void {
    this.start()?.describe(description);
  }

  pressed(keys: string): void {
    this.start()?.pressed(keys);
  }

  note(step: string, detail?: string): void {
    if (this.#recording !== undefined) this.#recording.note(step, detail);
    else if (this.#notes.length < MOST_NOTES)
      this.#notes.push(detail === undefined ? [step] : [step, detail]);
  }

  silentFor(): Promise<number> {
    return this.#recording?.silentFor() ?? Promise.resolve(this.#parts.now() - this.#since);
  }

  async end(reason: EndReason): Promise<void> {
    const first = !this.#over;
    this.#over = true;
    clearInterval(this.#timer);
    // An offer that is being taken makes it a recording after all.
    await this.#beginning?.catch(() => undefined);
    if (this.begun !== undefined) await this.begun.end(reason);
    else if (first) await this.#parts.lines?.close(reason);
    this.#tell();
  }

  async #look(lines: ReopenedLines): Promise<void> {
    if ((await lines.heard()) && !this.#over) this.#begin(lines);
  }

  #begin(lines: ReopenedLines): void {
    if (this.#recording === undefined) this.#goOn(lines.begin());
  }

  /** Rejects with RecorderError as `CallRecorder.accept`; then it goes on waiting. */
  async #accept(offer: SessionOffer, description: CallDescription): Promise<LinePorts> {
    const recording = await this.#parts.accept(offer, description);
    this.#goOn(recording);
    return recording.ports;
  }

  #goOn(recording: RecordingCall): void {
    clearInterval(this.#timer);
    this.#recording = recording;
    recording.onStanding(() => {
      this.#tell();
    });
    for (const [step, detail] of this.#notes.splice(0)) recording.note(step, detail);
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
