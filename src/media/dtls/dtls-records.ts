/*
 *  Record (RFC 6347 §4.1)                           Handshake message (§4.2.2), inside it
 *  0     1        3      5         11      13       0     1       4        6       9       12
 *  type  version  epoch  sequence  length  ...      type  length  sequence offset  length  body
 */
const RECORD_HEADER = 13;
const MESSAGE_HEADER = 12;
const RECORD_HANDSHAKE = 22;
const CLIENT_HELLO = 1;
/** In the body of a ClientHello the version stands before it. */
const RANDOM_AT = RECORD_HEADER + MESSAGE_HEADER + 2;
const RANDOM_BYTES = 32;

/** Longest datagram we send; with headers of IPv6 and a tunnel it fits everywhere. */
export const DATAGRAM_BYTES = 1200;

/** What a datagram on a media port is, by its first byte (RFC 7983 §7). */
export function packetKind(first: number): 'stun' | 'dtls' | 'rtp' | 'other' {
  if (first <= 3) return 'stun';
  if (first >= 20 && first <= 63) return 'dtls';
  return first >= 128 && first <= 191 ? 'rtp' : 'other';
}

/**
 * The random number of the ClientHello that a datagram begins with, in hex: the name of an attempt. Undefined for everything else. A
 * ClientHello is never protected (epoch 0) and has to come in one piece.
 */
export function clientHelloName(datagram: Buffer): string | undefined {
  if (datagram.length < RANDOM_AT + RANDOM_BYTES) return undefined;
  if (datagram[0] !== RECORD_HANDSHAKE || datagram.readUInt16BE(3) !== 0) return undefined;
  if (datagram[RECORD_HEADER] !== CLIENT_HELLO) return undefined;
  return datagram.toString('hex', RANDOM_AT, RANDOM_AT + RANDOM_BYTES);
}

/** Divides what OpenSSL wrote, records one behind the other, into datagrams of whole records. */
export function toDatagrams(flight: Buffer): readonly Buffer[] {
  const datagrams: Buffer[] = [];
  let start = 0;
  let end = 0;
  while (end + RECORD_HEADER <= flight.length) {
    const next = end + RECORD_HEADER + flight.readUInt16BE(end + 11);
    if (next - start > DATAGRAM_BYTES && end > start) {
      datagrams.push(flight.subarray(start, end));
      start = end;
    }
    end = next;
  }
  if (flight.length > start) datagrams.push(flight.subarray(start));
  return datagrams;
}
