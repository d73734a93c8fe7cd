import {
  access,
  close,
  constants,
  fdatasync,
  ftruncate,
  mkdir,
  open,
  readSync,
  unlink,
  write,
} from 'node:fs';
import { open as openHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { performance } from 'node:perf_hooks';
import { promisify } from 'node:util';
import { FILE_MODE, FOLDER_MODE, NEW_FILE, type AudioDisk } from './audio-disk.ts';
import { BufferShelf, SHORT } from './buffer-shelf.ts';
import { foldersOf, nameOctets } from './folder-names.ts';
import { Turnstile } from './turnstile.ts';
import type { Writer, Written } from './writer.ts';
import { PLACE_BYTES } from './writer-queue.ts';

/** Calls into the file system under way at once: the pool of Node has four threads, which others need, too. */
const WRITES = 2;
const SYNCS = 1;

type Done = (error: NodeJS.ErrnoException | null) => void;

/** Something to be done with one file; those of a file are done one after the other. */
interface Step {
  /** Where in the file it writes audio; Infinity for what writes none. */
  readonly position: number;
  readonly run: (fd: number, done: Done) => void;
  /** Tried first and once, where it is there: another thread does it, or refuses. */
  hand?: ((fd: number, written: Written) => void) | undefined;
  /** Called when it is through, whatever the disk said later on. */
  readonly release?: () => void;
}

interface PendingFile {
  readonly path: string;
  fd: number;
  readonly steps: Step[];
  running: boolean;
  /** Its name, and that of its folder, are on the disk. */
  named: boolean;
  /** What the step in front failed with; it stays in front. */
  error: NodeJS.ErrnoException | undefined;
  readonly waiting: {
    readonly resolve: () => void;
    readonly reject: (error: Error) => void;
    readonly isPatient: boolean;
  }[];
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
  readonly #writer: Writer | undefined;
  readonly #syncer: Writer | undefined;
  #last = 0;

  /** `writer` and `syncer` (see `startSyncer`): do what they have room for; without them the pool of Node does everything. */
  constructor(writer?: Writer, syncer?: Writer) {
    this.#writer = writer;
    this.#syncer = syncer;
  }

  /** Milliseconds for which the write that has waited longest has had no answer; 0 when none is under way. */
  get waiting(): number {
    return Math.max(this.#writes.longest, this.#writer?.longest ?? 0);
  }

  get busy(): boolean {
    return this.#writer?.isFull() === true;
  }

  readonly check = (folder: string): Promise<void> =>
    new Promise((resolve, reject) => {
      access(`${dirname(folder)}/.`, constants.W_OK | constants.X_OK, (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });

  readonly create = (path: string): number => {
    this.#last += 1;
    const file: PendingFile = {
      path,
      fd: -1,
      steps: [],
      running: false,
      named: false,
      error: undefined,
      waiting: [],
    };
    this.#files.set(this.#last, file);
    this.#add(file, {
      position: Infinity,
      run: (_fd, done) => {
        createFile(path, (error, fd) => {
          if (error === null) file.fd = fd;
          done(error);
        });
      },
    });
    return this.#last;
  };

  /** Takes as much as the writer has room for in one place. */
  readonly write = (handle: number, octets: Uint8Array, length: number, position: number): number => {
    const file = this.#file(handle);
    this.#throwFailure(file);
    const count = Math.min(length, PLACE_BYTES);
    // What is short and waits for its file to be made keeps no place from those that could be written.
    const step = file.fd < 0 && count <= SHORT ? undefined : this.#handOver(octets, count, position);
    this.#add(file, step ?? this.#writeByPool(octets, count, position));
    return count;
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

  readonly sync = async (handle: number, isPatient = false): Promise<void> => {
    const file = this.#file(handle);
    await this.#untilSettled(file, isPatient);
    await (this.#syncByThread(file, isPatient) ?? this.#syncByPool(file));
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

  /**
   * Looks what the threads have done, and hands over what waits behind that. To be called every few milliseconds: of several writes to one
   * file the next one goes only when the one before is known to be over.
   */
  collect(): void {
    this.#writer?.collect();
    this.#syncer?.collect();
  }

  /** False while a write is under way; true also when it failed, so that the next one shows it. */
  readonly ready = (handle: number): boolean => {
    const file = this.#file(handle);
    if (file.steps.length > 0) this.#writer?.collect();
    return file.steps.length === 0 || file.error !== undefined;
  };

  /** Resolves when everything is written; tries again what failed and rejects with what it fails with then. */
  readonly settled = (handle: number): Promise<void> => this.#untilSettled(this.#file(handle), false);

  /** Lets go of what could not be written. Returns the position up to which the file is right, Infinity when nothing was pending. */
  readonly giveUp = (handle: number): number => {
    const file = this.#file(handle);
    const reached = Math.min(Infinity, ...file.steps.map(({ position }) => position));
    if (file.error !== undefined) this.#drop(file);
    return file.fd < 0 ? 0 : reached;
  };

  /** Who is patient hears of it with the next `collect`, and wakes nobody. */
  #untilSettled(file: PendingFile, isPatient: boolean): Promise<void> {
    file.error = undefined;
    if (file.steps.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      file.waiting.push({ resolve, reject, isPatient });
      if (!isPatient) this.#writer?.expect();
      this.#pump(file);
    });
  }

  /** Undefined where there is no room, or nobody to do it. */
  #syncByThread(file: PendingFile, isPatient: boolean): Promise<void> | undefined {
    const syncer = this.#syncer;
    const names = nameOctets(file.named ? [] : foldersOf(file.path));
    const place = syncer?.take(names, names.length);
    if (syncer === undefined || place === undefined) return undefined;
    return new Promise((resolve, reject) => {
      syncer.write(place, names.length, { fd: file.fd, position: 0 }, (outcome) => {
        syncer.giveBack(place);
        if (outcome === 'refused') this.#syncByPool(file).then(resolve, reject);
        else if (outcome !== null) reject(outcome);
        else {
          file.named = true;
          resolve();
        }
      });
      if (!isPatient) syncer.expect();
    });
  }

  #syncByPool(file: PendingFile): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#syncs.enter((leave) => {
        bringToDisk(file).then(resolve, reject).finally(leave);
      });
    });
  }

  #handOver(octets: Uint8Array, length: number, position: number): Step | undefined {
    const writer = this.#writer;
    const place = writer?.take(octets, length);
    if (writer === undefined || place === undefined) return undefined;
    return {
      position: positionOf(position),
      hand: (fd, written) => {
        writer.write(place, length, { fd, position }, written);
      },
      run: (fd, done) => {
        writeAll(fd, writer.octets(place, length), position, done);
      },
      release: () => {
        writer.giveBack(place);
      },
    };
  }

  #writeByPool(octets: Uint8Array, length: number, position: number): Step {
    const kept = this.#shelf.take(length);
    kept.set(octets.subarray(0, length));
    return {
      position: positionOf(position),
      run: (fd, done) => {
        writeAll(fd, kept.subarray(0, length), position, done);
      },
      release: () => {
        this.#shelf.giveBack(kept);
      },
    };
  }

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
    const { hand } = step;
    step.hand = undefined;
    if (hand === undefined) this.#runByPool(file, step);
    else
      hand(file.fd, (outcome) => {
        if (outcome === 'refused') this.#runByPool(file, step);
        else this.#conclude(file, step, outcome);
      });
    if (file.waiting.some(({ isPatient }) => !isPatient)) this.#writer?.expect();
  }

  #runByPool(file: PendingFile, step: Step): void {
    this.#writes.enter((leave) => {
      step.run(file.fd, (error) => {
        leave();
        this.#conclude(file, step, error);
      });
    });
  }

  #conclude(file: PendingFile, step: Step, error: NodeJS.ErrnoException | null): void {
    file.running = false;
    if (error === null) {
      file.steps.shift();
      step.release?.();
    } else file.error = error;
    this.#tell(file);
    this.#pump(file);
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

/** Where audio begins that a step writes; a header is none. */
const positionOf = (position: number): number => (position === 0 ? Infinity : position);

/** A write may take less than it was given. */
function writeAll(fd: number, octets: Uint8Array, position: number, done: Done): void {
  write(fd, octets, 0, octets.length, position, (error, count) => {
    if (error !== null) done(error);
    else if (count === octets.length) done(null);
    else if (count === 0) done(Object.assign(new Error('the disk takes nothing'), { code: 'EIO' }));
    else writeAll(fd, octets.subarray(count), position + count, done);
  });
}

/** With the first file comes its folder: most calls that fail never have one. */
function createFile(path: string, done: (error: NodeJS.ErrnoException | null, fd: number) => void): void {
  mkdir(dirname(path), FOLDER_MODE, (error) => {
    // Another file of the same call was there before.
    if (error === null || error.code === 'EEXIST') open(path, NEW_FILE, FILE_MODE, done);
    else done(error, -1);
  });
}

const datasync = promisify(fdatasync);

/** The audio, and with the first of it the names that lead to it: without them a power cut would leave audio that nobody finds. */
async function bringToDisk(file: PendingFile): Promise<void> {
  await datasync(file.fd);
  if (file.named) return;
  for (const path of foldersOf(file.path)) {
    const handle = await openHandle(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
  file.named = true;
}
