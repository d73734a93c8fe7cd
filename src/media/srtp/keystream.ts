import type { EngineMemory, SrtpEngine } from './engine.ts';
import { swapped } from './sha1.ts';

const BLOCK = 16;
/** Key stream is made ahead in so many blocks of 16 bytes at most: it stays in the nearest cache until it is used. */
const AHEAD_BLOCKS = 256;

/** What the sources of a thread share: a place for counter blocks, and the key stream that was made last. */
export class KeystreamSpace {
  readonly engine: SrtpEngine;
  readonly counters: EngineMemory;
  readonly stream: EngineMemory;
  /** So many packets of one source come now, as far as is known, the present one among them. */
  coming = 1;
  /** Whose key stream there is, from which packet on, for how many packets, and how many blocks for each. */
  source: Keystream | undefined;
  first = 0;
  count = 0;
  stride = 0;

  constructor(engine: SrtpEngine) {
    this.engine = engine;
    this.counters = engine.allocate(engine.work.bytes.length);
    this.stream = engine.allocate(engine.work.bytes.length);
  }

  /** Overwrites what was made ahead. */
  erase(): void {
    this.stream.bytes.fill(0);
    this.source = undefined;
  }
}

/**
 * AES in counter mode (RFC 3711 §4.1.1) of one source. The key stream of a packet depends on nothing but its index, so that of the
 * packets that came with it is made together with its own: one call of the cipher for a run of them.
 */
export class Keystream {
  readonly #space: KeystreamSpace;
  readonly #key: Uint8Array;
  /** Words of the counter block as they stand in memory; the last one without sequence number. */
  readonly #salt: readonly [number, number, number, number];

  constructor(
    space: KeystreamSpace,
    { key, salt }: { readonly key: Uint8Array; readonly salt: Buffer },
    ssrc: number,
  ) {
    this.#space = space;
    this.#key = key;
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
    const space = this.#space;
    let ahead = index - space.first;
    if (space.source !== this || ahead < 0 || ahead >= space.count || blocks > space.stride) {
      this.#make(index, blocks);
      ahead = 0;
    }
    this.#mix((ahead * space.stride * BLOCK) >>> 2, from, to);
  }

  #make(index: number, stride: number): void {
    const space = this.#space;
    const count = Math.max(1, Math.min(space.coming, Math.trunc(AHEAD_BLOCKS / stride)));
    space.source = this;
    space.first = index;
    space.count = count;
    space.stride = stride;
    const { words } = space.counters;
    const [first, second, third, last] = this.#salt;
    let word = 0;
    for (let packet = index; packet < index + count; packet += 1) {
      const turn = swapped(third ^ Math.trunc(packet / 0x1_0000));
      const sequence = ((last ^ (packet & 0xffff)) & 0xffff) << 16;
      for (let block = 0; block < stride; block += 1) {
        words[word] = first;
        words[word + 1] = second;
        words[word + 2] = turn;
        words[word + 3] = swapped(sequence | block);
        word += 4;
      }
    }
    space.engine.encryptBlocks(this.#key, space.counters, space.stream, word * 4);
  }

  #mix(start: number, from: number, to: number): void {
    const { words, bytes } = this.#space.engine.work;
    const { stream } = this.#space;
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
