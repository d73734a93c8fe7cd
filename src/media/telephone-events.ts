import type { PayloadFormat } from './capture.ts';
import type { RtpPacket } from './rtp-packet.ts';

/** Event codes 0 to 15 (RFC 4733 §3.2, table 3). */
const KEYS = '0123456789*#ABCD';
/** Event, flags and volume, two octets of duration (RFC 4733 §2.3). */
const PAYLOAD = 4;

/**
 * The keys of one leg, out of telephone events (RFC 4733). All packets of an event carry the timestamp of its beginning, so each is told once,
 * however many of its packets come or get lost.
 */
export class TelephoneEvents {
  /** Ticks a second by payload number; a table takes much memory for a leg that has none. */
  #rates: Map<number, number> | undefined;
  #ssrc: number | undefined;
  #timestamp: number | undefined;

  announce({ payloadType, clockRate }: PayloadFormat): void {
    (this.#rates ??= new Map()).set(payloadType, clockRate);
  }

  /** The key that the packet is the first one of, with the milliseconds it has been down by now; undefined for every other packet. */
  take(packet: RtpPacket, slab: Buffer): { readonly key: string; readonly downFor: number } | undefined {
    const { payloadStart, payloadEnd, ssrc, timestamp } = packet;
    if (payloadEnd - payloadStart < PAYLOAD || (ssrc === this.#ssrc && timestamp === this.#timestamp))
      return undefined;
    this.#ssrc = ssrc;
    this.#timestamp = timestamp;
    const key = KEYS[slab.readUInt8(payloadStart)];
    if (key === undefined) return undefined;
    const rate = this.#rates?.get(packet.payloadType) ?? 8000;
    return { key, downFor: (slab.readUInt16BE(payloadStart + 2) * 1000) / rate };
  }
}
