import type { BlockCipher, EngineMemory, SrtpEngine } from './engine.ts';
import { swapped } from './sha1.ts';

const BLOCK = 16;
/** Key stream made ahead: so many packets, in so many blocks of 16 bytes at most. */
const AHEAD_PACKETS = 16;
const AHEAD_BLOCKS = 256;

/** What the sources of a thread share: a place for the counter blocks and one for a packet out of turn. */
export interface KeystreamSpace {
  readonly counters: EngineMemory;
  readonly single: EngineMemory;
}

export const keystreamSpace = (engine: SrtpEngine): KeystreamSpace => ({
  counters: engine.allocate(engine.work.bytes.length),
  single: engine.allocate(engine.work.bytes.length),
});

/**
 * AES in counter mode (RFC 3711 §4.1.1) of one source. The key stream of a packet depends on nothing but its index, so that of the
 * packets to come is made together with the present one's: one call of the cipher for sixteen packets.
 */
export class Keystream {
  readonly #engine: SrtpEngine;
  readonly #cipher: BlockCipher;
  readonly #space: KeystreamSpace;
  /** Words of the counter block as they stand in memory; the last one without sequence number. */
  readonly #salt: readonly [number, number, number, number];
  #ahead: EngineMemory | undefined;
  #first = -1;
  #count = 0;
  #stride = 0;

  constructor(
    engine: SrtpEngine,
    space: KeystreamSpace,
    key: { readonly cipher: BlockCipher; readonly salt: Buffer; readonly ssrc: number },
  ) {
    this.#engine = engine;
    this.#space = space;
    this.#cipher = key.cipher;
    const { salt, ssrc } = key;
    this.#salt = [
      swapped(salt.readInt32BE(0)),
      swapped(salt.readInt32BE(4) ^ ssrc),
      salt.readInt32BE(8),
      salt.readUInt16BE(12),
    ];
  }

  /** Encrypts or decrypts `[from, to)` of the work space; `from` is a multiple of 4. */
  apply(index: number, from: number, to: number): void {
    const blocks = (to - from + BLOCK - 1) >>> 4;
    if (blocks === 0) return;
    const ahead = index - this.#first;
    const fits = blocks <= this.#stride;
    if (fits && ahead >= 0 && ahead < this.#count) {
      this.#mix(this.#ahead ?? this.#space.single, (ahead * this.#stride * BLOCK) >>> 2, from, to);
    } else if (blocks > AHEAD_BLOCKS / 4 || (this.#first >= 0 && ahead < 0)) {
      // Large, or behind: what is made ahead is for those that come in turn.
      this.#fill(this.#space.single, index, 1, blocks);
      this.#mix(this.#space.single, 0, from, to);
    } else {
      this.#refill(index, fits ? this.#stride : blocks);
      this.#mix(this.#ahead ?? this.#space.single, 0, from, to);
    }
  }

  /** Overwrites what was made ahead. */
  erase(): void {
    this.#ahead?.bytes.fill(0);
    this.#count = 0;
  }

  #refill(index: number, stride: number): void {
    const count = Math.min(AHEAD_PACKETS, Math.trunc(AHEAD_BLOCKS / stride));
    const bytes = count * stride * BLOCK;
    if (this.#ahead === undefined || this.#ahead.bytes.length < bytes)
      this.#ahead = this.#engine.allocate(bytes);
    this.#fill(this.#ahead, index, count, stride);
    this.#first = index;
    this.#count = count;
    this.#stride = stride;
  }

  #fill(into: EngineMemory, index: number, count: number, blocks: number): void {
    const { counters } = this.#space;
    const { words } = counters;
    const [first, second, third, last] = this.#salt;
    let word = 0;
    for (let packet = index; packet < index + count; packet += 1) {
      const turn = swapped(third ^ Math.trunc(packet / 0x1_0000));
      const sequence = ((last ^ (packet & 0xffff)) & 0xffff) << 16;
      for (let block = 0; block < blocks; block += 1) {
        words[word] = first;
        words[word + 1] = second;
        words[word + 2] = turn;
        words[word + 3] = swapped(sequence | block);
        word += 4;
      }
    }
    this.#cipher.encrypt(counters, into, word * 4);
  }

  #mix(stream: EngineMemory, start: number, from: number, to: number): void {
    const { words, bytes } = this.#engine.work;
    const { words: keys } = stream;
    const end = to >>> 2;
    let key = start;
    for (let word = from >>> 2; word < end; word += 1) {
      words[word] = (words[word] ?? 0) ^ (keys[key] ?? 0);
      key += 1;
    }
    for (let at = end * 4, byte = key * 4; at < to; at += 1, byte += 1)
      bytes[at] = (bytes[at] ?? 0) ^ (stream.bytes[byte] ?? 0);
  }
}
