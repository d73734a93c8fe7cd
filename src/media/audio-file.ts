import type { AudioDisk } from './audio-disk.ts';
import { MediaError } from './media-error.ts';

/** A growing file: octets by position. Errors of the disk become MediaError DISK. */
export class AudioFile {
  readonly path: string;
  readonly #disk: AudioDisk;
  readonly #fd: number;
  #closed = false;
  #syncing: Promise<void> | undefined;
  #syncError: unknown;

  /** Creates the file. Throws MediaError DISK, also when it exists. */
  constructor(path: string, disk: AudioDisk) {
    this.path = path;
    this.#disk = disk;
    this.#fd = guarded(path, () => disk.create(path));
  }

  /** Writes `octets[0..length)` at `position`. Also throws what went wrong with a sync since the last write. */
  write(octets: Uint8Array, length: number, position: number): void {
    if (this.#syncError !== undefined) {
      const error = failure(this.path, this.#syncError);
      this.#syncError = undefined;
      throw error;
    }
    let done = 0;
    while (done < length) {
      const rest = done === 0 ? octets : octets.subarray(done);
      const count = guarded(this.path, () =>
        this.#disk.write(this.#fd, rest, length - done, position + done),
      );
      if (count === 0) throw new MediaError('DISK', `${this.path}: the disk takes nothing`);
      done += count;
    }
  }

  /** Whether a write would be taken now. */
  get ready(): boolean {
    return this.#disk.ready(this.#fd);
  }

  /** Resolves when everything is written. Rejects with MediaError DISK. */
  async settled(): Promise<void> {
    try {
      await this.#disk.settled(this.#fd);
    } catch (error) {
      throw failure(this.path, error);
    }
  }

  /** Gives up what the disk refuses; returns the position before which the file is right. */
  giveUp(): number {
    return this.#disk.giveUp(this.#fd);
  }

  /** Reads `length` octets from `position`. */
  read(octets: Uint8Array, length: number, position: number): void {
    const count = guarded(this.path, () => this.#disk.read(this.#fd, octets, length, position));
    if (count !== length) throw new MediaError('DISK', `${this.path}: read ${count} of ${length} octets`);
  }

  /** Begins to bring to the disk what was written, against a power cut, and does not wait for it: a slow disk delays no call. */
  startSync(): void {
    if (this.#closed || this.#syncing !== undefined) return;
    this.#syncing = this.#disk
      .sync(this.#fd, true)
      .catch((error: unknown) => {
        this.#syncError = error;
      })
      .finally(() => {
        this.#syncing = undefined;
        if (this.#closed) this.#closeNow();
      });
  }

  /** Resolves when everything written until now is on the disk. Rejects with MediaError DISK, also for a file that is closed. */
  async synced(): Promise<void> {
    // One that began before the last write does not count.
    await this.#syncing;
    this.startSync();
    await this.#syncing;
    if (this.#closed || this.#syncError !== undefined)
      throw failure(this.path, this.#syncError ?? new Error('closed'));
  }

  /** Cuts off everything from `end` on. */
  truncate(end: number): void {
    guarded(this.path, () => {
      this.#disk.truncate(this.#fd, end);
    });
  }

  /** Brings the file to the disk and closes it. */
  async finish(): Promise<void> {
    // One that is under way already is patient; this one is not, and both come to an end.
    const last = this.#disk.sync(this.#fd);
    try {
      await Promise.all([last, this.#syncing]);
    } catch (error) {
      throw failure(this.path, error);
    }
    this.close();
  }

  /** May be called twice. A descriptor that is being synced is closed right after: its number must not go to another file meanwhile. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#syncing === undefined) this.#closeNow();
  }

  #closeNow(): void {
    guarded(this.path, () => {
      this.#disk.close(this.#fd);
    });
  }

  /** Closes and deletes the file. */
  remove(): void {
    this.close();
    guarded(this.path, () => {
      this.#disk.remove(this.path);
    });
  }
}

function guarded<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw failure(path, error);
  }
}

const failure = (path: string, error: unknown): MediaError =>
  new MediaError('DISK', `${path}: ${(error as { readonly message?: string }).message ?? 'unknown'}`, {
    cause: error,
  });
