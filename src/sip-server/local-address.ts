import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';

const LIFETIME_MS = 60_000;
const MOST_ENTRIES = 4_096;
const ANY_PORT = 9;

interface Entry {
  readonly address: string;
  readonly until: number;
}

/**
 * Which of our addresses a peer sees. A wildcard UDP socket does not tell, so a throw-away socket is connected towards the
 * peer: the kernel chooses the route and no packet is sent. Answers are kept for a minute.
 */
export class LocalAddresses {
  readonly #known = new Map<string, Entry>();
  readonly #asked = new Map<string, ((address: string) => void)[]>();

  /** Calls back with our address towards `peer`, at once when known; with the wildcard when there is no route. */
  find(peer: string, callback: (address: string) => void): void {
    const entry = this.#known.get(peer);
    if (entry !== undefined && entry.until > Date.now()) {
      callback(entry.address);
      return;
    }
    const waiting = this.#asked.get(peer);
    if (waiting !== undefined) {
      waiting.push(callback);
      return;
    }
    this.#asked.set(peer, [callback]);
    askKernel(peer, (address) => {
      this.#remember(peer, address);
    });
  }

  #remember(peer: string, address: string): void {
    this.#known.delete(peer);
    this.#known.set(peer, { address, until: Date.now() + LIFETIME_MS });
    const oldest = this.#known.keys().next();
    if (this.#known.size > MOST_ENTRIES && oldest.done !== true) this.#known.delete(oldest.value);
    const waiting = this.#asked.get(peer) ?? [];
    this.#asked.delete(peer);
    for (const callback of waiting) callback(address);
  }
}

function askKernel(peer: string, callback: (address: string) => void): void {
  const six = isIPv6(peer);
  const unknown = six ? '::' : '0.0.0.0';
  const probe = createSocket(six ? 'udp6' : 'udp4');
  let answered = false;
  const answer = (address: string): void => {
    if (answered) return;
    answered = true;
    callback(address);
    probe.close();
  };
  probe.once('error', () => {
    answer(unknown);
  });
  probe.connect(ANY_PORT, peer, () => {
    answer(probe.address().address);
  });
}

export const isWildcard = (address: string): boolean => address === '0.0.0.0' || address === '::';
