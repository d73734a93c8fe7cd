/** A thread rests so long, in ms, between two turns of its loop: half the time between two packets of a leg. */
const REST_MS = 12;

/** With fewer sockets it does not: there is little to save, and the times at which their datagrams are read are more exact. */
const MANY = 200;

/**
 * Lets datagrams gather where each of them would wake the thread (`dgram`): what comes in while it rests is read in one turn of the loop. Whoever
 * posts a message to the thread rings the bell, so that nobody waits for the end of a rest.
 */
export class ThreadRest {
  readonly #bell: Int32Array;
  readonly #waking: () => number;
  #isOn = false;
  #heard = 0;

  /** `bell`: one word of shared memory, see `ring`. `waking`: how many sockets wake the thread. */
  constructor(bell: Int32Array, waking: () => number) {
    this.#bell = bell;
    this.#waking = waking;
  }

  /** Begins to rest after each turn if there are many sockets, until there are few. To be called from time to time. */
  begin(): void {
    if (this.#isOn || this.#waking() < MANY) return;
    this.#isOn = true;
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    if (this.#waking() < MANY) {
      this.#isOn = false;
      return;
    }
    Atomics.wait(this.#bell, 0, this.#heard, REST_MS);
    this.#heard = Atomics.load(this.#bell, 0);
    setImmediate(this.#turn);
  };
}

/** The bell of a thread. */
export const restBell = (): Int32Array => new Int32Array(new SharedArrayBuffer(4));

/** Ends the rest of a thread: there is something for it to do. */
export function ring(bell: Int32Array): void {
  Atomics.add(bell, 0, 1);
  Atomics.notify(bell, 0);
}
