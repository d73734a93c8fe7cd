import type { CaptureLine, LineRole } from '../media/capture.ts';
import type { CallDescription } from '../siprec/description.ts';
import type { SessionOffer } from '../siprec/sdp.ts';
import type { CallStanding, LinePorts, OfferedCall, RecordingCall } from './call.ts';
import { captureLines } from './capture-lines.ts';
import type { EndReason } from './events.ts';

/**
 * Calls whose two ends come in two dialogs (CUCM's built-in bridge, siprec-interop.md 4.6). The first dialog opens a capture of both
 * channels and keeps the other one's port ready; a second dialog of the same call within the time takes it. After that the first goes on
 * alone, as a mono recording, and the second becomes another one, linked by the ids both carry.
 */
export interface PairLines {
  readonly lines: readonly CaptureLine[];
  /** Capture line of this dialog's only line, and of the other half's. */
  readonly own: number;
  readonly other: number;
}

/** Milliseconds that a half waits for its other. */
export const PAIR_WITHIN = 5000;

const ROLES = { near: 'caller', far: 'callee' } as const satisfies Record<'near' | 'far', LineRole>;

/** Both channels of a call of which one dialog brings the one half; undefined for every other call. */
export function pairLines(call: OfferedCall): PairLines | undefined {
  const { pair } = call.description;
  if (pair === undefined) return undefined;
  const [only, ...more] = captureLines(call.offer, call.description, call.sources);
  if (only === undefined || more.length > 0) return undefined;
  const own = only.line;
  const other = own + 1;
  const otherSide = pair.side === 'near' ? 'far' : 'near';
  return {
    lines: [
      { ...only, role: ROLES[pair.side] },
      { ...only, line: other, role: ROLES[otherSide] },
    ],
    own,
    other,
  };
}

/** What a recording of two halves must be able to do beside the usual. */
interface DividedRecording extends RecordingCall {
  /** The line will not be used: its port closes, its channel goes. Never rejects. */
  dropLine(line: number): Promise<void>;
}

interface Waiting {
  readonly call: PairedRecording;
  readonly side: 'near' | 'far';
  readonly since: number;
}

/** The halves that wait for their others. */
export class PairedHalves {
  readonly #waiting = new Map<string, Waiting>();
  /** By pair: the last half that is being taken. */
  readonly #turns = new Map<string, Promise<unknown>>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Has the halves of one call taken one after the other: they come within milliseconds of each other, and the second must find the first,
   * whose ports are still being opened. Every other call is taken at once.
   */
  inTurn<Taken>(call: OfferedCall, take: () => Promise<Taken>): Promise<Taken> {
    const key = call.description.pair?.key;
    if (key === undefined) return take();
    const taken = (this.#turns.get(key) ?? Promise.resolve()).then(take);
    const turn = taken
      .catch(() => undefined)
      .finally(() => {
        if (this.#turns.get(key) === turn) this.#turns.delete(key);
      });
    this.#turns.set(key, turn);
    return taken;
  }

  /** The recording that a second half belongs to, its place taken; undefined when there is none. */
  take(call: OfferedCall): RecordingCall | undefined {
    const { pair } = call.description;
    this.#forgetLate();
    const waiting = pair === undefined ? undefined : this.#waiting.get(pair.key);
    if (pair === undefined || waiting === undefined || waiting.side === pair.side) return undefined;
    this.#waiting.delete(pair.key);
    return waiting.call.join(call);
  }

  /** The first half's view of a recording that holds both. */
  open(recording: DividedRecording, call: OfferedCall, lines: PairLines): RecordingCall {
    const { pair } = call.description;
    const paired = new PairedRecording(recording, lines);
    if (pair !== undefined) {
      // Another half of the same side took its place: nobody can find the one before any more.
      void this.#waiting.get(pair.key)?.call.goAlone();
      this.#waiting.set(pair.key, { call: paired, side: pair.side, since: this.#now() });
      setTimeout(() => {
        this.#forgetLate();
      }, PAIR_WITHIN + 1).unref();
    }
    return paired.first();
  }

  #forgetLate(): void {
    const before = this.#now() - PAIR_WITHIN;
    for (const [key, { since, call }] of this.#waiting)
      if (since < before) {
        this.#waiting.delete(key);
        void call.goAlone();
      }
  }
}

/** One recording with two dialogs; it ends when the last of them has. */
class PairedRecording {
  readonly #recording: DividedRecording;
  readonly #lines: PairLines;
  #open = 1;
  /** Decided: both halves are there, or the other one never will be. */
  #settled = false;

  constructor(recording: DividedRecording, lines: PairLines) {
    this.#recording = recording;
    this.#lines = lines;
  }

  first(): RecordingCall {
    return new Half(this.#recording, this.#lines.own, (reason) => this.#endOne(reason));
  }

  /** Nobody waits any more: what is there is a mono recording of one end (linked, never merged). */
  async goAlone(): Promise<void> {
    if (this.#settled) return;
    this.#settled = true;
    this.#recording.note('other half missing', 'recorded alone');
    await this.#recording.dropLine(this.#lines.other);
  }

  /** Undefined when the first half has hung up already, or goes on alone. */
  join(call: OfferedCall): RecordingCall | undefined {
    if (this.#open === 0 || this.#settled) return undefined;
    this.#settled = true;
    this.#open++;
    this.#recording.note('other half joined', call.facts.callId);
    const half = new Half(this.#recording, this.#lines.other, (reason) => this.#endOne(reason));
    // Its line waited under the keys of the first half, which open nothing of it.
    if (call.offer.lines.some(({ security }) => security !== undefined))
      void half.reoffer(call.offer, call.description);
    return half;
  }

  async #endOne(reason: EndReason): Promise<void> {
    this.#open--;
    if (this.#open === 0) {
      await this.goAlone();
      await this.#recording.end(reason);
    } else this.#recording.note('one half ended', reason);
  }
}

/** One dialog's view of a recording that has a second one: its line 0 is some line of the capture. */
class Half implements RecordingCall {
  readonly id: string;
  readonly #recording: RecordingCall;
  readonly #line: number;
  readonly #onEnd: (reason: EndReason) => Promise<void>;
  #ended: Promise<void> | undefined;

  constructor(recording: RecordingCall, line: number, onEnd: (reason: EndReason) => Promise<void>) {
    this.id = recording.id;
    this.#recording = recording;
    this.#line = line;
    this.#onEnd = onEnd;
  }

  get ports(): LinePorts {
    const port = this.#recording.ports.get(this.#line);
    return port === undefined ? new Map() : new Map([[0, port]]);
  }

  /** After a restart the halves are two recordings, each with its own line. */
  get standing(): CallStanding {
    return { ...this.#recording.standing, ports: this.ports };
  }

  onStanding(listener: () => void): void {
    this.#recording.onStanding(listener);
  }

  async reoffer(offer: SessionOffer, description: CallDescription): Promise<LinePorts> {
    const moved = {
      ...offer,
      lines: offer.lines.map((line) => ({ ...line, index: line.index + this.#line })),
    };
    await this.#recording.reoffer(moved, description);
    return this.ports;
  }

  /** The first half described the call; the second says the same from its end. */
  describe(): void {
    this.#recording.note('described by one half');
  }

  pressed(keys: string): void {
    this.#recording.pressed(keys);
  }

  note(step: string, detail?: string): void {
    this.#recording.note(step, detail);
  }

  /** Of both halves: a recording that hears one of them is alive. */
  silentFor(): Promise<number> {
    return this.#recording.silentFor();
  }

  end(reason: EndReason): Promise<void> {
    this.#ended ??= this.#onEnd(reason);
    return this.#ended;
  }
}
