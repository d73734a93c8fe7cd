import type { GcmPacket, SrtpEngine } from './engine.ts';
import { Keystream } from './keystream.ts';
import type { PacketKeys, SessionKeys } from './session-keys.ts';
import type { SrtpSpace } from './srtp-space.ts';
import type { Suite } from './suites.ts';

/** Where a packet in the work space has what: `[0, text)` is clear, `[text, end)` encrypted, the tag follows. */
export interface PacketPlaces {
  text: number;
  end: number;
}

/** One source's part of a cipher. */
export interface SourceCipher {
  /** Undoes the encryption after checking the tag. False when the packet is not authentic; the work space is spoilt then. */
  openRtp(index: number, places: PacketPlaces): boolean;
  /** Encrypts and writes the tag at `end`. */
  sealRtp(index: number, places: PacketPlaces): void;
}

/** Protection of RTP and RTCP packets in the work space under one master key. */
export interface PacketCipher {
  source(ssrc: number): SourceCipher;
  /** As `openRtp`; `indexWord` is the last word of the packet, E flag and index; `tag` is where the tag stands. */
  openRtcp(ssrc: number, indexWord: number, end: number): boolean;
  sealRtcp(ssrc: number, indexWord: number, end: number): void;
}

/** Bytes of an RTCP packet that stay clear: header and SSRC. */
export const RTCP_CLEAR = 8;
export const RTCP_ENCRYPTED = 0x8000_0000;

export const packetCipher = (space: SrtpSpace, suite: Suite, keys: SessionKeys): PacketCipher =>
  suite.cipher === 'gcm'
    ? new GcmCipher(space.engine, suite, keys)
    : new CounterModeCipher(space, suite, keys);

/** AES in counter mode with HMAC-SHA1 (RFC 3711 §4.1, §4.2). */
class CounterModeCipher implements PacketCipher {
  readonly #space: SrtpSpace;
  readonly #suite: Suite;
  readonly #keys: SessionKeys;

  constructor(space: SrtpSpace, suite: Suite, keys: SessionKeys) {
    this.#space = space;
    this.#suite = suite;
    this.#keys = keys;
  }

  source(ssrc: number): SourceCipher {
    return new CounterModeSource(this.#space, this.#suite, { keys: this.#keys.rtp, ssrc });
  }

  openRtcp(ssrc: number, indexWord: number, end: number): boolean {
    const { engine } = this.#space;
    const { rtcpTagBytes } = this.#suite;
    keepTag(engine, end, rtcpTagBytes);
    engine.sign(this.#keys.rtcp.states, end);
    if (!isTag(engine, rtcpTagBytes)) return false;
    this.#cryptRtcp(ssrc, indexWord, end);
    return true;
  }

  sealRtcp(ssrc: number, indexWord: number, end: number): void {
    const { engine } = this.#space;
    this.#cryptRtcp(ssrc, indexWord, end);
    engine.sign(this.#keys.rtcp.states, end);
    putTag(engine, end, this.#suite.rtcpTagBytes);
  }

  #cryptRtcp(ssrc: number, indexWord: number, end: number): void {
    if (indexWord < RTCP_ENCRYPTED) return;
    const stream = new Keystream(this.#space, this.#keys.rtcp, ssrc);
    stream.apply(indexWord - RTCP_ENCRYPTED, RTCP_CLEAR, end - 4);
  }
}

class CounterModeSource implements SourceCipher {
  readonly #engine: SrtpEngine;
  readonly #tagBytes: number;
  readonly #states: Int32Array;
  readonly #stream: Keystream;

  constructor(
    space: SrtpSpace,
    { tagBytes }: Suite,
    { keys, ssrc }: { readonly keys: PacketKeys; readonly ssrc: number },
  ) {
    this.#engine = space.engine;
    this.#tagBytes = tagBytes;
    this.#states = keys.states;
    this.#stream = new Keystream(space, keys, ssrc);
  }

  openRtp(index: number, { text, end }: PacketPlaces): boolean {
    const engine = this.#engine;
    keepTag(engine, end, this.#tagBytes);
    putWord(engine, end, Math.trunc(index / 0x1_0000));
    engine.sign(this.#states, end + 4);
    if (!isTag(engine, this.#tagBytes)) return false;
    this.#stream.apply(index, text, end);
    return true;
  }

  sealRtp(index: number, { text, end }: PacketPlaces): void {
    const engine = this.#engine;
    this.#stream.apply(index, text, end);
    putWord(engine, end, Math.trunc(index / 0x1_0000));
    engine.sign(this.#states, end + 4);
    putTag(engine, end, this.#tagBytes);
  }
}

/** The tag stands where the authenticated text continues with the roll-over counter: it is kept here meanwhile. */
const kept = Buffer.alloc(16);

function keepTag({ work }: SrtpEngine, at: number, length: number): void {
  for (let byte = 0; byte < length; byte += 1) kept[byte] = work.bytes[at + byte] ?? 0;
}

/** In the same time whatever differs. */
function isTag({ digest }: SrtpEngine, length: number): boolean {
  let difference = 0;
  for (let byte = 0; byte < length; byte += 1)
    difference |= (kept[byte] ?? 0) ^ (((digest[byte >>> 2] ?? 0) >>> (24 - (byte & 3) * 8)) & 0xff);
  return difference === 0;
}

function putTag({ work, digest }: SrtpEngine, at: number, length: number): void {
  for (let byte = 0; byte < length; byte += 1)
    work.bytes[at + byte] = (digest[byte >>> 2] ?? 0) >>> (24 - (byte & 3) * 8);
}

function putWord({ work }: SrtpEngine, at: number, word: number): void {
  const { bytes } = work;
  bytes[at] = word >>> 24;
  bytes[at + 1] = word >>> 16;
  bytes[at + 2] = word >>> 8;
  bytes[at + 3] = word;
}

/** For the number of every packet; nobody needs it beyond a call. */
const nonce = Buffer.alloc(12);

/** AES in Galois/counter mode (RFC 7714). */
class GcmCipher implements PacketCipher {
  readonly #engine: SrtpEngine;
  readonly #suite: Suite;
  readonly #keys: SessionKeys;

  constructor(engine: SrtpEngine, suite: Suite, keys: SessionKeys) {
    this.#engine = engine;
    this.#suite = suite;
    this.#keys = keys;
  }

  source(ssrc: number): SourceCipher {
    const engine = this.#engine;
    const { bytes } = engine.work;
    const { key, salt } = this.#keys.rtp;
    const packet = (index: number, { text, end }: PacketPlaces): GcmPacket => ({
      key,
      nonce: rtpNonce(salt, ssrc, index),
      associated: bytes.subarray(0, text),
      from: text,
      to: end,
    });
    return {
      openRtp: (index, places) => engine.open(packet(index, places)),
      sealRtp: (index, places) => {
        engine.seal(packet(index, places));
      },
    };
  }

  /** The index stands behind the tag here (RFC 7714 §9.2); `end` is behind the index as it is in the other ciphers. */
  openRtcp(ssrc: number, indexWord: number, end: number): boolean {
    const to = end - 4 - this.#suite.rtcpTagBytes;
    return to < RTCP_CLEAR ? false : this.#engine.open(this.#report(ssrc, indexWord, to));
  }

  /** Expects the index word at `end - 4`, and the place for the tag before it. */
  sealRtcp(ssrc: number, indexWord: number, end: number): void {
    this.#engine.seal(this.#report(ssrc, indexWord, end - 4 - this.#suite.rtcpTagBytes));
  }

  #report(ssrc: number, indexWord: number, to: number): GcmPacket {
    const { bytes } = this.#engine.work;
    const { key, salt } = this.#keys.rtcp;
    const word = Buffer.alloc(4);
    word.writeUInt32BE(indexWord);
    const from = indexWord >= RTCP_ENCRYPTED ? RTCP_CLEAR : to;
    return {
      key,
      nonce: rtcpNonce(salt, ssrc, indexWord),
      associated: Buffer.concat([bytes.subarray(0, from), word]),
      from,
      to,
    };
  }
}

/** RFC 7714 §8.1: two zero octets, SSRC, roll-over counter and sequence number, mixed with the salt. */
function rtpNonce(salt: Buffer, ssrc: number, index: number): Buffer {
  nonce.writeUInt16BE(0, 0);
  nonce.writeUInt32BE(ssrc, 2);
  nonce.writeUIntBE(index, 6, 6);
  return mixed(salt);
}

/** RFC 7714 §9.1: two zero octets, SSRC, two zero octets, index. */
function rtcpNonce(salt: Buffer, ssrc: number, indexWord: number): Buffer {
  nonce.writeUInt16BE(0, 0);
  nonce.writeUInt32BE(ssrc, 2);
  nonce.writeUInt16BE(0, 6);
  nonce.writeUInt32BE(indexWord & 0x7fff_ffff, 8);
  return mixed(salt);
}

function mixed(salt: Buffer): Buffer {
  for (let byte = 0; byte < nonce.length; byte += 1) nonce[byte] = (nonce[byte] ?? 0) ^ (salt[byte] ?? 0);
  return nonce;
}
