/**
 * Packets remembered one by one, so that each is taken once (RFC 3711 §3.3.2 asks for 64 at least): as many as the recorder
 * puts back in order, 2 s at a packet a millisecond.
 */
export const REPLAY_WINDOW = 2048;

const HALF = 0x8000;
const TURN = 0x1_0000;

/** The packet index of one source: 16 bits of sequence number and 32 of roll-over counter (RFC 3711 §3.3.1). */
export class PacketIndex {
  readonly #seen = new Uint32Array(REPLAY_WINDOW / 32);
  #highest = -1;

  /** Highest index that was authentic, or -1. */
  get highest(): number {
    return this.#highest;
  }

  /** The index a sequence number most probably has. Below 0 for one from before the start. */
  estimate(sequence: number): number {
    if (this.#highest < 0) return sequence;
    const last = this.#highest % TURN;
    const turn = this.#highest - last;
    if (sequence - last > HALF) return turn - TURN + sequence;
    return last - sequence > HALF ? turn + TURN + sequence : turn + sequence;
  }

  /** False for an index that was here, or is too old to know. */
  isNew(index: number): boolean {
    if (index > this.#highest) return true;
    if (index < 0 || this.#highest - index >= REPLAY_WINDOW) return false;
    return ((this.#seen[slotOf(index)] ?? 0) & bitOf(index)) === 0;
  }

  /** Notes an index that proved authentic. */
  accept(index: number): void {
    if (index > this.#highest) this.#advance(index);
    const slot = slotOf(index);
    this.#seen[slot] = (this.#seen[slot] ?? 0) | bitOf(index);
  }

  #advance(index: number): void {
    const step = index - this.#highest;
    if (this.#highest < 0 || step >= REPLAY_WINDOW) this.#seen.fill(0);
    else
      for (let passed = this.#highest + 1; passed < index; passed += 1) {
        const slot = slotOf(passed);
        this.#seen[slot] = (this.#seen[slot] ?? 0) & ~bitOf(passed);
      }
    // The place of the new one may hold what was there a window ago; `accept` only adds.
    const slot = slotOf(index);
    this.#seen[slot] = (this.#seen[slot] ?? 0) & ~bitOf(index);
    this.#highest = index;
  }
}

// The window is a power of two, so the low bits of an index of up to 48 bits name its place.
const slotOf = (index: number): number => (index % REPLAY_WINDOW) >>> 5;
const bitOf = (index: number): number => 1 << (index % 32);
