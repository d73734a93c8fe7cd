import { connect, createServer, isIPv6, type Server, type Socket } from 'node:net';
import type { Endpoint } from './flow.ts';
import type { SipServerLimits } from './limits.ts';
import { listenError, type ListenAddress } from './listen-address.ts';
import type { Log } from './log.ts';
import { SipServerError } from './sip-server-error.ts';
import { plainAddress, TcpConnection, type TcpEvents } from './tcp-connection.ts';

export interface TcpContext {
  readonly limits: SipServerLimits;
  readonly log: Log;
  readonly events: TcpEvents;
  /** A connection was refused by a limit. */
  refused(): void;
}

/** The TCP listeners and all connections, ours and the peers', with their limits. */
export class TcpTransport {
  readonly #context: TcpContext;
  readonly #servers = new Map<Server, ListenAddress>();
  readonly #connections = new Set<TcpConnection>();
  readonly #perAddress = new Map<string, number>();

  constructor(context: TcpContext) {
    this.#context = context;
  }

  get bound(): readonly ListenAddress[] {
    return [...this.#servers.values()];
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Throws ADDRESS_IN_USE and its like. */
  listen(where: ListenAddress): Promise<void> {
    const server = createServer();
    return new Promise((resolve, reject) => {
      server.once('error', (error) => {
        reject(listenError(where, error));
      });
      server.listen({ host: where.address, port: where.port, ipv6Only: isIPv6(where.address) }, () => {
        const bound = server.address();
        const port = typeof bound === 'object' && bound !== null ? bound.port : where.port;
        this.#servers.set(server, { ...where, port });
        server.removeAllListeners('error');
        server.on('error', (error) => {
          this.#context.log('warn', 'sip server: TCP listener error', { error });
        });
        server.on('connection', (socket) => {
          this.#accept(socket, port);
        });
        resolve();
      });
    });
  }

  /** Opens a connection, or takes the one there is. Throws UNREACHABLE. */
  connect(remote: Endpoint, localPort: number, timeout: number): Promise<TcpConnection> {
    const known = [...this.#connections].find(
      (each) => each.open && each.remote.port === remote.port && each.remote.address === remote.address,
    );
    if (known !== undefined) return Promise.resolve(known);

    return new Promise((resolve, reject) => {
      const socket = connect({ host: remote.address, port: remote.port });
      const fail = (error: unknown): void => {
        socket.destroy();
        reject(
          new SipServerError('UNREACHABLE', `no connection to ${remote.address}:${remote.port}`, {
            cause: error,
          }),
        );
      };
      socket.setTimeout(timeout, () => {
        fail(undefined);
      });
      socket.once('error', fail);
      socket.once('connect', () => {
        socket.removeListener('error', fail);
        socket.setTimeout(0).removeAllListeners('timeout');
        resolve(this.#adopt(socket, localPort));
      });
    });
  }

  async close(): Promise<void> {
    const closing = [...this.#servers.keys()].map(
      (server) =>
        new Promise<void>((resolve) => {
          server.close(() => {
            resolve();
          });
        }),
    );
    for (const connection of this.#connections) connection.destroy();
    await Promise.all(closing);
  }

  #accept(socket: Socket, localPort: number): void {
    const { limits } = this.#context;
    const address = plainAddress(socket.remoteAddress);
    const ofPeer = this.#perAddress.get(address) ?? 0;
    if (this.#connections.size >= limits.connections || ofPeer >= limits.connectionsPerAddress) {
      this.#context.refused();
      socket.on('error', () => undefined);
      socket.destroy();
      return;
    }
    this.#adopt(socket, localPort);
  }

  #adopt(socket: Socket, localPort: number): TcpConnection {
    const { limits, log, events } = this.#context;
    const connection: TcpConnection = new TcpConnection(socket, localPort, {
      limits,
      log,
      events: {
        ...events,
        closed: () => {
          this.#forget(connection);
          events.closed(connection);
        },
      },
    });
    this.#connections.add(connection);
    const { address } = connection.remote;
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1);
    return connection;
  }

  #forget(connection: TcpConnection): void {
    if (!this.#connections.delete(connection)) return;
    const { address } = connection.remote;
    const left = (this.#perAddress.get(address) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(address, left);
    else this.#perAddress.delete(address);
  }
}
