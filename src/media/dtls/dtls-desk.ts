import { performance } from 'node:perf_hooks';
import { DtlsEndpoint } from './dtls-endpoint.ts';
import type { DtlsIdentity } from './dtls-identity.ts';
import { DtlsLine, type DtlsHost, type DtlsTerms } from './dtls-line.ts';

/**
 * Milliseconds of a turn of 20 that handshakes may take: some ten steps. The rest waits for the next turn, so that a hundred calls that begin
 * at once delay nobody's packets.
 */
const BUDGET = 4;

/** All handshakes of a media thread. They are worked on between the sweeps, never in the middle of one. */
export class DtlsDesk {
  readonly #identity: DtlsIdentity | undefined;
  readonly #log: (line: string) => void;
  /** Lines that have something to be looked after in time. */
  readonly #awaiting = new Set<DtlsLine>();
  /** Lines with datagrams that wait. */
  readonly #waiting = new Set<DtlsLine>();
  #endpoint: DtlsEndpoint | undefined;
  #failures = 0;

  /** Without an identity DTLS lines fail, and say so. */
  constructor(identity: DtlsIdentity | undefined, log: (line: string) => void) {
    this.#identity = identity;
    this.#log = log;
  }

  /** Handshakes that came to nothing. */
  get failures(): number {
    return this.#failures;
  }

  /** `name` is for the log; without one a handshake that fails is not stated. Never throws. */
  open(terms: DtlsTerms, host: Omit<DtlsHost, 'failed'>, name?: () => string): DtlsLine {
    const line = new DtlsLine(this.#endpointOrNone(), terms, {
      send: host.send,
      hurry: host.hurry,
      isAllowed: host.isAllowed,
      secured: host.secured,
      state: host.state,
      failed: (reason) => {
        if (name === undefined) return;
        this.#failures += 1;
        this.#log(`DTLS handshake failed: ${reason} (${name()})`);
      },
    });
    this.#awaiting.add(line);
    return line;
  }

  /** Takes what a re-offer says of a line. */
  update(line: DtlsLine, terms: DtlsTerms): void {
    line.update(terms);
    this.#awaiting.add(line);
  }

  take(line: DtlsLine, datagram: Buffer, source: string): void {
    line.take(datagram, source);
    this.#waiting.add(line);
    this.#awaiting.add(line);
  }

  close(line: DtlsLine): void {
    this.#awaiting.delete(line);
    this.#waiting.delete(line);
    line.close();
  }

  /** One turn; `now` in ms from any start. */
  work(now: number): void {
    for (const line of this.#awaiting) if (!line.look(now)) this.#awaiting.delete(line);
    const until = performance.now() + BUDGET;
    while (this.#waiting.size > 0)
      for (const line of this.#waiting) {
        if (!line.next()) this.#waiting.delete(line);
        if (performance.now() > until) return;
      }
  }

  destroy(): void {
    this.#endpoint?.destroy();
    this.#endpoint = undefined;
  }

  #endpointOrNone(): DtlsEndpoint | undefined {
    if (this.#identity === undefined) return undefined;
    try {
      this.#endpoint ??= new DtlsEndpoint(this.#identity);
    } catch (error) {
      this.#log(`DTLS cannot be done: ${(error as Error).message}`);
    }
    return this.#endpoint;
  }
}
