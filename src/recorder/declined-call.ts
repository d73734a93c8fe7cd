import { DISCARD_PORT, planLines } from '../siprec/answer.ts';
import type { SessionOffer } from '../siprec/sdp.ts';
import type { CallStanding, LinePorts, RecordingCall } from './call.ts';

/**
 * A call that the rules keep out, whose dialog stays up with inactive streams: no port is bound, no file made, nothing of it is stated beside
 * the decision. It stays out whatever its later offers say, as the rules look at the beginning of a call.
 */
export class DeclinedCall implements RecordingCall {
  readonly id: string;
  readonly #now: () => number;
  readonly #since: number;
  #ports: LinePorts;

  constructor(id: string, offer: SessionOffer, now: () => number) {
    this.id = id;
    this.#now = now;
    this.#since = now();
    this.#ports = inactivePorts(offer);
  }

  get ports(): LinePorts {
    return this.#ports;
  }

  get standing(): CallStanding {
    return { kept: false, ports: this.#ports, pauses: [] };
  }

  onStanding(): void {
    // Nobody can change it.
  }

  reoffer(offer: SessionOffer): Promise<LinePorts> {
    this.#ports = inactivePorts(offer);
    return Promise.resolve(this.#ports);
  }

  describe(): void {
    // What its metadata says is not kept either.
  }

  pressed(): void {
    // There is nothing to stop.
  }

  note(): void {
    // Nothing happens to it.
  }

  /** It is always silent: so the client is asked from time to time whether the call still exists. */
  silentFor(): Promise<number> {
    return Promise.resolve(this.#now() - this.#since);
  }

  end(): Promise<void> {
    return Promise.resolve();
  }
}

/** Every line we could record is accepted and answered as inactive. */
export const inactivePorts = (offer: SessionOffer): LinePorts =>
  new Map(planLines(offer).flatMap(({ index, accepted }) => (accepted ? [[index, DISCARD_PORT]] : [])));
