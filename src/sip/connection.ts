import Srf from 'drachtio-srf';
import type { SipApplicationServer } from './drachtio.ts';
import { SipError } from './sip-error.ts';

export type Log = (
  level: 'info' | 'warn' | 'error',
  message: string,
  fields?: Record<string, unknown>,
) => void;

export interface DrachtioAddress {
  readonly host: string;
  readonly port: number;
  readonly secret: string;
}

/** How long the first connection may take. */
const PATIENCE = 10_000;

/** Longest pause between attempts once a connection is lost. */
const RETRY = 5000;

/** The control connection to a SIP server; comes back by itself when it is lost. */
export class Connection {
  readonly server: SipApplicationServer;
  readonly #log: Log;
  // The library reads this object at every attempt. One attempt only, until the first has succeeded: it would offer a
  // wrong secret for ever, without a pause (architecture.md decision 1).
  readonly #reconnect: { retryMaxDelay: number; maxAttempts: number } = {
    retryMaxDelay: RETRY,
    maxAttempts: 1,
  };
  #state: 'new' | 'open' | 'lost' | 'closed' = 'new';

  constructor(log: Log) {
    this.#log = log;
    this.server = new Srf() as unknown as SipApplicationServer;
  }

  get connected(): boolean {
    return this.#state === 'open';
  }

  /** Resolves once the server knows what we handle. Rejects with SipError BAD_SECRET, NOT_REACHABLE. */
  open(address: DrachtioAddress): Promise<void> {
    const { host, port } = address;
    return new Promise((resolve, reject) => {
      const unreachable = (cause: unknown): void => {
        this.#state = 'closed';
        reject(new SipError('NOT_REACHABLE', `no SIP server answers at ${host}:${port}`, { cause }));
      };
      const timer = setTimeout(unreachable, PATIENCE, undefined).unref();
      this.server.on('connect', (error) => {
        clearTimeout(timer);
        this.#connected(error);
        if (this.#state === 'open') resolve();
        else reject(new SipError('BAD_SECRET', `the SIP server at ${host}:${port} refuses our secret`));
      });
      this.server.on('error', (error) => {
        if (this.#state === 'new') unreachable(error);
        else this.#log('warn', 'connection to the SIP server failed', { error: String(error) });
      });
      this.server.on('close', () => {
        this.#lost(unreachable);
      });
      this.server.connect({ ...address, reconnect: this.#reconnect });
    });
  }

  /** Leaves the server; what is still under way there ends. May be called twice. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    const open = this.#state === 'open';
    this.#state = 'closed';
    this.#reconnect.maxAttempts = 1;
    if (!open) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 1000);
      this.server.on('close', () => {
        clearTimeout(timer);
        resolve();
      });
      this.#disconnect();
    });
  }

  #connected(error: unknown): void {
    if (this.#state === 'closed') {
      this.#disconnect();
    } else if (error !== null && error !== undefined) {
      this.#reconnect.maxAttempts = 1;
      if (this.#state !== 'new') this.#log('error', 'the SIP server refuses our secret; no longer connected');
      this.#state = 'closed';
    } else {
      if (this.#state === 'lost') this.#log('info', 'connected to the SIP server again');
      this.#state = 'open';
      this.#reconnect.maxAttempts = 0;
    }
  }

  #lost(unreachable: (cause: unknown) => void): void {
    if (this.#state === 'new') unreachable(undefined);
    if (this.#state !== 'open') return;
    this.#state = 'lost';
    this.#log('error', 'connection to the SIP server lost; running recordings go on without signalling');
  }

  #disconnect(): void {
    try {
      this.server.disconnect();
    } catch {
      // The library asserts that there is a connection; without one we are where we want to be.
    }
  }
}
