import { isRtcp } from '../rtp-packet.ts';

/** What a sender said about its stream at one moment (RFC 3550 §6.4.1). */
export interface SenderReport {
  readonly ssrc: number;
  /** Its wall clock, in ms since 1970; which clock that is it alone knows. 0 when it has none. */
  readonly wallClock: number;
  /** The middle 32 bits of the NTP time, which a report of ours repeats. */
  readonly middle: number;
  /** The same moment on the clock of its RTP timestamps. */
  readonly timestamp: number;
  /** Packets and octets of payload it sent so far. */
  readonly packets: number;
  readonly octets: number;
}

/** What matters to a receiver in one compound packet. */
export interface RtcpNews {
  readonly reports: readonly SenderReport[];
  /** Canonical names by source: those of one sender have one name (RFC 3550 §6.5.1). */
  readonly names: ReadonlyMap<number, string>;
  /** Sources that leave. */
  readonly byes: readonly number[];
}

const SENDER_REPORT = 200;
const SOURCE_DESCRIPTION = 202;
const BYE = 203;
const CNAME = 1;

const HEADER = 4;
/** SSRC, NTP time, RTP time and two counts. */
const SENDER_INFO = 24;
/** Seconds between 1900 and 1970. */
const NTP_EPOCH = 2_208_988_800;

/** Whether what begins there looks like RTCP and not like RTP (RFC 5761 §4). */
export const looksLikeRtcp = (bytes: Buffer, start: number): boolean =>
  isRtcp((bytes[start + 1] ?? 0) & 0x7f);

/**
 * Reads the compound packet in `bytes[start..end)`. Undefined unless every length in it is right to the octet (RFC 3550 A.2): half
 * a report is believed as little as none. Packets of other kinds are passed over. Never throws.
 *
 *      0                   1                   2                   3
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |V=2|P|  count  |  packet type  |  length in 32-bit words - 1   |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
export function readRtcp(bytes: Buffer, start: number, end: number): RtcpNews | undefined {
  const news = { reports: [], names: new Map<number, string>(), byes: [] };
  let at = start;
  while (at < end) {
    const next = endOf(bytes, at, end);
    if (next === undefined) return undefined;
    if (!takePacket(bytes, { at, next }, news)) return undefined;
    at = next;
  }
  return at > start ? news : undefined;
}

interface GrowingNews {
  readonly reports: SenderReport[];
  readonly names: Map<number, string>;
  readonly byes: number[];
}

interface Extent {
  readonly at: number;
  /** First octet behind it. */
  readonly next: number;
}

function endOf(bytes: Buffer, at: number, end: number): number | undefined {
  if (end - at < HEADER || (bytes[at] ?? 0) >> 6 !== 2 || !looksLikeRtcp(bytes, at)) return undefined;
  const next = at + HEADER + bytes.readUInt16BE(at + 2) * 4;
  if (next > end) return undefined;
  return paddingIsRight(bytes, { at, next }, end) ? next : undefined;
}

/** Only the last packet may be padded, by a whole number of words, the count included. */
function paddingIsRight(bytes: Buffer, { at, next }: Extent, end: number): boolean {
  if (((bytes[at] ?? 0) & 0x20) === 0) return true;
  const padding = bytes[end - 1] ?? 0;
  return next === end && padding > 0 && padding % 4 === 0 && padding <= next - at - HEADER;
}

/** False for a packet shorter than what it says it holds. */
function takePacket(bytes: Buffer, { at, next }: Extent, news: GrowingNews): boolean {
  const count = (bytes[at] ?? 0) & 0x1f;
  const padding = ((bytes[at] ?? 0) & 0x20) === 0 ? 0 : (bytes[next - 1] ?? 0);
  const body = { at: at + HEADER, next: next - padding };
  switch (bytes[at + 1]) {
    case SENDER_REPORT:
      if (body.next - body.at < SENDER_INFO + count * 24) return false;
      news.reports.push(senderReport(bytes, body.at));
      return true;
    case SOURCE_DESCRIPTION:
      return takeDescriptions(bytes, body, { count, names: news.names });
    case BYE:
      if (body.next - body.at < count * 4) return false;
      for (let source = 0; source < count; source++) news.byes.push(bytes.readUInt32BE(body.at + source * 4));
      return true;
    default:
      return true;
  }
}

function senderReport(bytes: Buffer, at: number): SenderReport {
  const seconds = bytes.readUInt32BE(at + 4);
  const fraction = bytes.readUInt32BE(at + 8);
  return {
    ssrc: bytes.readUInt32BE(at),
    wallClock:
      seconds === 0 && fraction === 0 ? 0 : (seconds - NTP_EPOCH) * 1000 + (fraction * 1000) / 0x1_0000_0000,
    middle: bytes.readUInt32BE(at + 6),
    timestamp: bytes.readUInt32BE(at + 12),
    packets: bytes.readUInt32BE(at + 16),
    octets: bytes.readUInt32BE(at + 20),
  };
}

/** Chunks of a source and its items, each chunk ended by at least one zero and filled up to a word. */
function takeDescriptions(
  bytes: Buffer,
  { at, next }: Extent,
  { count, names }: { readonly count: number; readonly names: Map<number, string> },
): boolean {
  let chunk = at;
  for (let left = count; left > 0; left--) {
    if (next - chunk < 8) return false;
    const source = bytes.readUInt32BE(chunk);
    let item = chunk + 4;
    while (item < next && bytes[item] !== 0) {
      const text = item + 2;
      const length = bytes[item + 1] ?? 0;
      if (text + length > next) return false;
      if (bytes[item] === CNAME) names.set(source, printable(bytes.toString('utf8', text, text + length)));
      item = text + length;
    }
    if (item >= next) return false;
    chunk += (item - chunk + 4) & ~3;
  }
  return chunk <= next;
}

/** A name is shown to people and compared, nothing else. */
const printable = (name: string): string => name.replace(/[^\x20-\x7e]/g, '?');
