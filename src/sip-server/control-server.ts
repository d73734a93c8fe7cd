import { createServer, type Server, type Socket } from 'node:net';
import type { Application, Applications } from './application.ts';
import { ControlConnection, type ControlContext } from './control-connection.ts';
import { innerSockets } from './inner-sockets.ts';
import { SipServerError } from './sip-server-error.ts';

export interface ControlServerEvents extends Pick<ControlContext['events'], 'sip' | 'routed'> {
  /** An application's connection closed. */
  lost(gone: Application): void;
}

/** The port applications connect to, and the choice among them. */
export class ControlServer implements Applications {
  readonly #server: Server;
  readonly #context: ControlContext;
  readonly #connections = new Set<ControlConnection>();
  /** Somebody waits for the last of them; from then on nobody is welcome. */
  #emptied: (() => void) | undefined;
  #turn = 0;

  constructor(context: Omit<ControlContext, 'events'>, events: ControlServerEvents) {
    this.#context = {
      ...context,
      events: {
        sip: (...message) => {
          events.sip(...message);
        },
        routed: (...told) => {
          events.routed(...told);
        },
        closed: (gone) => {
          this.#connections.delete(gone);
          events.lost(gone);
          if (this.#connections.size === 0) this.#emptied?.();
        },
      },
    };
    this.#server = createServer((socket) => {
      this.#welcome(socket);
    });
  }

  /** An application's end of a connection that stays within the process. */
  connect(): Socket {
    const [theirs, ours] = innerSockets();
    this.#welcome(ours);
    return theirs;
  }

  #welcome(socket: Socket): void {
    if (this.#emptied !== undefined) socket.destroy();
    else this.#connections.add(new ControlConnection(socket, this.#context));
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Authenticated connections. */
  get size(): number {
    return [...this.#connections].filter((each) => each.open).length;
  }

  /** Round robin over those who routed the verb. */
  pick(verb: string): Application | undefined {
    const willing = [...this.#connections].filter((each) => each.routes(verb));
    this.#turn += 1;
    return willing[this.#turn % willing.length];
  }

  /** Throws ADDRESS_IN_USE or LISTEN_FAILED. */
  listen(host: string, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => {
        const code = error.code === 'EADDRINUSE' ? 'ADDRESS_IN_USE' : 'LISTEN_FAILED';
        const why =
          code === 'ADDRESS_IN_USE' ? 'already in use by another program' : (error.code ?? error.message);
        reject(new SipServerError(code, `control port ${host}:${port}: ${why}`, { cause: error }));
      });
      this.#server.listen({ host, port }, () => {
        this.#server.removeAllListeners('error');
        this.#server.on('error', () => undefined);
        resolve();
      });
    });
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
    const emptied = new Promise<void>((resolve) => {
      this.#emptied = resolve;
      if (this.#connections.size === 0) resolve();
    });
    for (const connection of this.#connections) connection.destroy();
    await Promise.all([closed, emptied]);
  }
}
