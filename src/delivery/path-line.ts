import { fork, type ChildProcess } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Readable } from 'node:stream';
import { DeliveryError, deliveryError } from './delivery-error.ts';
import type { PathAsk, PathReply, PathRequest } from './path-messages.ts';
import { SourceFeed } from './source-feed.ts';

export interface PathLineOptions {
  readonly name: string;
  readonly root: string;
  readonly marker?: string | undefined;
  /** Seconds without any answer or progress after which the process is killed. */
  readonly timeoutSeconds: number;
  /** The program; default: the compiled one beside this file. */
  readonly entry?: string | undefined;
}

/** Milliseconds that a request which was told to stop has to clean up before it is given up. */
const STOPPING = 5000;
/** Milliseconds from the end of the connection, or from the kill, until nobody waits for the process any more. */
const ENDING = 2000;

interface Errand {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly heard: () => void;
  readonly feed: SourceFeed | undefined;
}

/** The compiled program beside this file: `.js` in dist, `.ts` where Node runs TypeScript itself. */
const defaultEntry = (): string =>
  fileURLToPath(new URL(`./path-process${extname(import.meta.url)}`, import.meta.url));

/**
 * The connection to the process that works on one folder. It is started when there is something to do, and anew when it has died. One that hangs is
 * killed; as long as the kernel does not let go of it, no other is started, so that a dead mount costs one process, not one a try.
 */
export class PathLine {
  readonly #options: PathLineOptions;
  readonly #errands = new Map<number, Errand>();
  #child: ChildProcess | undefined;
  /** Killed, but still there. */
  #hanging: ChildProcess | undefined;
  #last = 0;
  #closed = false;

  constructor(options: PathLineOptions) {
    this.#options = options;
  }

  /** Id of the process, while there is one that works. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** A number for a request, never given twice. */
  number(): number {
    this.#last += 1;
    return this.#last;
  }

  /** Has the process do something. Rejects with the errors of a destination. */
  ask<T>(
    ask: PathAsk,
    signal: AbortSignal,
    own: { readonly id?: number; readonly open?: () => Readable } = {},
  ): Promise<T> {
    const { id = this.number(), open } = own;
    return new Promise<unknown>((resolve, reject) => {
      if (signal.aborted || this.#closed) throw new DeliveryError('ABORTED', this.#options.root);
      const child = this.#working();
      const errand = this.#errand(id, { child, signal, open, resolve, reject });
      this.#errands.set(id, errand);
      this.#send(child, { kind: 'ask', id, ask });
    }) as Promise<T>;
  }

  /** Tells the process something that needs no answer; when there is none, nothing. */
  tell(ask: PathAsk): void {
    if (this.#child !== undefined) this.#send(this.#child, { kind: 'ask', id: this.number(), ask });
  }

  #errand(
    id: number,
    {
      child,
      signal,
      open,
      ...promise
    }: {
      readonly child: ChildProcess;
      readonly signal: AbortSignal;
      readonly open: (() => Readable) | undefined;
      readonly resolve: (value: unknown) => void;
      readonly reject: (error: Error) => void;
    },
  ): Errand {
    const feed =
      open === undefined
        ? undefined
        : new SourceFeed(open, (part) => {
            this.#send(child, { kind: 'octets', id, ...part });
          });
    const silence = setTimeout(() => {
      // Whoever waits for the source has a reason to say nothing.
      if (feed?.isAwaited === true) silence.refresh();
      else this.#giveUp(child);
    }, this.#options.timeoutSeconds * 1000);
    let grace: NodeJS.Timeout | undefined;
    const stop = (): void => {
      this.#send(child, { kind: 'abort', id });
      feed?.close();
      grace = setTimeout(() => {
        this.#settle(id)?.reject(new DeliveryError('ABORTED', this.#options.root));
      }, STOPPING);
    };
    signal.addEventListener('abort', stop, { once: true });
    const done = (): void => {
      clearTimeout(silence);
      clearTimeout(grace);
      signal.removeEventListener('abort', stop);
      feed?.close();
    };
    return {
      feed,
      heard: () => silence.refresh(),
      resolve: (value) => {
        done();
        promise.resolve(value);
      },
      reject: (error) => {
        done();
        promise.reject(error);
      },
    };
  }

  /** Ends the process. What it was still asked for is refused. May be called twice. */
  async close(): Promise<void> {
    this.#closed = true;
    const child = this.#child;
    this.#child = undefined;
    this.#refuseAll(new DeliveryError('ABORTED', `${this.#options.root}: the destination is closed`));
    if (child === undefined) return;
    const gone = exited(child);
    if (child.connected) child.disconnect();
    if (!(await within(gone, ENDING))) {
      child.kill('SIGKILL');
      // The kernel may keep it as long as the mount hangs; it is gone when that answers, and nobody waits for that.
      await within(gone, ENDING);
    }
    child.unref();
  }

  #working(): ChildProcess {
    if (this.#hanging !== undefined)
      throw new DeliveryError(
        'UNREACHABLE',
        `${this.#options.root} hangs: a process that was killed over it (${String(this.#hanging.pid)}) has not ended yet`,
      );
    this.#child ??= this.#start();
    return this.#child;
  }

  #start(): ChildProcess {
    const { name, root, marker = '', entry = defaultEntry() } = this.#options;
    const child = fork(entry, [name, root, marker], {
      // Neither the parent's options nor its environment, which may hold secrets.
      execArgv: [],
      env: { UV_THREADPOOL_SIZE: '16' },
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    child.on('message', (reply) => {
      this.#hear(reply as PathReply);
    });
    child.on('error', (error) => {
      this.#lose(child, `cannot be started or reached: ${error.message}`);
    });
    child.on('exit', (code, signal) => {
      if (this.#hanging === child) this.#hanging = undefined;
      this.#lose(child, `ended with ${String(code ?? signal)}`);
    });
    return child;
  }

  #send(child: ChildProcess, request: PathRequest): void {
    // An error comes back as 'error' or 'exit', and is dealt with there.
    if (child.connected) child.send(request, () => undefined);
  }

  #hear(reply: PathReply): void {
    const errand = this.#errands.get(reply.id);
    errand?.heard();
    if (reply.kind === 'pull') errand?.feed?.pull(reply.parts);
    else if (reply.kind === 'done') this.#settle(reply.id)?.resolve(reply.value);
    else if (reply.kind === 'failed') this.#settle(reply.id)?.reject(deliveryError(reply.code, reply.detail));
  }

  #settle(id: number): Errand | undefined {
    const errand = this.#errands.get(id);
    this.#errands.delete(id);
    return errand;
  }

  /** Silence: the mount hangs, or the process does. */
  #giveUp(child: ChildProcess): void {
    if (this.#child !== child) return;
    const { root, timeoutSeconds } = this.#options;
    this.#child = undefined;
    this.#hanging = child;
    child.kill('SIGKILL');
    this.#refuseAll(
      new DeliveryError('UNREACHABLE', `${root} did not answer for ${timeoutSeconds} s: the mount hangs`),
    );
  }

  #lose(child: ChildProcess, why: string): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#refuseAll(new DeliveryError('UNREACHABLE', `${this.#options.root}: its process ${why}`));
  }

  #refuseAll(error: Error): void {
    for (const id of [...this.#errands.keys()]) this.#settle(id)?.reject(error);
  }
}

const exited = (child: ChildProcess): Promise<unknown> =>
  child.exitCode === null && child.signalCode === null
    ? new Promise((resolve) => child.once('exit', resolve))
    : Promise.resolve();

/** False when it took longer. */
async function within(work: Promise<unknown>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, milliseconds, false);
  });
  const inTime = await Promise.race([work.then(() => true), late]);
  clearTimeout(timer);
  return inTime;
}
