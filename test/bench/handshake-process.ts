/* A process of its own that shakes hands, as the clients of many calls would: its CPU is in no figure. */
import { type ChildProcess, fork } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { DtlsEndpoint } from '../../src/media/dtls/dtls-endpoint.ts';
import { makeDtlsIdentity } from '../../src/media/dtls/dtls-identity.ts';

const SELF = fileURLToPath(import.meta.url);
const SHAKE = 'shake-hands';
const PATIENCE_MS = 10_000;
/** How often the timers of a handshake are looked at. */
const LOOK_MS = 50;

/** The clients' ends of DTLS, and the fingerprint that their offers announce. */
export class HandshakeProcess {
  readonly #child: ChildProcess;
  readonly fingerprint: string;
  readonly #waiting = new Map<number, (milliseconds: number | undefined) => void>();

  private constructor(child: ChildProcess, fingerprint: string) {
    this.#child = child;
    this.fingerprint = fingerprint;
    child.on('message', ({ port, took }: { port: number; took: number | undefined }) => {
      this.#waiting.get(port)?.(took);
      this.#waiting.delete(port);
    });
  }

  static async start(): Promise<HandshakeProcess> {
    const child = fork(SELF, [SHAKE], { serialization: 'advanced' });
    const [fingerprint] = (await once(child, 'message')) as [string];
    return new HandshakeProcess(child, fingerprint);
  }

  /** Shakes hands with a port; resolves with the milliseconds that it took, or undefined when it came to nothing. */
  shake(port: number): Promise<number | undefined> {
    return new Promise((resolve) => {
      this.#waiting.set(port, resolve);
      this.#child.send(port);
    });
  }

  stop(): void {
    this.#child.disconnect();
  }
}

async function shake(endpoint: DtlsEndpoint, port: number): Promise<number | undefined> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const begun = performance.now();
  const session = endpoint.connect();
  const flush = (): void => {
    for (const datagram of session.outgoing()) socket.send(datagram, port, '127.0.0.1', () => undefined);
  };
  let took: number | undefined;
  socket.on('message', (datagram) => {
    session.take(datagram);
    flush();
    if (session.state.name === 'established') took ??= performance.now() - begun;
  });
  flush();
  while (took === undefined && performance.now() - begun < PATIENCE_MS) {
    await delay(LOOK_MS);
    session.expire();
    flush();
  }
  socket.close();
  session.destroy();
  return took;
}

async function shakeUntilTold(): Promise<void> {
  const identity = await makeDtlsIdentity(Date.now());
  const endpoint = new DtlsEndpoint(identity);
  process.on('message', (port: number) => {
    void shake(endpoint, port).then((took) => process.send?.({ port, took }));
  });
  process.once('disconnect', () => process.exit());
  process.send?.(identity.fingerprint);
}

if (process.argv[2] === SHAKE) await shakeUntilTold();
