import type { AudioDisk } from './audio-disk.ts';
import { AudioFile } from './audio-file.ts';
import { wavHeader, WAV_HEADER_BYTES, type WavFormat } from './wav-header.ts';

const PAD = Buffer.alloc(1);

/** A growing G.711 WAV file: frames by position, the header on demand. Errors of the disk become MediaError DISK. */
export class WavFile {
  readonly format: WavFormat;
  readonly #file: AudioFile;

  /** Creates the file with the header of an empty recording. Throws MediaError DISK, also when the file exists. */
  constructor(path: string, format: WavFormat, disk: AudioDisk) {
    this.format = format;
    this.#file = new AudioFile(path, disk);
    try {
      this.writeHeader(0);
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  get path(): string {
    return this.#file.path;
  }

  /** Writes `octets[0..length)` from the frame `sample` on. Also throws what went wrong with a sync since the last write. */
  write(octets: Uint8Array, length: number, sample: number): void {
    this.#file.write(octets, length, WAV_HEADER_BYTES + sample * this.format.channels);
  }

  /** Reads `length` octets from the frame `sample` on. */
  read(octets: Uint8Array, length: number, sample: number): void {
    this.#file.read(octets, length, WAV_HEADER_BYTES + sample * this.format.channels);
  }

  writeHeader(samples: number): void {
    this.#file.write(wavHeader(this.format, samples), WAV_HEADER_BYTES, 0);
  }

  /** Whether a write would be taken now. */
  get ready(): boolean {
    return this.#file.ready;
  }

  settled(): Promise<void> {
    return this.#file.settled();
  }

  /** Gives up what the disk refuses; returns the frame before which the file is right. */
  giveUp(): number {
    const octets = this.#file.giveUp() - WAV_HEADER_BYTES;
    return Math.max(0, Math.floor(octets / this.format.channels));
  }

  startSync(): void {
    this.#file.startSync();
  }

  /** Resolves when everything written until now is on the disk. Rejects with MediaError DISK. */
  synced(): Promise<void> {
    return this.#file.synced();
  }

  /**
   * Makes the file exactly `samples` long and right in every size, brings it to the disk and closes it. Returns its length.
   * The header comes before the pad octet, so that a crash in between does not turn the pad into audio.
   */
  async finish(samples: number): Promise<number> {
    const data = samples * this.format.channels;
    const end = WAV_HEADER_BYTES + data;
    this.writeHeader(samples);
    this.#file.truncate(end);
    if (data % 2 === 1) this.#file.write(PAD, 1, end);
    await this.#file.finish();
    return end + (data % 2);
  }

  close(): void {
    this.#file.close();
  }

  /** Closes and deletes the file. */
  remove(): void {
    this.#file.remove();
  }
}
