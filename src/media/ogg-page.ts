/** RFC 3533 §6: flags of a page. */
export const BEGINS = 0x02;
export const ENDS = 0x04;

const PAGE_HEADER = 27;
/** A page holds at most 255 lacing values. */
const MOST_SEGMENTS = 255;

export interface OggPage {
  readonly flags: number;
  /** Position of the last sample that completes on the page, in samples of 48 kHz. */
  readonly granule: number;
  readonly serial: number;
  readonly sequence: number;
  readonly packets: readonly Uint8Array[];
}

/** Lacing values that a packet takes; the last is below 255, so a multiple of 255 takes one more (RFC 3533 §5). */
export const segmentsOf = (octets: number): number => Math.floor(octets / 255) + 1;

/** Whether packets of so many lacing values fit on one page. */
export const fitsOnPage = (segments: number): boolean => segments <= MOST_SEGMENTS;

/** One page with whole packets, its checksum set. */
export function oggPage(page: OggPage): Buffer {
  const lacing = page.packets.flatMap(({ length }) => [
    ...new Array<number>(segmentsOf(length) - 1).fill(255),
    length % 255,
  ]);
  const header = Buffer.alloc(PAGE_HEADER + lacing.length);
  header.write('OggS', 0, 'latin1');
  header[5] = page.flags;
  header.writeBigUInt64LE(BigInt(page.granule), 6);
  header.writeUInt32LE(page.serial, 14);
  header.writeUInt32LE(page.sequence, 18);
  header[26] = lacing.length;
  header.set(lacing, PAGE_HEADER);
  const whole = Buffer.concat([header, ...page.packets]);
  setOggChecksum(whole);
  return whole;
}

/** Computes the checksum of a whole page anew. */
export function setOggChecksum(page: Buffer): void {
  page.writeUInt32LE(0, 22);
  page.writeUInt32LE(oggChecksum(page), 22);
}

/** Octets of the whole page that begins at `start`; undefined when it is cut off or damaged. */
export function readOggPage(bytes: Buffer, start: number): number | undefined {
  if (bytes.length < start + PAGE_HEADER || bytes.toString('latin1', start, start + 4) !== 'OggS')
    return undefined;
  const table = start + PAGE_HEADER;
  const segments = bytes[start + 26] ?? 0;
  if (bytes.length < table + segments) return undefined;
  let end = table + segments;
  for (let at = table; at < table + segments; at++) end += bytes[at] ?? 0;
  if (bytes.length < end) return undefined;
  const page = Buffer.from(bytes.subarray(start, end));
  const stated = page.readUInt32LE(22);
  page.writeUInt32LE(0, 22);
  return oggChecksum(page) === stated ? end - start : undefined;
}

const POLYNOMIAL = 0x04c11db7;

const TABLE = Uint32Array.from({ length: 256 }, (_none, index) => {
  let value = index << 24;
  for (let bit = 0; bit < 8; bit++) value = value & 0x80000000 ? (value << 1) ^ POLYNOMIAL : value << 1;
  return value >>> 0;
});

/** CRC-32 as Ogg has it: polynomial 0x04c11db7, begins with zero, nothing reflected (RFC 3533 §6). */
function oggChecksum(octets: Uint8Array): number {
  let crc = 0;
  for (const octet of octets) crc = ((crc << 8) ^ (TABLE[((crc >>> 24) ^ octet) & 0xff] ?? 0)) >>> 0;
  return crc;
}
