import { Worker } from 'node:worker_threads';
import { PlayerEngine, type Heard, type Piece, type PlayPorts, type Way } from './player-engine.ts';
import type { FromPlayer, PlayerCall, PlayerData, ToPlayer } from './player-messages.ts';

/** One line that audio is played on. Whoever opens it closes it. */
export interface PlayerLine {
  readonly port: number;
  /** Resolves with what was heard, when it was played to its end or the line is closed. Rejects when it cannot be played. */
  play(piece: Piece): Promise<Heard>;
  /** The peer moved, or wants other keys; undefined: it is on hold and hears nothing. */
  redirect(way: Way | undefined): void;
  /** May be called twice. */
  close(): void;
}

/** Plays prepared audio, far from the threads that receive. */
export interface Player {
  /** Rejects when there is no port. */
  open(localAddress: string): Promise<PlayerLine>;
  /** Ends everything: who plays hears how far it came. */
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
      redirect: (way) => {
        this.#engine.redirect(line, way);
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

/** What a thread that is ended may take to say how far it came, in ms. */
const LAST_WORDS = 1000;

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

/**
 * On a thread of its own, so that however many calls hear something, neither signalling nor recordings wait. The thread begins with the first
 * call, and again after it has died.
 */
export class ThreadPlayer implements Player {
  readonly #data: PlayerData;
  #worker: Worker | undefined;
  #next = 0;
  readonly #waiting = new Map<number, Waiting>();

  /** Without `ports` the system chooses them. */
  constructor(ports?: PlayPorts) {
    this.#data = { ports };
  }

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
      redirect: (way) => {
        tell({ type: 'redirect', line, way });
      },
      close: () => {
        tell({ type: 'close', line });
      },
    };
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    const ended = this.#call('end', {}).catch(() => undefined);
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, LAST_WORDS).unref())]);
    if (this.#worker === worker) this.#worker = undefined;
    await worker.terminate();
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
    const worker = new Worker(new URL(`./player-thread.${extension}`, import.meta.url), {
      name: 'player',
      workerData: this.#data,
    });
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
