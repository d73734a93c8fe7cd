import type { AudioDisk } from './audio-disk.ts';
import { MediaError } from './media-error.ts';
import { wavHeader, WAV_HEADER_BYTES, type WavFormat } from './wav-header.ts';

const PAD = Buffer.alloc(1);

/** A growing WAV file: octets by position, the header on demand. Errors of the disk become MediaError DISK. */
export class WavFile {
  readonly path: string;
  readonly format: WavFormat;
  readonly #disk: AudioDisk;
  readonly #fd: number;
  #closed = false;
  #syncing: Promise<void> | undefined;
  #syncError: unknown;

  /** Creates the file with the header of an empty recording. Throws MediaError DISK, also when the file exists. */
  constructor(path: string, format: WavFormat, disk: AudioDisk) {
    this.path = path;
    this.format = format;
    this.#disk = disk;
    this.#fd = guarded(path, () => disk.create(path));
    try {
      this.writeHeader(0);
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  /** Writes `octets[0..length)` from the frame `sample` on. Also throws what went wrong with a sync since the last write. */
  write(octets: Uint8Array, length: number, sample: number): void {
    if (this.#syncError !== undefined) {
      const error = failure(this.path, this.#syncError);
      this.#syncError = undefined;
      throw error;
    }
    this.#writeAll(octets, length, WAV_HEADER_BYTES + sample * this.format.channels);
  }

  /** Reads `length` octets from the frame `sample` on. */
  read(octets: Uint8Array, length: number, sample: number): void {
    const start = WAV_HEADER_BYTES + sample * this.format.channels;
    const count = guarded(this.path, () => this.#disk.read(this.#fd, octets, length, start));
    if (count !== length) throw new MediaError('DISK', `${this.path}: read ${count} of ${length} octets`);
  }

  writeHeader(samples: number): void {
    this.#writeAll(wavHeader(this.format, samples), WAV_HEADER_BYTES, 0);
  }

  /** Begins to bring to the disk what was written, against a power cut, and does not wait for it: a slow disk delays no call. */
  startSync(): void {
    if (this.#closed || this.#syncing !== undefined) return;
    this.#syncing = this.#disk
      .sync(this.#fd)
      .catch((error: unknown) => {
        this.#syncError = error;
      })
      .finally(() => {
        this.#syncing = undefined;
        if (this.#closed) this.#closeNow();
      });
  }

  /**
   * Makes the file exactly `samples` long and right in every size, brings it to the disk and closes it. Returns its length.
   * The header comes before the pad octet, so that a crash in between does not turn the pad into audio.
   */
  async finish(samples: number): Promise<number> {
    const data = samples * this.format.channels;
    const end = WAV_HEADER_BYTES + data;
    this.writeHeader(samples);
    guarded(this.path, () => {
      this.#disk.truncate(this.#fd, end);
    });
    if (data % 2 === 1) this.#writeAll(PAD, 1, end);
    await this.#syncing;
    try {
      await this.#disk.sync(this.#fd);
    } catch (error) {
      throw failure(this.path, error);
    }
    this.close();
    return end + (data % 2);
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

  #writeAll(octets: Uint8Array, length: number, position: number): void {
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
