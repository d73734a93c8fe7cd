import type { Aead, Authenticator, BlockCipher, SrtpEngine } from './engine.ts';
import { Keystream, type KeystreamSpace } from './keystream.ts';
import type { PacketKeys, SessionKeys } from './session-keys.ts';
import type { Suite } from './suites.ts';

/** Where a packet in the work space has what: `[0, text)` is clear, `[text, end)` encrypted, the tag follows. */
export interface PacketPlaces {
  text: number;
  end: number;
}

/** One source's part of a cipher: what it made ahead. */
export interface SourceCipher {
  /** Undoes the encryption after checking the tag. False when the packet is not authentic; the work space is spoilt then. */
  openRtp(index: number, places: PacketPlaces): boolean;
  /** Encrypts and writes the tag at `end`. */
  sealRtp(index: number, places: PacketPlaces): void;
  erase(): void;
}

/** Protection of RTP and RTCP packets in the work space under one master key; forgets everything with `destroy`. */
export interface PacketCipher {
  source(ssrc: number): SourceCipher;
  /** As `openRtp`; `indexWord` is the last word of the packet, E flag and index; `tag` is where the tag stands. */
  openRtcp(ssrc: number, indexWord: number, end: number): boolean;
  sealRtcp(ssrc: number, indexWord: number, end: number): void;
  destroy(): void;
}

/** Bytes of an RTCP packet that stay clear: header and SSRC. */
export const RTCP_CLEAR = 8;
export const RTCP_ENCRYPTED = 0x8000_0000;

export function packetCipher(
  engine: SrtpEngine,
  space: KeystreamSpace,
  suite: Suite,
  keys: SessionKeys,
): PacketCipher {
  return suite.cipher === 'gcm'
    ? new GcmCipher(engine, suite, keys)
    : new CounterModeCipher(engine, space, suite, keys);
}

/** What protects RTP, or RTCP, in counter mode. */
interface Protection {
  readonly cipher: BlockCipher;
  readonly tag: Authenticator;
}

/** AES in counter mode with HMAC-SHA1 (RFC 3711 §4.1, §4.2). */
class CounterModeCipher implements PacketCipher {
  readonly #engine: SrtpEngine;
  readonly #space: KeystreamSpace;
  readonly #suite: Suite;
  readonly #keys: SessionKeys;
  // Made when they are needed: a recorder sends no RTP, and not every client sends reports.
  #rtp: Protection | undefined;
  #rtcp: Protection | undefined;

  constructor(engine: SrtpEngine, space: KeystreamSpace, suite: Suite, keys: SessionKeys) {
    this.#engine = engine;
    this.#space = space;
    this.#suite = suite;
    this.#keys = keys;
  }

  source(ssrc: number): SourceCipher {
    const { cipher, tag } = (this.#rtp ??= this.#protection(this.#keys.rtp));
    const stream = this.#stream(cipher, this.#keys.rtp, ssrc);
    const engine = this.#engine;
    const { tagBytes } = this.#suite;
    return {
      openRtp: (index, { text, end }) => {
        keepTag(engine, end, tagBytes);
        putWord(engine, end, Math.trunc(index / 0x1_0000));
        tag.sign(end + 4);
        if (!isTag(engine, tagBytes)) return false;
        stream.apply(index, text, end);
        return true;
      },
      sealRtp: (index, { text, end }) => {
        stream.apply(index, text, end);
        putWord(engine, end, Math.trunc(index / 0x1_0000));
        tag.sign(end + 4);
        putTag(engine, end, tagBytes);
      },
      erase: () => {
        stream.erase();
      },
    };
  }

  openRtcp(ssrc: number, indexWord: number, end: number): boolean {
    const { rtcpTagBytes } = this.#suite;
    keepTag(this.#engine, end, rtcpTagBytes);
    this.#reports.tag.sign(end);
    if (!isTag(this.#engine, rtcpTagBytes)) return false;
    this.#cryptRtcp(ssrc, indexWord, end);
    return true;
  }

  sealRtcp(ssrc: number, indexWord: number, end: number): void {
    this.#cryptRtcp(ssrc, indexWord, end);
    this.#reports.tag.sign(end);
    putTag(this.#engine, end, this.#suite.rtcpTagBytes);
  }

  destroy(): void {
    for (const { cipher, tag } of [this.#rtp, this.#rtcp].filter((made) => made !== undefined)) {
      cipher.destroy();
      tag.destroy();
    }
  }

  get #reports(): Protection {
    return (this.#rtcp ??= this.#protection(this.#keys.rtcp));
  }

  #protection({ key, authentication }: PacketKeys): Protection {
    return {
      cipher: this.#engine.blockCipher(key),
      tag: this.#engine.authenticator(authentication),
    };
  }

  #cryptRtcp(ssrc: number, indexWord: number, end: number): void {
    if (indexWord < RTCP_ENCRYPTED) return;
    const stream = this.#stream(this.#reports.cipher, this.#keys.rtcp, ssrc);
    stream.apply(indexWord - RTCP_ENCRYPTED, RTCP_CLEAR, end - 4);
    stream.erase();
  }

  #stream(cipher: BlockCipher, { salt }: PacketKeys, ssrc: number): Keystream {
    return new Keystream(this.#engine, this.#space, { cipher, salt, ssrc });
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

/** AES in Galois/counter mode (RFC 7714). */
class GcmCipher implements PacketCipher {
  readonly #engine: SrtpEngine;
  readonly #suite: Suite;
  readonly #keys: SessionKeys;
  #rtp: Aead | undefined;
  #rtcp: Aead | undefined;
  readonly #nonce = Buffer.alloc(12);

  constructor(engine: SrtpEngine, suite: Suite, keys: SessionKeys) {
    this.#engine = engine;
    this.#suite = suite;
    this.#keys = keys;
  }

  source(ssrc: number): SourceCipher {
    const { bytes } = this.#engine.work;
    const cipher = (this.#rtp ??= this.#engine.aead(this.#keys.rtp.key));
    return {
      openRtp: (index, { text, end }) =>
        cipher.open(this.#rtpNonce(ssrc, index), bytes.subarray(0, text), text, end),
      sealRtp: (index, { text, end }) => {
        cipher.seal(this.#rtpNonce(ssrc, index), bytes.subarray(0, text), text, end);
      },
      erase: () => undefined,
    };
  }

  /** The index stands behind the tag here (RFC 7714 §9.2); `end` is behind the index as it is in the other ciphers. */
  openRtcp(ssrc: number, indexWord: number, end: number): boolean {
    const to = end - 4 - this.#suite.rtcpTagBytes;
    const nonce = this.#rtcpNonce(ssrc, indexWord);
    return to < RTCP_CLEAR ? false : this.#reports.open(nonce, ...this.#rtcpPlaces(indexWord, to));
  }

  /** Expects the index word at `end - 4`, and the place for the tag before it. */
  sealRtcp(ssrc: number, indexWord: number, end: number): void {
    const to = end - 4 - this.#suite.rtcpTagBytes;
    this.#reports.seal(this.#rtcpNonce(ssrc, indexWord), ...this.#rtcpPlaces(indexWord, to));
  }

  destroy(): void {
    this.#rtp?.destroy();
    this.#rtcp?.destroy();
  }

  get #reports(): Aead {
    return (this.#rtcp ??= this.#engine.aead(this.#keys.rtcp.key));
  }

  #rtcpPlaces(indexWord: number, to: number): [Buffer, number, number] {
    const { bytes } = this.#engine.work;
    const word = Buffer.alloc(4);
    word.writeUInt32BE(indexWord);
    return indexWord >= RTCP_ENCRYPTED
      ? [Buffer.concat([bytes.subarray(0, RTCP_CLEAR), word]), RTCP_CLEAR, to]
      : [Buffer.concat([bytes.subarray(0, to), word]), to, to];
  }

  /** RFC 7714 §8.1: two zero octets, SSRC, roll-over counter and sequence number, mixed with the salt. */
  #rtpNonce(ssrc: number, index: number): Buffer {
    const nonce = this.#nonce;
    nonce.writeUInt16BE(0, 0);
    nonce.writeUInt32BE(ssrc, 2);
    nonce.writeUIntBE(index, 6, 6);
    return mixed(nonce, this.#keys.rtp.salt);
  }

  /** RFC 7714 §9.1: two zero octets, SSRC, two zero octets, index. */
  #rtcpNonce(ssrc: number, indexWord: number): Buffer {
    const nonce = this.#nonce;
    nonce.writeUInt16BE(0, 0);
    nonce.writeUInt32BE(ssrc, 2);
    nonce.writeUInt16BE(0, 6);
    nonce.writeUInt32BE(indexWord & 0x7fff_ffff, 8);
    return mixed(nonce, this.#keys.rtcp.salt);
  }
}

function mixed(nonce: Buffer, salt: Buffer): Buffer {
  for (let byte = 0; byte < nonce.length; byte += 1) nonce[byte] = (nonce[byte] ?? 0) ^ (salt[byte] ?? 0);
  return nonce;
}
