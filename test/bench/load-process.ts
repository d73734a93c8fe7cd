/* A process of its own that sends 20 ms packets to the ports it is told, until it is told to stop. */
import { type ChildProcess, fork } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { RtpLoad } from './rtp-load.ts';

const SELF = fileURLToPath(import.meta.url);
const SEND = 'send-rtp';

/** What was sent: packets in all, and whole turns of one packet a stream. */
export interface Sent {
  readonly packets: number;
  readonly turns: number;
}

interface Aim {
  readonly stream: number;
  /** 0: nowhere. */
  readonly port: number;
}

/** The sending process while it sends. */
export class LoadProcess {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** `key`: every stream is encrypted under it. */
  static async to(ports: readonly number[], key?: Uint8Array): Promise<LoadProcess> {
    const child = fork(SELF, [SEND], { serialization: 'advanced' });
    child.send({ ports, key });
    await once(child, 'message');
    return new LoadProcess(child);
  }

  /** So many streams that go nowhere yet; see `aim`. */
  static async idle(streams: number): Promise<LoadProcess> {
    return LoadProcess.to(new Array<number>(streams).fill(0));
  }

  /** Sends a stream to another port from now on, or, without one, nowhere. */
  aim(stream: number, port: number | undefined): void {
    this.#child.send({ stream, port: port ?? 0 } satisfies Aim);
  }

  async stop(): Promise<Sent> {
    const told = once(this.#child, 'message') as Promise<[Sent]>;
    this.#child.send('stop');
    const [sent] = await told;
    this.#child.disconnect();
    return sent;
  }
}

async function sendUntilTold(): Promise<void> {
  const [{ ports, key }] = (await once(process, 'message')) as [{ ports: number[]; key?: Uint8Array }];
  // A port that nobody listens on would be answered with errors; what comes to this one is thrown away.
  const nowhere = createSocket('udp4').bind(0, '127.0.0.1');
  await once(nowhere, 'listening');
  const portOf = (port: number): number => (port === 0 ? nowhere.address().port : port);
  const load = new RtpLoad(ports.map(portOf), key);
  let stopped = false;
  process.on('message', (message: 'stop' | Aim) => {
    if (message === 'stop') stopped = true;
    else load.aim(message.stream, portOf(message.port));
  });
  process.send?.('sending');
  const turns = await load.run(() => stopped);
  nowhere.close();
  process.send?.({ packets: load.sent, turns } satisfies Sent);
}

if (process.argv[2] === SEND) await sendUntilTold();
