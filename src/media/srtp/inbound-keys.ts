import { copyOf, eraseKeying, isSameKeying, NO_MKI, type SrtpKeying } from './keying.ts';
import { packetCipher, type PacketCipher, type PacketPlaces, type SourceCipher } from './packet-cipher.ts';
import { PacketIndex, REPLAY_WINDOW } from './rollover.ts';
import { DerivedKeys } from './session-keys.ts';
import type { SrtpSpace } from './srtp-space.ts';
import { suiteOf, type Suite } from './suites.ts';

/** Why a packet was not opened; every other number is a length. */
export const Verdict = { UNAUTHENTIC: -1, REPLAYED: -2, MALFORMED: -3 } as const;

/** A source is known from its first authentic packet on, and so many at a time. */
const SOURCES = 64;

/**
 * Turns of the sequence number that may have passed before the first packet we hear (a call that is recorded late): 16 are five hours at 50 packets
 * a second. Every try is an HMAC.
 */
const TURNS_BEFORE = 16;
/** After a long break, a turn may have passed unheard. */
const TURNS_MISSED = 3;
/** Tries beyond the likely index that packets in a row may cost; authentic ones give them back. */
const TRIES = 1000;

/** A packet as it came; one object serves all. */
export interface ReceivedPacket {
  slab: Buffer;
  start: number;
  size: number;
  /** Length of the header. */
  text: number;
  ssrc: number;
  sequence: number;
}

interface Source {
  readonly cipher: SourceCipher;
  readonly index: PacketIndex;
}

interface Master {
  readonly mki: Uint8Array;
  readonly keys: DerivedKeys;
  readonly cipher: PacketCipher;
  readonly sources: Map<number, Source>;
  /** None before there are reports. */
  rtcp: Map<number, PacketIndex> | undefined;
  /** For a source that is not known yet. */
  stranger: { readonly ssrc: number; readonly cipher: SourceCipher } | undefined;
}

/** The master keys of one offer, and what is known of the sources that use them. */
export class InboundKeys {
  readonly #space: SrtpSpace;
  readonly #keying: SrtpKeying;
  readonly #suite: Suite;
  readonly #masters: Master[];
  readonly #mkiBytes: number;
  #before: InboundKeys | undefined;
  readonly #places: PacketPlaces = { text: 0, end: 0 };
  #triesLeft = TRIES;
  #used = false;

  /** `before` are the keys these replace: a source keeps its roll-over counter (RFC 3711 §3.3.1). */
  constructor(space: SrtpSpace, keying: SrtpKeying, before?: InboundKeys) {
    this.#space = space;
    this.#keying = copyOf(keying);
    this.#suite = suiteOf(keying.suite);
    this.#before = before;
    this.#mkiBytes = keying.masters[0]?.mki?.length ?? 0;
    this.#masters = this.#keying.masters.map(({ bytes, mki }) => {
      const keys = new DerivedKeys(this.#suite, bytes);
      return {
        mki: mki ?? NO_MKI,
        keys,
        cipher: packetCipher(space, this.#suite, keys),
        sources: new Map<number, Source>(),
        rtcp: undefined,
        stranger: undefined,
      };
    });
  }

  /** A packet was authentic under these keys. */
  get isUsed(): boolean {
    return this.#used;
  }

  isFrom(keying: SrtpKeying): boolean {
    return isSameKeying(this.#keying, keying);
  }

  /** Length of the packet in the work space, or a `Verdict`. */
  openRtp(packet: ReceivedPacket): number {
    const end = packet.size - this.#suite.tagBytes - this.#mkiBytes;
    if (end < packet.text) return Verdict.MALFORMED;
    const master = this.#masterOf(packet, this.#suite.tagBytes);
    if (master === undefined) return Verdict.UNAUTHENTIC;
    const places = this.#places;
    places.text = packet.text;
    places.end = end;
    const known = master.sources.get(packet.ssrc);
    return known === undefined ? this.#openFirst(master, packet) : this.#openNext(known, packet);
  }

  openRtcp(packet: ReceivedPacket): number {
    const { cipher: mode, rtcpTagBytes } = this.#suite;
    // HMAC's tag stands last, GCM's before the index.
    const end = packet.size - this.#mkiBytes - (mode === 'gcm' ? 0 : rtcpTagBytes);
    if (end < 12) return Verdict.MALFORMED;
    const master = this.#masterOf(packet, mode === 'gcm' ? 0 : rtcpTagBytes);
    if (master === undefined) return Verdict.UNAUTHENTIC;
    const indexWord = packet.slab.readUInt32BE(packet.start + end - 4);
    const index = indexWord % 0x8000_0000;
    const known = master.rtcp?.get(packet.ssrc);
    if (known?.isNew(index) === false) return Verdict.REPLAYED;
    this.#load(packet, end, mode === 'gcm' ? 0 : rtcpTagBytes);
    if (!master.cipher.openRtcp(packet.ssrc, indexWord, end)) return Verdict.UNAUTHENTIC;
    const indexes = known ?? reportsOf(master, packet.ssrc);
    indexes.accept(index);
    return mode === 'gcm' ? end - 4 - rtcpTagBytes : end - 4;
  }

  destroy(): void {
    eraseKeying(this.#keying);
    for (const { keys } of this.#masters) keys.erase(this.#space.engine);
    this.#space.erase();
    // Nothing is found with a set that is gone.
    this.#masters.length = 0;
    this.#before = undefined;
  }

  #openNext(source: Source, packet: ReceivedPacket): number {
    const { index, cipher } = source;
    const estimate = index.estimate(packet.sequence);
    const fresh = index.isNew(estimate);
    if (fresh && this.#try(cipher, packet, estimate)) return this.#accept(index, estimate);
    // A repetition is the ordinary thing; what is too old to know may belong to a later turn.
    if (!fresh && index.highest - estimate < REPLAY_WINDOW) return Verdict.REPLAYED;
    // Never backwards: an index that was passed would open the door to replays.
    for (let turn = 1; turn <= TURNS_MISSED && this.#triesLeft > 0; turn += 1) {
      const later = estimate + turn * 0x1_0000;
      if (!index.isNew(later)) continue;
      this.#triesLeft -= 1;
      if (this.#try(cipher, packet, later)) return this.#accept(index, later);
    }
    return fresh ? Verdict.UNAUTHENTIC : Verdict.REPLAYED;
  }

  /** The first packet of a source decides its roll-over counter: that of the keys before, else 0, else whichever fits. */
  #openFirst(master: Master, packet: ReceivedPacket): number {
    if (master.stranger?.ssrc !== packet.ssrc)
      master.stranger = { ssrc: packet.ssrc, cipher: master.cipher.source(packet.ssrc) };
    const { cipher } = master.stranger;
    const continued = this.#before?.estimateOf(packet.ssrc, packet.sequence) ?? packet.sequence;
    if (this.#try(cipher, packet, continued)) return this.#adopt(master, packet.ssrc, continued);
    for (let turn = 0; turn < TURNS_BEFORE && this.#triesLeft > 0; turn += 1) {
      const candidate = turn * 0x1_0000 + packet.sequence;
      if (candidate === continued) continue;
      this.#triesLeft -= 1;
      if (this.#try(cipher, packet, candidate)) return this.#adopt(master, packet.ssrc, candidate);
    }
    return Verdict.UNAUTHENTIC;
  }

  /** Where a source stood under these keys; undefined when they never heard it. */
  estimateOf(ssrc: number, sequence: number): number | undefined {
    for (const { sources } of this.#masters) {
      const estimate = sources.get(ssrc)?.index.estimate(sequence);
      if (estimate !== undefined && estimate >= 0) return estimate;
    }
    return undefined;
  }

  #adopt(master: Master, ssrc: number, index: number): number {
    const cipher = master.stranger?.cipher ?? master.cipher.source(ssrc);
    master.stranger = undefined;
    const source = { cipher, index: new PacketIndex() };
    remember(master.sources, ssrc, source);
    return this.#accept(source.index, index);
  }

  #accept(indexes: PacketIndex, index: number): number {
    indexes.accept(index);
    this.#triesLeft = TRIES;
    this.#used = true;
    return this.#places.end;
  }

  #try(cipher: SourceCipher, packet: ReceivedPacket, index: number): boolean {
    this.#load(packet, this.#places.end, this.#suite.tagBytes);
    return cipher.openRtp(index, this.#places);
  }

  /** Copies the packet into the work space, its tag right behind what it authenticates. */
  #load({ slab, start, size }: ReceivedPacket, end: number, tagBytes: number): void {
    const { bytes } = this.#space.engine.work;
    if (this.#mkiBytes === 0) {
      bytes.set(slab.subarray(start, start + size));
      return;
    }
    bytes.set(slab.subarray(start, start + end));
    const tag = start + (this.#suite.cipher === 'gcm' ? end : size - tagBytes);
    bytes.set(slab.subarray(tag, tag + tagBytes), end);
  }

  /** The master key that the packet names; the first where packets name none. */
  #masterOf({ slab, start, size }: ReceivedPacket, tagBytes: number): Master | undefined {
    if (this.#mkiBytes === 0) return this.#masters[0];
    const behind = this.#suite.cipher === 'gcm' ? 0 : tagBytes;
    const at = start + size - behind - this.#mkiBytes;
    return this.#masters.find(({ mki }) => mki.every((byte, place) => slab[at + place] === byte));
  }
}

/** A place for the reports of a source that had none. */
function reportsOf(master: Master, ssrc: number): PacketIndex {
  const indexes = new PacketIndex();
  master.rtcp ??= new Map<number, PacketIndex>();
  remember(master.rtcp, ssrc, indexes);
  return indexes;
}

/** Adds to a map of bounded size; the oldest has to go. */
function remember<T>(map: Map<number, T>, key: number, value: T): void {
  if (map.size >= SOURCES) {
    const [oldest] = map.keys();
    if (oldest !== undefined) map.delete(oldest);
  }
  map.set(key, value);
}
