/** How one source is received (RFC 3550 §6.4.1). */
export interface ReportBlock {
  readonly ssrc: number;
  /** Share of the packets lost since the report before, 0 to 1. */
  readonly fractionLost: number;
  readonly lost: number;
  /** Highest sequence number, its turns in the upper half. */
  readonly highest: number;
  /** In ticks of its RTP clock. */
  readonly jitter: number;
  /** Of its last sender report: the middle of the NTP time, and the ms since it came. */
  readonly lastReport?: { readonly middle: number; readonly ago: number } | undefined;
}

const RECEIVER_REPORT = 201;
const SOURCE_DESCRIPTION = 202;
const BYE = 203;
const VERSION = 0x80;
/** Blocks that fit into one report. */
const BLOCKS = 31;

/** A compound packet of a receiver: its report, its name, and that it leaves when it does (RFC 3550 §6.1). */
export function receiverReport(
  own: { readonly ssrc: number; readonly name: string },
  blocks: readonly ReportBlock[],
  leaves = false,
): Buffer {
  const told = blocks.slice(0, BLOCKS);
  return Buffer.concat([
    head(told.length, RECEIVER_REPORT, 4 + told.length * 24),
    words(own.ssrc),
    ...told.map(blockBytes),
    nameBytes(own),
    ...(leaves ? [head(1, BYE, 4), words(own.ssrc)] : []),
  ]);
}

function blockBytes(block: ReportBlock): Buffer {
  const bytes = Buffer.alloc(24);
  bytes.writeUInt32BE(block.ssrc, 0);
  bytes.writeUInt8(Math.min(255, Math.max(0, Math.floor(block.fractionLost * 256))), 4);
  bytes.writeIntBE(Math.min(0x7f_ffff, Math.max(-0x80_0000, block.lost)), 5, 3);
  bytes.writeUInt32BE(block.highest % 0x1_0000_0000, 8);
  bytes.writeUInt32BE(Math.min(0xffff_ffff, Math.round(block.jitter)), 12);
  const { lastReport } = block;
  if (lastReport === undefined) return bytes;
  bytes.writeUInt32BE(lastReport.middle, 16);
  bytes.writeUInt32BE(Math.min(0xffff_ffff, Math.max(0, Math.round(lastReport.ago * 65.536))), 20);
  return bytes;
}

/** One chunk with the canonical name and at least one zero behind it, up to a whole word. */
function nameBytes({ ssrc, name }: { readonly ssrc: number; readonly name: string }): Buffer {
  const text = Buffer.from(name, 'latin1').subarray(0, 255);
  const chunk = Buffer.alloc((4 + 2 + text.length + 4) & ~3);
  chunk.writeUInt32BE(ssrc, 0);
  chunk.writeUInt8(1, 4);
  chunk.writeUInt8(text.length, 5);
  text.copy(chunk, 6);
  return Buffer.concat([head(1, SOURCE_DESCRIPTION, chunk.length), chunk]);
}

function head(count: number, type: number, bodyBytes: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt8(VERSION | count, 0);
  bytes.writeUInt8(type, 1);
  bytes.writeUInt16BE(bodyBytes / 4, 2);
  return bytes;
}

function words(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}
