import type { SipServerLimits } from './limits.ts';
import { SourceRates } from './source-rates.ts';

/** How many connections there may be, together, from one address and per second, whatever they speak. */
export class ConnectionQuota {
  readonly #limits: SipServerLimits;
  readonly #rates: SourceRates;
  readonly #perAddress = new Map<string, number>();
  #all = 0;

  constructor(limits: SipServerLimits) {
    this.#limits = limits;
    this.#rates = new SourceRates(limits.connectionsPerSecond);
  }

  /** Takes a place for a peer's connection; false when a limit forbids it. */
  admit(address: string): boolean {
    const { connections, connectionsPerAddress } = this.#limits;
    const ofPeer = this.#perAddress.get(address) ?? 0;
    if (this.#rates.take(address) !== 'pass') return false;
    if (this.#all >= connections || ofPeer >= connectionsPerAddress) return false;
    this.add(address);
    return true;
  }

  /** Takes a place for a connection of ours. */
  add(address: string): void {
    this.#all += 1;
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1);
  }

  release(address: string): void {
    this.#all -= 1;
    const left = (this.#perAddress.get(address) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(address, left);
    else this.#perAddress.delete(address);
  }
}
