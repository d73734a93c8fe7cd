import { MediaError } from './media-error.ts';

/** How long a port rests after a call: clients were seen streaming 4 s after the BYE (siprec-interop.md RTP-10). */
export const QUARANTINE_MS = 10_000;

/** First and last UDP port, both included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

interface RestingPort {
  readonly port: number;
  readonly until: number;
}

/**
 * The even UDP ports of a range such as `20000-29999`; the odd one above each stays free for RTCP (RFC 3550 §11).
 * Ports are taken in turn, so that each rests as long as the others allow, and never sooner than `QUARANTINE_MS`
 * after it was given back.
 */
export class PortPool {
  /** In the order in which they are taken: never used ones first, then by the time they came back. */
  readonly #resting: RestingPort[] = [];
  readonly #taken = new Set<number>();
  readonly #now: () => number;
  #head = 0;

  /** `now` gives epoch milliseconds. Throws MediaError BAD_REQUEST when the range has no even port with an odd one above. */
  constructor(range: string, now: () => number) {
    this.#now = now;
    for (const port of evenPorts(parsePortRange(range))) this.#resting.push({ port, until: 0 });
  }

  /**
   * The port that has rested longest, or undefined when none is out of quarantine. `wanted`: that one, for a call that had it before a restart;
   * undefined when it is not ours, taken, or resting.
   */
  take(wanted?: number): number | undefined {
    if (wanted !== undefined) return this.#claim(wanted) ? wanted : undefined;
    const next = this.#resting[this.#head];
    if (next === undefined || next.until > this.#now()) return undefined;
    this.#head += 1;
    this.#forgetTaken();
    this.#taken.add(next.port);
    return next.port;
  }

  /** Puts a port to rest from `at` (epoch milliseconds). A port that is not taken is ignored. */
  giveBack(port: number, at: number): void {
    if (!this.#taken.delete(port)) return;
    const until = at + QUARANTINE_MS;
    let place = this.#resting.length;
    // Calls end roughly in order of time, so this rarely moves by more than a step.
    while (place > this.#head && (this.#resting[place - 1]?.until ?? 0) > until) place -= 1;
    this.#resting.splice(place, 0, { port, until });
  }

  /** Lets a port that is not taken rest as if it had been given back at `at`; others are ignored. */
  rest(port: number, at: number): void {
    const place = this.#resting.findIndex((resting, index) => index >= this.#head && resting.port === port);
    if (place < 0) return;
    this.#resting.splice(place, 1);
    this.#taken.add(port);
    this.giveBack(port, at);
  }

  /** How many ports `take()` would hand out one after the other now. */
  available(): number {
    const now = this.#now();
    let count = 0;
    for (let index = this.#head; index < this.#resting.length; index += 1) {
      if ((this.#resting[index]?.until ?? Infinity) > now) break;
      count += 1;
    }
    return count;
  }

  #claim(port: number): boolean {
    const place = this.#resting.findIndex((resting, index) => index >= this.#head && resting.port === port);
    const found = this.#resting[place];
    if (found === undefined || found.until > this.#now()) return false;
    this.#resting.splice(place, 1);
    this.#taken.add(port);
    return true;
  }

  /** Cuts the handed-out front off now and then; a shift per port would be quadratic. */
  #forgetTaken(): void {
    if (this.#head < 256) return;
    this.#resting.splice(0, this.#head);
    this.#head = 0;
  }
}

/** Reads `20000-29999`. Throws MediaError BAD_REQUEST unless 1 <= first <= last <= 65535. */
export function parsePortRange(text: string): PortRange {
  const match = /^(\d{1,5})-(\d{1,5})$/.exec(text.trim());
  const first = Number(match?.[1]);
  const last = Number(match?.[2]);
  if (!(first >= 1 && first <= last && last <= 65_535))
    throw new MediaError('BAD_REQUEST', `port range is not FIRST-LAST: ${text}`);
  return { first, last };
}

/**
 * Cuts a range into `parts` ranges of nearly equal size, each beginning with an even port.
 * Throws MediaError BAD_REQUEST when there are fewer even ports than parts.
 */
export function splitPortRange(text: string, parts: number): string[] {
  const ports = evenPorts(parsePortRange(text));
  if (ports.length < parts)
    throw new MediaError('BAD_REQUEST', `port range ${text} is too small for ${parts} media threads`);
  return Array.from({ length: parts }, (_, index) => {
    const from = ports[Math.floor((index * ports.length) / parts)] ?? 0;
    const to = ports[Math.floor(((index + 1) * ports.length) / parts) - 1] ?? 0;
    return `${from}-${to + 1}`;
  });
}

/** Even ports whose odd neighbour above lies in the range too. */
function evenPorts(range: PortRange): number[] {
  const ports: number[] = [];
  for (let port = range.first + (range.first % 2); port < range.last; port += 2) ports.push(port);
  if (ports.length === 0)
    throw new MediaError('BAD_REQUEST', `no pair of ports in ${range.first}-${range.last}`);
  return ports;
}
