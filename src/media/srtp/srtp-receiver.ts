import { MAX_PACKET } from './engine.ts';
import { InboundKeys, Verdict, type ReceivedPacket } from './inbound-keys.ts';
import type { SrtpKeying } from './keying.ts';
import { RTCP_CLEAR } from './packet-cipher.ts';
import { headerEnd, type SrtpSpace } from './srtp-space.ts';

/** After the first packet under new keys the old ones hold for packets still on their way, in ms. */
const OLD_KEYS_MS = 10_000;
/** Re-keyings in so short a time that several old sets are wanted; more than anybody needs. */
const OLD_SETS = 4;

export interface SrtpCounts {
  /** Opened. */
  readonly opened: number;
  /** Tag wrong, or no key to check it with. */
  readonly unauthentic: number;
  /** Here before, or too old to know. */
  readonly replayed: number;
  /** Too short or too long for SRTP, or no RTP at all. */
  readonly malformed: number;
}

/**
 * The receiving end of one line: any number of sources under one or several master keys (RFC 3711). Opened packets lie in the engine's work
 * space until the next call of anything on the same engine.
 */
export class SrtpReceiver {
  readonly #space: SrtpSpace;
  /** The newest first. */
  #sets: InboundKeys[] = [];
  /** When the old sets go, once the newest has been used. */
  #retireAt: number | undefined;
  readonly #packet: ReceivedPacket = {
    slab: Buffer.alloc(0),
    start: 0,
    size: 0,
    text: 0,
    ssrc: 0,
    sequence: 0,
  };
  readonly #counts = { opened: 0, unauthentic: 0, replayed: 0, malformed: 0 };

  constructor(space: SrtpSpace, keying: SrtpKeying) {
    this.#space = space;
    this.#sets = [new InboundKeys(space, keying)];
  }

  get counts(): SrtpCounts {
    return this.#counts;
  }

  /** Opened packets lie here. */
  get clear(): Buffer {
    return this.#space.engine.work.bytes;
  }

  /** Takes new keys; equal ones change nothing, so that a re-offer that repeats them loses no state. */
  rekey(keying: SrtpKeying): void {
    const [newest] = this.#sets;
    if (newest?.isFrom(keying) === true) return;
    const old = this.#sets;
    for (const oldest of old.splice(OLD_SETS)) oldest.destroy();
    this.#sets = [new InboundKeys(this.#space, keying, newest), ...old];
    this.#retireAt = undefined;
  }

  /**
   * Opens the SRTP packet in `slab[start..end)`, which stays as it is. Returns the length of the RTP packet in `clear`, or a `Verdict` below
   * zero, counted. `at` is its time of arrival in ms. Never throws.
   */
  open(slab: Buffer, start: number, end: number, at: number): number {
    const text = headerEnd(slab, start, end);
    if (text < 0) return this.#count(Verdict.MALFORMED);
    const packet = this.#packet;
    packet.slab = slab;
    packet.start = start;
    packet.size = end - start;
    packet.text = text;
    packet.sequence = slab.readUInt16BE(start + 2);
    packet.ssrc = slab.readUInt32BE(start + 8);
    let verdict: number = Verdict.UNAUTHENTIC;
    for (const keys of this.#sets) {
      verdict = keys.openRtp(packet);
      if (verdict >= 0 || verdict === Verdict.REPLAYED) break;
    }
    if (this.#sets.length > 1) this.#retire(verdict, at);
    return this.#count(verdict);
  }

  /** As `open`, for an SRTCP packet (RFC 3711 §3.4); its clear text is the compound packet without index and tag. */
  openRtcp(slab: Buffer, start: number, end: number): number {
    const size = end - start;
    if (size < RTCP_CLEAR + 4 || size > MAX_PACKET || (slab[start] ?? 0) >> 6 !== 2)
      return this.#count(Verdict.MALFORMED);
    const packet = this.#packet;
    packet.slab = slab;
    packet.start = start;
    packet.size = size;
    packet.ssrc = slab.readUInt32BE(start + 4);
    let verdict: number = Verdict.UNAUTHENTIC;
    for (const keys of this.#sets) {
      verdict = keys.openRtcp(packet);
      if (verdict >= 0 || verdict === Verdict.REPLAYED) break;
    }
    return this.#count(verdict);
  }

  /** Overwrites all keys; nothing can be opened any more. */
  destroy(): void {
    for (const keys of this.#sets.splice(0)) keys.destroy();
  }

  #retire(verdict: number, at: number): void {
    if (this.#retireAt === undefined) {
      if (verdict >= 0 && this.#sets[0]?.isUsed === true) this.#retireAt = at + OLD_KEYS_MS;
    } else if (at > this.#retireAt) for (const old of this.#sets.splice(1)) old.destroy();
  }

  #count(verdict: number): number {
    if (verdict >= 0) this.#counts.opened += 1;
    else if (verdict === Verdict.REPLAYED) this.#counts.replayed += 1;
    else if (verdict === Verdict.MALFORMED) this.#counts.malformed += 1;
    else this.#counts.unauthentic += 1;
    return verdict;
  }
}
