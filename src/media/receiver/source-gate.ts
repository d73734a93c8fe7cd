import { BlockList, isIP } from 'node:net';
import { MediaError } from '../media-error.ts';

/** Verdicts remembered; a flood from forged addresses must not fill the memory. */
const REMEMBERED = 64;
/** Networks kept ready. */
const KEPT_READY = 1000;
/** Strangers listed by address. */
const LISTED = 10;

/**
 * Who may send on one line. A client may change address and port as it likes (RTP-8: the packets often come from a third host,
 * and move in mid-call), but only inside the networks of its trunk: what comes from elsewhere is counted and never heard.
 */
export class SourceGate {
  /** Undefined lets everybody in. */
  readonly #networks: Set<BlockList> | undefined;
  /** Key of the sender last let in: nearly every packet is of the same one as the packet before. */
  #last = NaN;
  readonly #verdicts = new Map<number, boolean>();
  readonly #strangers: string[] = [];

  /** Packets of senders outside the networks. */
  foreign = 0;

  /** @throws MediaError BAD_REQUEST for what is neither address nor network. */
  constructor(networks: readonly string[] | undefined) {
    if (networks === undefined) return;
    this.#networks = new Set();
    this.#add(networks);
  }

  /** `address:port` of the senders turned away, at most ten. */
  get strangers(): readonly string[] {
    return this.#strangers;
  }

  /** Networks of a re-offer join those known, since packets of the old source may still be on their way (SDP-15). */
  allow(networks: readonly string[] | undefined): void {
    if (networks !== undefined) this.#add(networks);
    this.#verdicts.clear();
  }

  /** Whether the sender `key` is the one let in last, or everybody is. */
  isLast(key: number): boolean {
    return key === this.#last || this.#networks === undefined;
  }

  /** Whether a packet of the sender `key` may be heard; `source` gives its `address:port`. Counts those that may not. */
  admits(key: number, source: () => string): boolean {
    if (key === this.#last || this.#networks === undefined) return true;
    let verdict = this.#verdicts.get(key);
    if (verdict === undefined) {
      verdict = this.#judge(source());
      if (this.#verdicts.size >= REMEMBERED) this.#verdicts.clear();
      this.#verdicts.set(key, verdict);
    }
    if (verdict) this.#last = key;
    else this.foreign++;
    return verdict;
  }

  /** Whether `source`, `address:port`, lies inside the networks; counts nothing. */
  isAllowed(source: string): boolean {
    // An IPv6 sender of the link has its zone behind the address.
    const address = source
      .slice(0, source.lastIndexOf(':'))
      .replace(/^\[|\]$/g, '')
      .replace(/%.*/, '');
    if (this.#networks === undefined) return true;
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    for (const network of this.#networks) if (network.check(address, family)) return true;
    return false;
  }

  #judge(source: string): boolean {
    const admitted = this.isAllowed(source);
    if (!admitted && this.#strangers.length < LISTED && !this.#strangers.includes(source))
      this.#strangers.push(source);
    return admitted;
  }

  #add(networks: readonly string[]): void {
    for (const network of networks) this.#networks?.add(listOf(network));
  }
}

/** By their text: making a list costs as much as opening a port, and lines of many calls have the same networks. */
const lists = new Map<string, BlockList>();

function listOf(network: string): BlockList {
  const known = lists.get(network);
  if (known !== undefined) return known;
  const [address = '', prefix] = network.split('/');
  const family = isIP(address);
  if (family === 0) throw new MediaError('BAD_REQUEST', `${network} is not a network`);
  const list = new BlockList();
  const whole = family === 4 ? 32 : 128;
  list.addSubnet(address, Number(prefix ?? whole), family === 4 ? 'ipv4' : 'ipv6');
  if (lists.size >= KEPT_READY) lists.clear();
  lists.set(network, list);
  return list;
}
