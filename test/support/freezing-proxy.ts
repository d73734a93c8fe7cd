import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A TCP port in front of a Unix socket that can fall silent, as a firewall or a frozen host does: nothing is closed, nothing comes. */
export interface FreezingProxy {
  readonly port: number;
  freeze(frozen: boolean): void;
  close(): void;
}

export async function startFreezingProxy(socketPath: string): Promise<FreezingProxy> {
  const sockets = new Set<Socket>();
  let frozen = false;
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    if (frozen) socket.pause();
  };
  const server = createServer((near) => {
    const far = connect(socketPath);
    keep(near);
    keep(far);
    near.on('data', (data) => far.write(data));
    far.on('data', (data) => near.write(data));
    near.once('close', () => far.destroy());
    far.once('close', () => near.destroy());
    if (!frozen) return;
    near.pause();
    far.pause();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as { readonly port: number }).port,
    freeze: (now) => {
      frozen = now;
      for (const socket of sockets) {
        if (now) socket.pause();
        else socket.resume();
      }
    },
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
