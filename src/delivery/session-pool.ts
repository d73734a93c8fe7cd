import { DeliveryError } from './delivery-error.ts';

/** A connection to a server that does one thing at a time. */
export interface Session {
  /** False once nothing more can be asked of it. */
  readonly alive: boolean;
  end(): void;
}

export interface SessionPoolOptions<S extends Session> {
  /** For errors. */
  readonly name: string;
  readonly open: (signal: AbortSignal) => Promise<S>;
  readonly limit: number;
  /** Milliseconds after which an unused session is ended. Default one minute. */
  readonly idleAfter?: number;
}

/** A right to use one session; `release` may be called twice. */
export interface Lease<S extends Session> {
  readonly session: S;
  readonly release: () => void;
}

/** Keeps sessions open between requests, so that a small file does not cost a login; as many as allowed, no more. */
export class SessionPool<S extends Session> {
  readonly #options: SessionPoolOptions<S>;
  readonly #idle: { readonly session: S; readonly timer: NodeJS.Timeout }[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly #used = new Set<S>();
  #taken = 0;
  #closed = false;

  constructor(options: SessionPoolOptions<S>) {
    this.#options = options;
  }

  /** Runs `work` with a session of its own. */
  async use<T>(signal: AbortSignal, work: (session: S) => Promise<T>): Promise<T> {
    const lease = await this.lease(signal);
    try {
      return await work(lease.session);
    } finally {
      lease.release();
    }
  }

  async lease(signal: AbortSignal): Promise<Lease<S>> {
    await this.#place(signal);
    try {
      const session = this.#takeIdle() ?? (await this.#options.open(signal));
      this.#used.add(session);
      if (this.#closed) session.end();
      let released = false;
      const release = (): void => {
        if (released) return;
        released = true;
        this.#giveBack(session);
      };
      return { session, release };
    } catch (error) {
      this.#leave();
      throw error;
    }
  }

  close(): void {
    this.#closed = true;
    this.#endIdle();
    for (const session of this.#used) session.end();
  }

  /** Waits for one of the places. */
  async #place(signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#closed) throw new DeliveryError('ABORTED', this.#options.name);
    if (this.#taken < this.#options.limit) {
      this.#taken += 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const enter = (): void => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1);
        reject(new DeliveryError('ABORTED', this.#options.name));
      };
      this.#waiting.push(enter);
      signal.addEventListener('abort', giveUp, { once: true });
    });
  }

  /** The place goes to who waited longest. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#taken -= 1;
    else next();
  }

  #takeIdle(): S | undefined {
    for (let found = this.#idle.pop(); found !== undefined; found = this.#idle.pop()) {
      clearTimeout(found.timer);
      if (found.session.alive) return found.session;
      found.session.end();
    }
    return undefined;
  }

  #endIdle(): void {
    for (let session = this.#takeIdle(); session !== undefined; session = this.#takeIdle()) session.end();
  }

  #giveBack(session: S): void {
    this.#used.delete(session);
    if (!session.alive || this.#closed) {
      session.end();
      // What broke one has most likely broken those that nobody uses at the moment, and they do not know yet.
      this.#endIdle();
    } else {
      const timer = setTimeout(() => {
        const at = this.#idle.findIndex((entry) => entry.session === session);
        if (at >= 0) this.#idle.splice(at, 1);
        session.end();
      }, this.#options.idleAfter ?? 60_000);
      timer.unref();
      this.#idle.push({ session, timer });
    }
    this.#leave();
  }
}
