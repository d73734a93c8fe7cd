/* A process of its own that records calls with the media side of a built checkout alone, or that only counts datagrams. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { MediaThreadsHost } from '../../src/media/media-threads.ts';
import { countByBatch } from './counting-receiver.ts';
import { cpuSeconds } from './process-figures.ts';

const SELF = fileURLToPath(import.meta.url);
const SUBJECT = 'media-subject';
const LINES = [
  { line: 0, role: 'caller' },
  { line: 1, role: 'callee' },
] as const;
const PCMA = { payloadType: 8, encoding: 'PCMA', clockRate: 8000 };
/** Two lines, each with a port for audio and one for reports. */
const PORTS_A_CALL = 4;
/** A port that was used rests for a while; calls of two turns find others. Above are those that the kernel gives to whoever asks for none. */
const TURNS_OF_PORTS = 2;
const LAST_PORT = 32_767;

/** What a subject has done so far. CPU in seconds; that of the thread is the process's where it only counts. */
export interface Done {
  readonly packets: number;
  readonly thread: number;
  readonly process: number;
}

export interface SubjectPlan {
  readonly calls: number;
  /** A built checkout; undefined for the receiver that only counts. */
  readonly checkout: string | undefined;
  readonly spool: string;
  /** `address:port` that takes reports. */
  readonly reports: string;
}

type Question = 'open' | 'done' | 'close';

/** The process, asked one thing at a time. */
export class MediaSubject {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(plan: SubjectPlan): Promise<MediaSubject> {
    const child = fork(SELF, [SUBJECT], { serialization: 'advanced' });
    child.send(plan);
    await once(child, 'message');
    return new MediaSubject(child);
  }

  /** Ports of the calls that are open now, new ones after `close`. */
  open(): Promise<readonly number[]> {
    return this.#ask('open') as Promise<readonly number[]>;
  }

  async done(): Promise<Done> {
    const done = (await this.#ask('done')) as Omit<Done, 'process'>;
    const process = cpuSeconds(this.#child.pid ?? 0);
    return { ...done, thread: Number.isNaN(done.thread) ? process : done.thread, process };
  }

  /** Ends the calls and deletes what was recorded. */
  async close(): Promise<void> {
    await this.#ask('close');
  }

  stop(): void {
    this.#child.disconnect();
  }

  async #ask(question: Question): Promise<unknown> {
    const answer = once(this.#child, 'message') as Promise<[unknown]>;
    this.#child.send(question);
    return (await answer)[0];
  }
}

interface Work {
  readonly open: () => Promise<readonly number[]>;
  readonly done: () => Promise<Omit<Done, 'process'>>;
  readonly close: () => Promise<unknown>;
}

function counting({ calls }: SubjectPlan): Work {
  const receiver = countByBatch(calls * LINES.length);
  return {
    open: () => Promise.resolve(receiver.ports),
    done: () => Promise.resolve({ packets: receiver.counted(), thread: NaN }),
    close: () => Promise.resolve(),
  };
}

async function recording(checkout: string, { calls, spool, reports }: SubjectPlan): Promise<Work> {
  const file = pathToFileURL(join(checkout, 'dist/src/media/media-threads.js')).href;
  const { startMediaThreads } = (await import(file)) as typeof import('../../src/media/media-threads.ts');
  const say = (line: string): void => {
    process.stderr.write(`${checkout}: ${line}\n`);
  };
  const first = Math.max(1024, LAST_PORT + 1 - calls * PORTS_A_CALL * TURNS_OF_PORTS) & ~1;
  const host: MediaThreadsHost = await startMediaThreads({
    threads: 1,
    ports: `${first}-${LAST_PORT}`,
    receiver: 'batch',
    log: { info: () => undefined, warn: say },
  });
  host.onFailure((id, error) => {
    say(`${id}: ${error.message}`);
  });
  let open: readonly string[] = [];
  let turn = 0;
  const request = (id: string): Parameters<MediaThreadsHost['open']>[0] => ({
    id,
    folder: join(spool, id),
    bind: '127.0.0.1',
    lines: LINES.map((line) => ({
      ...line,
      formats: [PCMA],
      active: true,
      sources: ['127.0.0.0/8'],
      rtcp: { mux: false, target: reports },
    })),
  });
  return {
    open: async () => {
      await mkdir(spool, { recursive: true });
      turn += 1;
      open = Array.from({ length: calls }, (_none, call) => `${turn}-${call}`);
      const opened = await Promise.all(open.map((id) => host.open(request(id))));
      return opened.flatMap(({ lines }) => lines.map(({ port }) => port));
    },
    done: async () => {
      const { packets, cpuSeconds: thread } = await host.totals();
      return { packets, thread };
    },
    close: async () => {
      const now = Date.now();
      await Promise.all(open.map((id) => host.close(id, now)));
      await rm(spool, { recursive: true, force: true });
    },
  };
}

async function workUntilTold(): Promise<void> {
  const [plan] = (await once(process, 'message')) as [SubjectPlan];
  const work = plan.checkout === undefined ? counting(plan) : await recording(plan.checkout, plan);
  process.on('message', (question: Question) => {
    work[question]().then(
      (answer) => process.send?.(answer ?? 'done'),
      (error: unknown) => {
        throw error;
      },
    );
  });
  process.once('disconnect', () => process.exit());
  process.send?.('ready');
}

if (process.argv[2] === SUBJECT) await workUntilTold();
