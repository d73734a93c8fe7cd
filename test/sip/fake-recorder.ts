import { EventEmitter, once } from 'node:events';
import type {
  CallRecorder,
  CallStanding,
  LinePorts,
  OfferedCall,
  Readiness,
  RecordingCall,
} from '../../src/recorder/call.ts';
import type { EndReason } from '../../src/recorder/events.ts';
import { planLines } from '../../src/siprec/answer.ts';
import type { CallDescription } from '../../src/siprec/description.ts';
import type { SessionOffer } from '../../src/siprec/sdp.ts';

type Refusal = Parameters<CallRecorder['refuse']>[0];

/** A recorder that records nothing but what it was told. */
export class FakeRecorder implements CallRecorder {
  ready: Readiness = { ready: true };
  /** Thrown by the next `accept`. */
  failure: Error | undefined;
  /** While set, `accept` waits for it. */
  gate: Promise<void> | undefined;
  readonly calls: FakeCall[] = [];
  readonly refusals: Refusal[] = [];
  readonly #changes = new EventEmitter();

  readiness(): Readiness {
    return this.ready;
  }

  async accept(offered: OfferedCall): Promise<FakeCall> {
    this.#changes.emit('offered');
    await this.gate;
    if (this.failure !== undefined) throw this.failure;
    const call = new FakeCall(offered, `rec-${this.calls.length + 1}`);
    this.calls.push(call);
    return call;
  }

  /** The calls that were followed by another, with the one that followed. */
  readonly successions: { readonly before: RecordingCall; readonly call: FakeCall }[] = [];

  succeed(before: RecordingCall, offered: OfferedCall): Promise<FakeCall> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    const call = new FakeCall(offered, `rec-${this.calls.length + 1}`);
    call.ports = before.ports;
    this.calls.push(call);
    this.successions.push({ before, call });
    return Promise.resolve(call);
  }

  /** Calls that were to be kept out, with how they were answered. */
  readonly declined: { readonly call: OfferedCall; readonly answer: string }[] = [];

  decline(call: OfferedCall, answer: string): FakeCall {
    this.declined.push({ call, answer });
    return new FakeCall(call, 'declined');
  }

  refuse(refusal: Refusal): void {
    this.refusals.push(refusal);
  }

  async offered(): Promise<void> {
    await once(this.#changes, 'offered');
  }

  /** The only call there is. */
  get call(): FakeCall {
    const [call] = this.calls;
    if (call === undefined || this.calls.length > 1) throw new Error(`${this.calls.length} calls`);
    return call;
  }
}

export class FakeCall implements RecordingCall {
  readonly id: string;
  readonly offered: OfferedCall;
  readonly descriptions: CallDescription[] = [];
  readonly offers: SessionOffer[] = [];
  readonly notes: string[] = [];
  readonly ends: EndReason[] = [];
  /** What `silentFor` answers, and how often it was asked. */
  silent = 0;
  asked = 0;
  /** While set, `reoffer` waits for it. */
  gate: Promise<void> | undefined;
  ports: LinePorts;
  readonly #changes = new EventEmitter();

  constructor(offered: OfferedCall, id: string) {
    this.id = id;
    this.offered = offered;
    this.ports = portsFor(offered.offer, new Map());
  }

  kept = true;
  pauses: CallStanding['pauses'] = [];

  get standing(): CallStanding {
    return { kept: this.kept, ports: this.ports, pauses: this.pauses };
  }

  readonly standingListeners: (() => void)[] = [];

  onStanding(listener: () => void): void {
    this.standingListeners.push(listener);
  }

  async reoffer(offer: SessionOffer, description: CallDescription): Promise<LinePorts> {
    await this.gate;
    this.offers.push(offer);
    this.descriptions.push(description);
    this.ports = portsFor(offer, this.ports);
    this.#changes.emit('change');
    return this.ports;
  }

  describe(description: CallDescription): void {
    this.descriptions.push(description);
    this.#changes.emit('change');
  }

  readonly keys: string[] = [];

  pressed(keys: string): void {
    this.keys.push(keys);
    this.#changes.emit('change');
  }

  note(step: string): void {
    this.notes.push(step);
    this.#changes.emit('change');
  }

  silentFor(): Promise<number> {
    this.#changes.emit('change');
    this.asked += 1;
    return Promise.resolve(this.silent);
  }

  end(reason: EndReason): Promise<void> {
    this.ends.push(reason);
    this.#changes.emit('change');
    return Promise.resolve();
  }

  /** Resolves once the call has seen what `condition` looks for. */
  async until(condition: (call: FakeCall) => boolean): Promise<void> {
    while (!condition(this)) await once(this.#changes, 'change');
  }

  async ended(): Promise<readonly EndReason[]> {
    await this.until(({ ends }) => ends.length > 0);
    return this.ends;
  }
}

/** Ports are never taken away, new lines get new ones; as the real one does. */
function portsFor(offer: SessionOffer, before: LinePorts): LinePorts {
  const ports = new Map(before);
  for (const { index, accepted } of planLines(offer))
    if (accepted && !ports.has(index)) ports.set(index, 20_000 + 2 * index);
  return ports;
}
