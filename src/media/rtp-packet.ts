import { MediaError, type MediaErrorCode } from './media-error.ts';

const FIXED_HEADER = 12;
const VERSION = 2;

/** What makes a datagram no RTP packet. */
export type RtpFault = Extract<MediaErrorCode, 'RTP_TOO_SHORT' | 'RTP_BAD_VERSION' | 'RTP_BAD_LENGTH'>;

/** The fields of one RTP packet. One object serves all packets; the payload is `[payloadStart, payloadEnd)` of the datagram's buffer. */
export class RtpPacket {
  payloadType = 0;
  marker = false;
  sequenceNumber = 0;
  timestamp = 0;
  ssrc = 0;
  payloadStart = 0;
  payloadEnd = 0;
}

/**
 * Reads the packet in `bytes[start..end)` into `into` and copies nothing. Returns why the datagram is no RTP packet, or
 * undefined; it neither throws nor allocates, since it runs for every packet (RFC 3550 §5.1):
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |V=2|P|X|  CC   |M|     PT      |       sequence number         |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |                           timestamp                           |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |           synchronization source (SSRC) identifier            |
 *     +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
 *     |            contributing source (CSRC) identifiers (CC)        |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |    X: profile-defined (16)    |  length in 32-bit words (16)  |
 */
export function readRtp(bytes: Buffer, start: number, end: number, into: RtpPacket): RtpFault | undefined {
  if (end - start < FIXED_HEADER) return 'RTP_TOO_SHORT';
  const first = bytes[start] ?? 0;
  if (first >> 6 !== VERSION) return 'RTP_BAD_VERSION';

  let payloadStart = start + FIXED_HEADER + (first & 0x0f) * 4;
  if ((first & 0x10) !== 0) {
    if (end < payloadStart + 4) return 'RTP_TOO_SHORT';
    payloadStart += 4 + bytes.readUInt16BE(payloadStart + 2) * 4;
  }
  let payloadEnd = end;
  if ((first & 0x20) !== 0) {
    const padding = bytes[end - 1] ?? 0;
    // The count includes itself, so 0 is as wrong as a count that reaches into the header.
    if (padding === 0) return 'RTP_BAD_LENGTH';
    payloadEnd -= padding;
  }
  if (payloadEnd < payloadStart) return 'RTP_BAD_LENGTH';

  const second = bytes[start + 1] ?? 0;
  into.marker = (second & 0x80) !== 0;
  into.payloadType = second & 0x7f;
  into.sequenceNumber = bytes.readUInt16BE(start + 2);
  into.timestamp = bytes.readUInt32BE(start + 4);
  into.ssrc = bytes.readUInt32BE(start + 8);
  into.payloadStart = payloadStart;
  into.payloadEnd = payloadEnd;
  return undefined;
}

/**
 * Reads a whole datagram as one RTP packet, for callers that are not in a hurry.
 *
 * @throws MediaError RTP_TOO_SHORT, RTP_BAD_VERSION, RTP_BAD_LENGTH.
 */
export function parseRtp(datagram: Buffer): RtpPacket {
  const packet = new RtpPacket();
  const fault = readRtp(datagram, 0, datagram.length, packet);
  if (fault !== undefined) throw new MediaError(fault, `datagram of ${datagram.length} bytes`);
  return packet;
}

/** RTCP that shares the port shows up as payload types 64 to 95 (RFC 5761 §4). */
export const isRtcp = (payloadType: number): boolean => payloadType >= 64 && payloadType <= 95;
