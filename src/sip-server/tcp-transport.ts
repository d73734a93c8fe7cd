import { createServer, isIPv6, type Server, type Socket } from 'node:net';
import type { Channel, ReadyStream } from './channel.ts';
import type { ConnectionQuota } from './connection-quota.ts';
import type { Endpoint } from './flow.ts';
import type { SipServerLimits } from './limits.ts';
import { listenError, type ListenAddress } from './listen-address.ts';
import type { Log } from './log.ts';
import { SipServerError } from './sip-server-error.ts';
import { plainAddress, TcpConnection, type TcpEvents } from './tcp-connection.ts';

export interface TcpContext {
  readonly limits: SipServerLimits;
  readonly quota: ConnectionQuota;
  readonly log: Log;
  readonly events: TcpEvents;
  /** A connection was refused by a limit. */
  refused(): void;
}

/** The listeners of TCP or TLS and all connections on it, ours and the peers', with their limits. */
export class TcpTransport {
  readonly #channel: Channel;
  readonly #context: TcpContext;
  readonly #servers = new Map<Server, ListenAddress>();
  readonly #connections = new Set<TcpConnection>();
  /** Accepted by the system, perhaps not yet ready for SIP. */
  readonly #sockets = new Set<Socket>();

  constructor(channel: Channel, context: TcpContext) {
    this.#channel = channel;
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
      const fail = (error: unknown): void => {
        socket.destroy();
        reject(
          new SipServerError('UNREACHABLE', `no connection to ${remote.address}:${remote.port}`, {
            cause: error,
          }),
        );
      };
      const socket = this.#channel.connect(remote, (stream) => {
        socket.removeListener('error', fail);
        socket.setTimeout(0).removeAllListeners('timeout');
        this.#count(socket, remote.address);
        resolve(this.#adopt(stream, localPort));
      });
      socket.setTimeout(timeout, () => {
        fail(undefined);
      });
      socket.once('error', fail);
    });
  }

  async close(): Promise<void> {
    this.#channel.close();
    const closing = [...this.#servers.keys()].map(
      (server) =>
        new Promise<void>((resolve) => {
          server.close(() => {
            resolve();
          });
        }),
    );
    for (const connection of this.#connections) connection.destroy();
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closing);
  }

  #accept(socket: Socket, localPort: number): void {
    const { quota } = this.#context;
    socket.on('error', () => undefined);
    const address = plainAddress(socket.remoteAddress);
    if (address === '' || !quota.admit(address)) {
      this.#refuse(socket);
      return;
    }
    this.#releaseAtEnd(socket, address);
    const taken = this.#channel.accept(socket, (stream) => {
      this.#adopt(stream, localPort);
    });
    if (!taken) this.#refuse(socket);
  }

  #refuse(socket: Socket): void {
    this.#context.refused();
    socket.destroy();
  }

  #count(socket: Socket, address: string): void {
    this.#context.quota.add(address);
    this.#releaseAtEnd(socket, address);
  }

  #releaseAtEnd(socket: Socket, address: string): void {
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#context.quota.release(address);
    });
  }

  #adopt(stream: ReadyStream, localPort: number): TcpConnection {
    const { limits, log, events } = this.#context;
    const connection: TcpConnection = new TcpConnection(stream, {
      protocol: this.#channel.protocol,
      localPort,
      limits,
      log,
      events: {
        ...events,
        closed: () => {
          this.#connections.delete(connection);
          events.closed(connection);
        },
      },
    });
    this.#connections.add(connection);
    return connection;
  }
}
