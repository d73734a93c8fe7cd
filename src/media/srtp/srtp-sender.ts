import { randomBytes } from 'node:crypto';
import { copyOf, eraseKeying, isSameKeying, NO_MKI, type SrtpKeying } from './keying.ts';
import { MAX_PACKET } from './engine.ts';
import {
  packetCipher,
  RTCP_CLEAR,
  RTCP_ENCRYPTED,
  type PacketCipher,
  type SourceCipher,
} from './packet-cipher.ts';
import { PacketIndex } from './rollover.ts';
import { DerivedKeys } from './session-keys.ts';
import { headerEnd, type SrtpSpace } from './srtp-space.ts';
import { suiteOf, type Suite, type SuiteName } from './suites.ts';

interface Source {
  readonly cipher: SourceCipher;
  readonly index: PacketIndex;
}

/** The sending end of a line: protects RTP and RTCP under the first of its master keys, and puts that key's identifier where it has one. */
export class SrtpSender {
  readonly #space: SrtpSpace;
  readonly #suite: Suite;
  readonly #mki: Uint8Array;
  readonly #keys: DerivedKeys;
  readonly #cipher: PacketCipher;
  /** None before it sends RTP. */
  #sources: Map<number, Source> | undefined;
  readonly #unencryptedRtcp: boolean;
  readonly #keying: SrtpKeying;
  #rtcpIndex = 0;

  /** `unencryptedRtcp`: reports go in clear, authenticated alone (RFC 4568 §6.3.2). */
  constructor(space: SrtpSpace, keying: SrtpKeying, options: { readonly unencryptedRtcp?: boolean } = {}) {
    this.#keying = copyOf(keying);
    const [master] = this.#keying.masters;
    if (master === undefined) throw new TypeError('no master key');
    this.#space = space;
    this.#suite = suiteOf(keying.suite);
    this.#mki = master.mki ?? NO_MKI;
    this.#keys = new DerivedKeys(this.#suite, master.bytes);
    this.#cipher = packetCipher(space, this.#suite, this.#keys);
    this.#unencryptedRtcp = options.unencryptedRtcp === true;
  }

  isFrom(keying: SrtpKeying): boolean {
    return isSameKeying(this.#keying, keying);
  }

  /** So much longer does an RTP packet become. */
  get overhead(): number {
    return this.#suite.tagBytes + this.#mki.length;
  }

  /**
   * Protects the RTP packet in the first `length` bytes of `packet` in place; `overhead` bytes behind it must be free. Returns the new
   * length. Sequence numbers may be sent in any order within half a turn. Throws RangeError for what is no RTP or has no room.
   */
  protect(packet: Buffer, length: number): number {
    const text = headerEnd(packet, 0, length);
    if (text < 0 || packet.length < length + this.overhead || length + this.overhead > MAX_PACKET)
      throw new RangeError('not an RTP packet with room for its tag');
    const { bytes } = this.#space.engine.work;
    const { tagBytes, cipher } = this.#suite;
    const source = this.#sourceOf(packet.readUInt32BE(8));
    const index = source.index.estimate(packet.readUInt16BE(2));
    source.index.accept(index);
    bytes.set(packet.subarray(0, length));
    source.cipher.sealRtp(index, { text, end: length });
    packet.set(bytes.subarray(0, length));
    const [tag, mki] = cipher === 'gcm' ? [length, length + tagBytes] : [length + this.#mki.length, length];
    packet.set(bytes.subarray(length, length + tagBytes), tag);
    packet.set(this.#mki, mki);
    return length + this.overhead;
  }

  /** The SRTCP packet of a compound RTCP packet. Throws RangeError for what is none. */
  protectRtcp(compound: Buffer): Buffer {
    if (compound.length < RTCP_CLEAR || compound.length > MAX_PACKET - 64)
      throw new RangeError('not an RTCP packet');
    const { bytes } = this.#space.engine.work;
    const { cipher, rtcpTagBytes } = this.#suite;
    const gcm = cipher === 'gcm';
    const length = compound.length;
    this.#rtcpIndex = (this.#rtcpIndex + 1) % RTCP_ENCRYPTED;
    const indexWord = this.#rtcpIndex + (this.#unencryptedRtcp ? 0 : RTCP_ENCRYPTED);
    const end = length + 4 + (gcm ? rtcpTagBytes : 0);
    bytes.set(compound);
    bytes.writeUInt32BE(indexWord, end - 4);
    this.#cipher.sealRtcp(compound.readUInt32BE(4), indexWord, end);
    const protectedPart = Buffer.from(bytes.subarray(0, end));
    const tag = gcm ? Buffer.alloc(0) : bytes.subarray(end, end + rtcpTagBytes);
    return Buffer.concat([protectedPart, this.#mki, tag]);
  }

  /** Overwrites the keys; whoever sends all the same gets a TypeError. */
  destroy(): void {
    this.#sources = undefined;
    this.#keys.erase(this.#space.engine);
    this.#space.erase();
    eraseKeying(this.#keying);
  }

  #sourceOf(ssrc: number): Source {
    this.#sources ??= new Map();
    const known = this.#sources.get(ssrc);
    if (known !== undefined) return known;
    const source = { cipher: this.#cipher.source(ssrc), index: new PacketIndex() };
    this.#sources.set(ssrc, source);
    return source;
  }
}

/** A fresh master key with salt for a suite. */
export function newMasterKey(name: SuiteName): Buffer {
  const { keyBytes, saltBytes } = suiteOf(name);
  return randomBytes(keyBytes + saltBytes);
}
