import { Worker } from 'node:worker_threads';
import { PlayerEngine, type Heard, type Piece, type Target } from './player-engine.ts';
import type { FromPlayer, PlayerCall, ToPlayer } from './player-messages.ts';

/** One line that audio is played on. Whoever opens it closes it. */
export interface PlayerLine {
  readonly port: number;
  /** Resolves with what was heard, when it was played to its end or the line is closed. Rejects when it cannot be played. */
  play(piece: Piece): Promise<Heard>;
  /** The peer moved; undefined: it is on hold and hears nothing. */
  redirect(to: Target | undefined): void;
  /** May be called twice. */
  close(): void;
}

/** Plays prepared audio, far from the threads that receive. */
export interface Player {
  /** Rejects when there is no port. */
  open(localAddress: string): Promise<PlayerLine>;
  close(): Promise<void>;
}

/** On this thread: for what is short and rare, and where there is no other. */
export class LocalPlayer implements Player {
  readonly #engine = new PlayerEngine();

  async open(localAddress: string): Promise<PlayerLine> {
    const { line, port } = await this.#engine.open(localAddress);
    return {
      port,
      play: (piece) => this.#engine.play(line, piece),
      redirect: (to) => {
        this.#engine.redirect(line, to);
      },
      close: () => {
        this.#engine.close(line);
      },
    };
  }

  close(): Promise<void> {
    this.#engine.closeAll();
    return Promise.resolve();
  }
}

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

/**
 * On a thread of its own, so that however many calls hear something, neither signalling nor recordings wait. The thread begins with the first
 * call, and again after it has died.
 */
export class ThreadPlayer implements Player {
  #worker: Worker | undefined;
  #next = 0;
  readonly #waiting = new Map<number, Waiting>();

  async open(localAddress: string): Promise<PlayerLine> {
    const { line, port } = await this.#call('open', { localAddress });
    const worker = this.#worker;
    const tell = (message: ToPlayer): void => {
      // Of a thread that died nothing is left to be closed.
      if (this.#worker === worker) worker?.postMessage(message);
    };
    return {
      port,
      play: (piece) => this.#call('play', { line, piece }),
      redirect: (to) => {
        tell({ type: 'redirect', line, to });
      },
      close: () => {
        tell({ type: 'close', line });
      },
    };
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
    this.#giveUp(new Error('the player was closed'));
  }

  #call<C extends keyof PlayerCall>(
    type: C,
    argument: PlayerCall[C]['argument'],
  ): Promise<PlayerCall[C]['answer']> {
    const worker = (this.#worker ??= this.#start());
    const id = ++this.#next;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      worker.postMessage({ type, id, ...argument });
    });
  }

  #start(): Worker {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const worker = new Worker(new URL(`./player-thread.${extension}`, import.meta.url), { name: 'player' });
    const gone = (error: Error): void => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      this.#giveUp(error);
    };
    worker.on('message', (message: FromPlayer) => {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if ('error' in message) waiting?.reject(new Error(message.error));
      else waiting?.resolve(message.answer as never);
    });
    worker.on('error', gone);
    worker.on('exit', () => {
      gone(new Error('the player thread ended'));
    });
    // Nothing it plays keeps the process from ending.
    worker.unref();
    return worker;
  }

  #giveUp(error: Error): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(error);
  }
}
