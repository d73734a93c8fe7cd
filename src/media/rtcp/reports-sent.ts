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
/** The item of a source description that names it for good. */
const CNAME = 1;
const VERSION = 0x80;
/** Blocks that fit into one report. */
const BLOCKS = 31;

/** Octets of a block, and of the head of a packet with the SSRC behind it. */
const BLOCK_BYTES = 24;
const HEAD_BYTES = 8;

/** A compound packet of a receiver: its report, its name, and that it leaves when it does (RFC 3550 §6.1). */
export function receiverReport(
  own: { readonly ssrc: number; readonly name: string },
  blocks: readonly ReportBlock[],
  leaves = false,
): Buffer {
  const told = Math.min(blocks.length, BLOCKS);
  const name = Math.min(own.name.length, 255);
  // SSRC, one item and at least one zero behind it, up to a whole word.
  const chunk = (4 + 2 + name + 4) & ~3;
  const described = HEAD_BYTES + told * BLOCK_BYTES;
  const end = described + 4 + chunk;
  const bytes = Buffer.allocUnsafe(leaves ? end + HEAD_BYTES : end);
  putHead(bytes, 0, { count: told, type: RECEIVER_REPORT, body: described - 4, ssrc: own.ssrc });
  for (let index = 0, at = HEAD_BYTES; index < told; index++, at += BLOCK_BYTES) {
    const block = blocks[index];
    if (block !== undefined) putBlock(bytes, at, block);
  }
  putHead(bytes, described, { count: 1, type: SOURCE_DESCRIPTION, body: chunk, ssrc: own.ssrc });
  bytes[described + 8] = CNAME;
  bytes[described + 9] = name;
  bytes.fill(0, described + 10 + bytes.write(own.name, described + 10, name, 'latin1'), end);
  if (leaves) putHead(bytes, end, { count: 1, type: BYE, body: 4, ssrc: own.ssrc });
  return bytes;
}

function putBlock(bytes: Buffer, at: number, block: ReportBlock): void {
  const { lastReport } = block;
  bytes.writeUInt32BE(block.ssrc, at);
  bytes.writeUInt8(Math.min(255, Math.max(0, Math.floor(block.fractionLost * 256))), at + 4);
  bytes.writeIntBE(Math.min(0x7f_ffff, Math.max(-0x80_0000, block.lost)), at + 5, 3);
  bytes.writeUInt32BE(block.highest % 0x1_0000_0000, at + 8);
  bytes.writeUInt32BE(Math.min(0xffff_ffff, Math.round(block.jitter)), at + 12);
  const ago = Math.round((lastReport?.ago ?? 0) * 65.536);
  bytes.writeUInt32BE(lastReport?.middle ?? 0, at + 16);
  bytes.writeUInt32BE(Math.min(0xffff_ffff, Math.max(0, ago)), at + 20);
}

/** The head of a packet with `body` octets behind its first word, of which the first four are an SSRC. */
function putHead(
  bytes: Buffer,
  at: number,
  head: { readonly count: number; readonly type: number; readonly body: number; readonly ssrc: number },
): void {
  bytes[at] = VERSION | head.count;
  bytes[at + 1] = head.type;
  bytes.writeUInt16BE(head.body / 4, at + 2);
  bytes.writeUInt32BE(head.ssrc >>> 0, at + 4);
}
