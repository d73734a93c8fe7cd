/* A process of its own that sends 20 ms packets to the ports it is told, until it is told to stop. */
import { type ChildProcess, fork } from 'node:child_process';
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
  const load = new RtpLoad(ports, key);
  let stopped = false;
  process.once('message', () => {
    stopped = true;
  });
  process.send?.('sending');
  const turns = await load.run(() => stopped);
  process.send?.({ packets: load.sent, turns } satisfies Sent);
}

if (process.argv[2] === SEND) await sendUntilTold();
