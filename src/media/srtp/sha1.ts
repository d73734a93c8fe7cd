import { createHash } from 'node:crypto';

/** The state SHA-1 begins with (FIPS 180-4 §5.3.1). */
export const SHA1_START: readonly number[] = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0].map(
  (word) => word | 0,
);

const BLOCK_BYTES = 64;

const schedule = new Int32Array(80);

const at = (words: Int32Array, place: number): number => words[place] ?? 0;

/** Takes `count` blocks of 64 bytes at the start of `bytes` into the five words of `state` (FIPS 180-4 §6.1.2). */
export function sha1Blocks(state: Int32Array, bytes: Buffer, count: number): void {
  for (let block = 0; block < count; block += 1) {
    expand(bytes, block * BLOCK_BYTES);
    compress(state);
  }
}

function expand(bytes: Buffer, start: number): void {
  for (let word = 0; word < 16; word += 1) {
    const byte = start + word * 4;
    schedule[word] =
      ((bytes[byte] ?? 0) << 24) |
      ((bytes[byte + 1] ?? 0) << 16) |
      ((bytes[byte + 2] ?? 0) << 8) |
      (bytes[byte + 3] ?? 0);
  }
  for (let word = 16; word < 80; word += 1) {
    const mixed =
      (schedule[word - 3] ?? 0) ^
      (schedule[word - 8] ?? 0) ^
      (schedule[word - 14] ?? 0) ^
      (schedule[word - 16] ?? 0);
    schedule[word] = (mixed << 1) | (mixed >>> 31);
  }
}

/** Eighty rounds; the four stretches stand apart because a choice in every round would cost a third of the time. */
function compress(state: Int32Array): void {
  let a = at(state, 0);
  let b = at(state, 1);
  let c = at(state, 2);
  let d = at(state, 3);
  let e = at(state, 4);
  let next = 0;
  for (let round = 0; round < 20; round += 1) {
    next = (((a << 5) | (a >>> 27)) + ((b & c) | (~b & d)) + e + 0x5a827999 + at(schedule, round)) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = next;
  }
  for (let round = 20; round < 40; round += 1) {
    next = (((a << 5) | (a >>> 27)) + (b ^ c ^ d) + e + 0x6ed9eba1 + at(schedule, round)) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = next;
  }
  for (let round = 40; round < 60; round += 1) {
    next =
      (((a << 5) | (a >>> 27)) + ((b & c) | (b & d) | (c & d)) + e + 0x8f1bbcdc + at(schedule, round)) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = next;
  }
  for (let round = 60; round < 80; round += 1) {
    next = (((a << 5) | (a >>> 27)) + (b ^ c ^ d) + e + 0xca62c1d6 + at(schedule, round)) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = next;
  }
  state[0] = (at(state, 0) + a) | 0;
  state[1] = (at(state, 1) + b) | 0;
  state[2] = (at(state, 2) + c) | 0;
  state[3] = (at(state, 3) + d) | 0;
  state[4] = (at(state, 4) + e) | 0;
}

/** Words of `hmacStates`. */
export const HMAC_STATE_WORDS = 10;

/** Fills in the states of SHA-1 after the inner and the outer pad of a key, five words each: where every HMAC under it begins (RFC 2104 §4). */
export function hmacStates(key: Uint8Array, states: Int32Array): void {
  const short = key.length > BLOCK_BYTES ? createHash('sha1').update(key).digest() : key;
  const fill = (state: Int32Array, pad: number): void => {
    const block = Buffer.alloc(BLOCK_BYTES, pad);
    short.forEach((byte, place) => {
      block[place] = byte ^ pad;
    });
    state.set(SHA1_START);
    sha1Blocks(state, block, 1);
    block.fill(0);
  };
  fill(states.subarray(0, 5), 0x36);
  fill(states.subarray(5), 0x5c);
}

/**
 * Pads the first `length` bytes for the inner hash of an HMAC: a one, zeros, and the number of bits with the key's block. Returns the
 * number of blocks.
 */
export function padInner(bytes: Buffer, length: number): number {
  const blocks = (length + 9 + BLOCK_BYTES - 1) >>> 6;
  const end = blocks * BLOCK_BYTES;
  bytes[length] = 0x80;
  for (let place = length + 1; place < end - 4; place += 1) bytes[place] = 0;
  const bits = (length + BLOCK_BYTES) * 8;
  bytes[end - 4] = bits >>> 24;
  bytes[end - 3] = bits >>> 16;
  bytes[end - 2] = bits >>> 8;
  bytes[end - 1] = bits;
  return blocks;
}

/** Prepares a block that holds a digest, as the outer hash takes it; `putDigest` fills in the digest. */
export function prepareOuter(block: Buffer): void {
  block.fill(0, 0, BLOCK_BYTES);
  block[20] = 0x80;
  block.writeUInt32BE((BLOCK_BYTES + 20) * 8, BLOCK_BYTES - 4);
}

export const swapped = (word: number): number =>
  (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
