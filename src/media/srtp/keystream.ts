import { swapped } from './sha1.ts';
import type { SrtpSpace } from './srtp-space.ts';

const BLOCK = 16;
/** Key stream is made ahead in so many blocks of 16 bytes at most: it stays in the nearest cache until it is used. */
const AHEAD_BLOCKS = 256;

/**
 * AES in counter mode (RFC 3711 §4.1.1) of one source. The key stream of a packet depends on nothing but its index, so that of the
 * packets that came with it is made together with its own: one call of the cipher for a run of them.
 */
export class Keystream {
  readonly #space: SrtpSpace;
  readonly #key: Uint8Array;
  /** Words of the counter block as they stand in memory; the last one without sequence number. */
  readonly #salt: readonly [number, number, number, number];

  constructor(
    space: SrtpSpace,
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
    const { made } = this.#space;
    let packet = index - made.first;
    if (made.source !== this || packet < 0 || packet >= made.count || blocks > made.stride) {
      this.#make(index, blocks);
      packet = 0;
    }
    this.#mix((packet * made.stride * BLOCK) >>> 2, from, to);
  }

  #make(index: number, stride: number): void {
    const space = this.#space;
    const count = Math.max(1, Math.min(space.coming, Math.trunc(AHEAD_BLOCKS / stride)));
    const { made } = space;
    made.source = this;
    made.first = index;
    made.count = count;
    made.stride = stride;
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
