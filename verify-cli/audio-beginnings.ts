import { Buffer } from 'node:buffer';
import { AUDIO_HEAD, audioStart } from '../src/evidence/audio-start.ts';
import { BeginningHash } from '../src/evidence/beginning-hash.ts';

/** Hashes the audio of a file as it streams by, and says what it was after so many octets. */
export class AudioBeginnings {
  readonly #hash: BeginningHash;
  /** Octets until the place where the audio begins is known. */
  #head: Buffer | undefined = Buffer.alloc(0);

  /** `ends`: octets of audio, in any order. */
  constructor(ends: readonly number[]) {
    this.#hash = new BeginningHash(ends);
  }

  take(chunk: Buffer): void {
    if (this.#head === undefined) this.#add(chunk);
    else {
      this.#head = Buffer.concat([this.#head, chunk]);
      if (this.#head.length >= AUDIO_HEAD) this.#begin(this.#head);
    }
  }

  /** Of the first so many octets of audio, hex; undefined when the file has fewer. */
  finish(end: number): string | undefined {
    if (this.#head !== undefined) this.#begin(this.#head);
    return this.#hash.of(end);
  }

  #begin(head: Buffer): void {
    this.#head = undefined;
    this.#add(head.subarray(audioStart(head.subarray(0, AUDIO_HEAD))));
  }

  /** What comes behind the last beginning is hashed elsewhere. */
  #add(octets: Buffer): void {
    if (!this.#hash.isComplete) this.#hash.update(octets);
  }
}
