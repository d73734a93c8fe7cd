import type { Arrival } from '../receiver/receiver.ts';

/** Two seconds of audio at 50 packets a second. */
const HELD = 100;

/**
 * Packets that arrive while a handshake is under way. Its last flight and the first audio come in the same moment, and may overtake each other
 * (RFC 5764 §5.1.1): what fits the keys once they are there is heard after all.
 */
export class EarlyPackets {
  #held: Arrival[] = [];

  /** Keeps a copy; returns false when an older one had to go for it. */
  hold({ slab, start, end, at, sourceKey }: Arrival): boolean {
    const bytes = Buffer.from(slab.subarray(start, end));
    this.#held.push({ slab: bytes, start: 0, end: bytes.length, at, sourceKey });
    if (this.#held.length <= HELD) return true;
    this.#held.shift();
    return false;
  }

  /** All that are held, in the order they came; none are held afterwards. */
  release(): readonly Arrival[] {
    const held = this.#held;
    this.#held = [];
    return held;
  }
}
