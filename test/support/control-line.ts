import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** The way between application and SIP server, which can be cut and opened again. */
export class ControlLine {
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  port = 0;

  async open(target: number): Promise<void> {
    const server = createServer((near) => {
      const far = connect({ host: '127.0.0.1', port: target });
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(one);
        one.on('error', () => undefined);
        one.on('close', () => other.destroy());
        one.pipe(other);
      }
    });
    server.listen(this.port, '127.0.0.1');
    await once(server, 'listening');
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  cut(): void {
    this.#server?.close();
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }
}
