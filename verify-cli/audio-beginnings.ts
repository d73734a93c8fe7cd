import { createHash } from 'node:crypto';
import { Buffer } from 'node:buffer';
import { AUDIO_HEAD, audioStart } from '../src/evidence/audio-start.ts';

/** Hashes the audio of a file as it streams by, and says what it was after so many octets. */
export class AudioBeginnings {
  readonly #hash = createHash('sha256');
  readonly #hashes = new Map<number, string>();
  #ends: readonly number[];
  #done = 0;
  /** Octets until the place where the audio begins is known. */
  #head: Buffer | undefined = Buffer.alloc(0);

  /** `ends`: octets of audio, in any order. */
  constructor(ends: readonly number[]) {
    this.#ends = [...new Set(ends)].sort((a, b) => a - b);
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
    return this.#hashes.get(end);
  }

  #begin(head: Buffer): void {
    this.#head = undefined;
    this.#add(head.subarray(audioStart(head.subarray(0, AUDIO_HEAD))));
  }

  #add(octets: Buffer): void {
    let rest = octets;
    for (let end = this.#ends[0]; end !== undefined && this.#done + rest.length >= end; end = this.#ends[0]) {
      const part = rest.subarray(0, end - this.#done);
      this.#hash.update(part);
      this.#hashes.set(end, this.#hash.copy().digest('hex'));
      this.#done = end;
      this.#ends = this.#ends.slice(1);
      rest = rest.subarray(part.length);
    }
    if (this.#ends.length === 0) return;
    this.#hash.update(rest);
    this.#done += rest.length;
  }
}
