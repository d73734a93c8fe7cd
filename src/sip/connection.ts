import type { Socket } from 'node:net';
import Srf from 'drachtio-srf';
import type { SipApplicationServer } from './drachtio.ts';
import { takeShortcuts } from './library-shortcuts.ts';
import { SipError } from './sip-error.ts';
import { tapWire, type SeenMessage } from './wire-tap.ts';

export type Log = (
  level: 'info' | 'warn' | 'error',
  message: string,
  fields?: Record<string, unknown>,
) => void;

export interface DrachtioAddress {
  readonly host: string;
  readonly port: number;
  readonly secret: string;
  /** Makes a connection to a server in this process; host and port are for when it is lost. */
  readonly within?: (() => Socket) | undefined;
}

/** How long the first connection may take. */
const PATIENCE = 10_000;

export interface ReconnectPauses {
  /** Longest pause between attempts once a connection is lost, in milliseconds. */
  readonly longest: number;
  /** Pause after the server refused our secret. Somebody is changing it, or has to be told again. */
  readonly refused: number;
}

const PAUSES: ReconnectPauses = { longest: 5000, refused: 30_000 };

export interface ConnectionOptions {
  /** Called whenever an open connection breaks. */
  readonly onLost?: () => void;
  /** Called whenever it is there again. */
  readonly onBack?: () => void;
  readonly pauses?: ReconnectPauses;
  /** Told of every SIP message; for a server outside, ours tells it better itself. */
  readonly seen?: (message: SeenMessage) => void;
}

/** The control connection to a SIP server; comes back by itself when it is lost. */
export class Connection {
  readonly server: SipApplicationServer;
  readonly #log: Log;
  // The library reads this object at every attempt. One attempt only, until the first has succeeded: it would offer a
  // wrong secret for ever, without a pause (architecture.md decision 1).
  readonly #reconnect: { retryMaxDelay: number; maxAttempts: number };
  readonly #pauses: ReconnectPauses;
  readonly #onLost: () => void;
  readonly #onBack: () => void;
  readonly #seen: ((message: SeenMessage) => void) | undefined;
  #state: 'new' | 'open' | 'lost' | 'refused' | 'closed' = 'new';
  #address: DrachtioAddress | undefined;
  #slowly: NodeJS.Timeout | undefined;

  constructor(log: Log, options: ConnectionOptions = {}) {
    const { onLost = () => undefined, onBack = () => undefined, pauses = PAUSES, seen } = options;
    this.#log = log;
    this.#onLost = onLost;
    this.#onBack = onBack;
    this.#seen = seen;
    this.#pauses = pauses;
    this.#reconnect = { retryMaxDelay: pauses.longest, maxAttempts: 1 };
    takeShortcuts();
    this.server = new Srf() as unknown as SipApplicationServer;
  }

  get connected(): boolean {
    return this.#state === 'open';
  }

  /** Resolves once the server knows what we handle. Rejects with SipError BAD_SECRET, NOT_REACHABLE. */
  open(address: DrachtioAddress): Promise<void> {
    const { host, port } = address;
    this.#address = address;
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
        else if (this.#state === 'refused') this.#retrySlowly();
        else this.#log('warn', 'connection to the SIP server failed', { error: String(error) });
      });
      this.server.on('close', () => {
        this.#lost(unreachable);
      });
      this.#dial();
    });
  }

  /** Leaves the server; what is still under way there ends. May be called twice. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    const open = this.#state === 'open';
    this.#state = 'closed';
    clearTimeout(this.#slowly);
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
      this.#refused();
    } else {
      const again = this.#state !== 'new';
      if (again) this.#log('info', 'connected to the SIP server again');
      this.#state = 'open';
      if (again) this.#onBack();
      this.#reconnect.maxAttempts = 0;
    }
  }

  /** At the start that is the end; later somebody has changed the secret there, and may change it back. */
  #refused(): void {
    this.#reconnect.maxAttempts = 1;
    if (this.#state === 'new') {
      this.#state = 'closed';
      return;
    }
    this.#state = 'refused';
    this.#log('error', 'the SIP server refuses our secret: no call can come in. Trying again, slowly');
    this.#retrySlowly();
  }

  #retrySlowly(): void {
    clearTimeout(this.#slowly);
    this.#slowly = setTimeout(() => {
      if (this.#state === 'refused') this.#dial();
    }, this.#pauses.refused);
  }

  #dial(): void {
    this.server.connect({ ...this.#address, reconnect: this.#reconnect });
    if (this.#seen !== undefined) tapWire(this.server, this.#seen);
  }

  #lost(unreachable: (cause: unknown) => void): void {
    if (this.#state === 'new') unreachable(undefined);
    if (this.#state !== 'open') return;
    this.#state = 'lost';
    this.#log('error', 'connection to the SIP server lost; running recordings go on without signalling');
    this.#onLost();
  }

  #disconnect(): void {
    try {
      this.server.disconnect();
    } catch {
      // The library asserts that there is a connection; without one we are where we want to be.
    }
  }
}
