import type { Arrival } from '../receiver/receiver.ts';
import { COOKIE, HEADER } from './stun-message.ts';

/**
 * Whether a datagram on a media port is STUN: a check of a client that speaks ICE, or what keeps its way through a NAT open (RFC 6263 §4.6).
 * RTP begins with 128 at least, so that nearly every packet is done with after one comparison.
 */
export function isStun({ slab, start, end }: Arrival): boolean {
  if ((slab[start] ?? 0) > 3 || end - start < HEADER) return false;
  return slab.readUInt32BE(start + 4) === COOKIE && slab.readUInt16BE(start + 2) === end - start - HEADER;
}
