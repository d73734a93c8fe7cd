import { access, close, constants, fdatasync, ftruncate, open, readSync, unlink, write } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { AudioDisk } from './audio-disk.ts';
import { BufferShelf } from './buffer-shelf.ts';
import { Turnstile } from './turnstile.ts';

/** Calls into the file system under way at once: the pool of Node has four threads, which others need, too. */
const WRITES = 2;
const SYNCS = 1;

type Done = (error: NodeJS.ErrnoException | null) => void;

/** Something to be done with one file; those of a file are done one after the other. */
interface Step {
  /** Where in the file it writes audio; Infinity for what writes none. */
  readonly position: number;
  readonly run: (fd: number, done: Done) => void;
  /** Called when it is through, whatever the disk said later on. */
  readonly release?: () => void;
}

interface PendingFile {
  readonly path: string;
  fd: number;
  readonly steps: Step[];
  running: boolean;
  /** What the step in front failed with; it stays in front. */
  error: NodeJS.ErrnoException | undefined;
  readonly waiting: { readonly resolve: () => void; readonly reject: (error: Error) => void }[];
}

/**
 * A disk that takes everything at once and writes it behind the back of the thread that receives: a disk that is slow, or does not
 * answer for a while, holds up no packet. Of each file one write is under way; `ready` says when there is room for the next, and until then
 * the audio stays where it is. A step that failed is tried again with the next call for its file, which throws the error.
 */
export class WriteBehind implements AudioDisk {
  readonly #files = new Map<number, PendingFile>();
  readonly #writes = new Turnstile(WRITES, () => performance.now());
  readonly #syncs = new Turnstile(SYNCS, () => performance.now());
  readonly #shelf = new BufferShelf();
  #last = 0;

  /** Milliseconds for which the write that has waited longest has had no answer; 0 when none is under way. */
  get waiting(): number {
    return this.#writes.longest;
  }

  readonly check = (folder: string): Promise<void> =>
    new Promise((resolve, reject) => {
      access(`${folder}/.`, constants.W_OK | constants.X_OK, (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });

  readonly create = (path: string): number => {
    this.#last += 1;
    const file: PendingFile = { path, fd: -1, steps: [], running: false, error: undefined, waiting: [] };
    this.#files.set(this.#last, file);
    this.#add(file, {
      position: Infinity,
      run: (_fd, done) => {
        open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o640, (error, fd) => {
          if (error === null) file.fd = fd;
          done(error);
        });
      },
    });
    return this.#last;
  };

  readonly write = (handle: number, octets: Uint8Array, length: number, position: number): number => {
    const file = this.#file(handle);
    this.#throwFailure(file);
    const kept = this.#shelf.take(length);
    kept.set(octets.subarray(0, length));
    this.#add(file, {
      position: position === 0 ? Infinity : position,
      run: (fd, done) => {
        writeAll(fd, kept.subarray(0, length), position, done);
      },
      release: () => {
        this.#shelf.giveBack(kept);
      },
    });
    return length;
  };

  /** Synchronous: what is read was written a moment ago and is in memory still. Only for a file that is `ready`. */
  readonly read = (handle: number, octets: Uint8Array, length: number, position: number): number => {
    const file = this.#file(handle);
    this.#throwFailure(file);
    return readSync(file.fd, octets, 0, length, position);
  };

  readonly truncate = (handle: number, length: number): void => {
    const file = this.#file(handle);
    this.#throwFailure(file);
    this.#add(file, {
      position: Infinity,
      run: (fd, done) => {
        ftruncate(fd, length, done);
      },
    });
  };

  readonly sync = async (handle: number): Promise<void> => {
    const file = this.#file(handle);
    await this.settled(handle);
    await new Promise<void>((resolve, reject) => {
      this.#syncs.enter((leave) => {
        fdatasync(file.fd, (error) => {
          leave();
          if (error === null) resolve();
          else reject(error);
        });
      });
    });
  };

  readonly close = (handle: number): void => {
    const file = this.#file(handle);
    this.#files.delete(handle);
    if (file.error !== undefined) this.#drop(file);
    this.#add(file, {
      position: Infinity,
      run: (fd, done) => {
        if (fd < 0) done(null);
        else
          close(fd, () => {
            done(null);
          });
      },
    });
  };

  readonly remove = (path: string): void => {
    unlink(path, () => undefined);
  };

  /** False while a write is under way; true also when it failed, so that the next one shows it. */
  readonly ready = (handle: number): boolean => {
    const { steps, error } = this.#file(handle);
    return steps.length === 0 || error !== undefined;
  };

  /** Resolves when everything is written; tries again what failed and rejects with what it fails with then. */
  readonly settled = (handle: number): Promise<void> => {
    const file = this.#file(handle);
    file.error = undefined;
    if (file.steps.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      file.waiting.push({ resolve, reject });
      this.#pump(file);
    });
  };

  /** Lets go of what could not be written. Returns the position up to which the file is right, Infinity when nothing was pending. */
  readonly giveUp = (handle: number): number => {
    const file = this.#file(handle);
    const reached = Math.min(Infinity, ...file.steps.map(({ position }) => position));
    if (file.error !== undefined) this.#drop(file);
    return file.fd < 0 ? 0 : reached;
  };

  #drop(file: PendingFile): void {
    for (const step of file.steps.splice(0)) step.release?.();
    file.error = undefined;
  }

  #file(handle: number): PendingFile {
    const file = this.#files.get(handle);
    if (file === undefined) throw new Error(`no file ${handle}`);
    return file;
  }

  #throwFailure(file: PendingFile): void {
    const { error } = file;
    if (error === undefined) return;
    file.error = undefined;
    this.#pump(file);
    throw error;
  }

  #add(file: PendingFile, step: Step): void {
    file.steps.push(step);
    this.#pump(file);
  }

  #pump(file: PendingFile): void {
    const [step] = file.steps;
    if (file.running || step === undefined || file.error !== undefined) return;
    file.running = true;
    this.#writes.enter((leave) => {
      step.run(file.fd, (error) => {
        leave();
        file.running = false;
        if (error === null) {
          file.steps.shift();
          step.release?.();
        } else file.error = error;
        this.#tell(file);
        this.#pump(file);
      });
    });
  }

  #tell(file: PendingFile): void {
    const { error } = file;
    if (error === undefined && file.steps.length > 0) return;
    for (const { resolve, reject } of file.waiting.splice(0)) {
      if (error === undefined) resolve();
      else reject(error);
    }
  }
}

/** A write may take less than it was given. */
function writeAll(fd: number, octets: Uint8Array, position: number, done: Done): void {
  write(fd, octets, 0, octets.length, position, (error, count) => {
    if (error !== null) done(error);
    else if (count === octets.length) done(null);
    else if (count === 0) done(Object.assign(new Error('the disk takes nothing'), { code: 'EIO' }));
    else writeAll(fd, octets.subarray(count), position + count, done);
  });
}
