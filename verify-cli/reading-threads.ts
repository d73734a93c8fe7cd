import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { RecordingView } from '../src/evidence/recording-view.ts';
import type { RecordingFiles } from './archive.ts';
import type { ReadingTask } from './reading-thread.ts';

/** Reads one recording of an archive. */
export type ReadRecording = (root: string, files: RecordingFiles) => Promise<RecordingView>;

interface Answer {
  readonly view?: RecordingView;
  readonly error?: string;
}

/** Reads and hashes recordings on all cores. The caller asks for at most `size` at a time, and closes. */
export class ReadingThreads {
  readonly size: number;
  readonly #all: readonly Worker[];
  readonly #idle: Worker[];

  constructor(size = availableParallelism()) {
    this.size = size;
    this.#all = Array.from(
      { length: size },
      () => new Worker(new URL('./reading-thread.js', import.meta.url)),
    );
    this.#idle = [...this.#all];
  }

  readonly read: ReadRecording = async (root, files) => {
    const worker = this.#idle.pop();
    if (worker === undefined) throw new Error('more recordings asked for than there are threads');
    try {
      return await ask(worker, { root, files });
    } finally {
      this.#idle.push(worker);
    }
  };

  async close(): Promise<void> {
    await Promise.all(this.#all.map((worker) => worker.terminate()));
  }
}

function ask(worker: Worker, task: ReadingTask): Promise<RecordingView> {
  return new Promise((resolve, reject) => {
    const done = ({ view, error }: Answer): void => {
      worker.off('error', reject);
      if (view === undefined) reject(new Error(error ?? 'the thread did not answer'));
      else resolve(view);
    };
    worker.once('message', done).once('error', reject);
    worker.postMessage(task);
  });
}
