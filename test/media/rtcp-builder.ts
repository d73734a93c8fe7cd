const NTP_EPOCH = 2_208_988_800;

function packet(count: number, type: number, body: Buffer): Buffer {
  const head = Buffer.from([0x80 | count, type, 0, 0]);
  head.writeUInt16BE(body.length / 4, 2);
  return Buffer.concat([head, body]);
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

export interface SaidOfASource {
  readonly ssrc: number;
  /** Epoch ms, and the RTP time of the same moment. */
  readonly wallClock: number;
  readonly timestamp: number;
  readonly packets?: number;
  readonly name?: string;
}

/** SR and SDES in one compound packet, as clients send it. */
export function senderReport(said: SaidOfASource): Buffer {
  const seconds = Math.floor(said.wallClock / 1000);
  const body = Buffer.concat([
    word(said.ssrc),
    word(seconds + NTP_EPOCH),
    word(Math.round((said.wallClock / 1000 - seconds) * 2 ** 32)),
    word(said.timestamp),
    word(said.packets ?? 0),
    word((said.packets ?? 0) * 160),
  ]);
  return Buffer.concat([packet(0, 200, body), description(said.ssrc, said.name ?? 'src@client')]);
}

export function description(ssrc: number, name: string): Buffer {
  const item = Buffer.concat([word(ssrc), Buffer.from([1, name.length]), Buffer.from(name, 'latin1')]);
  return packet(1, 202, Buffer.concat([item, Buffer.alloc(4 - (item.length % 4))]));
}

export const bye = (...ssrcs: number[]): Buffer => packet(ssrcs.length, 203, Buffer.concat(ssrcs.map(word)));
export const receiverReport = (ssrc: number): Buffer => packet(0, 201, word(ssrc));
export const application = (ssrc: number): Buffer =>
  packet(3, 204, Buffer.concat([word(ssrc), Buffer.from('test')]));

export interface ReadBlock {
  readonly ssrc: number;
  readonly fraction: number;
  readonly lost: number;
  readonly highest: number;
  readonly jitter: number;
  readonly lsr: number;
  readonly dlsr: number;
}

/** What is in a compound packet of ours, read by the letter of RFC 3550 and not by the code under test. */
export function readOurs(bytes: Buffer): {
  readonly types: readonly number[];
  readonly ssrc: number;
  readonly blocks: readonly ReadBlock[];
  readonly name: string;
} {
  const types: number[] = [];
  const blocks: ReadBlock[] = [];
  let name = '';
  for (let at = 0; at < bytes.length; at += 4 + bytes.readUInt16BE(at + 2) * 4) {
    const type = bytes.readUInt8(at + 1);
    types.push(type);
    if (type === 202) name = bytes.toString('latin1', at + 10, at + 10 + bytes.readUInt8(at + 9));
    if (type !== 201) continue;
    for (let block = 0; block < (bytes.readUInt8(at) & 0x1f); block++) {
      const from = at + 8 + block * 24;
      blocks.push({
        ssrc: bytes.readUInt32BE(from),
        fraction: bytes.readUInt8(from + 4),
        lost: bytes.readIntBE(from + 5, 3),
        highest: bytes.readUInt32BE(from + 8),
        jitter: bytes.readUInt32BE(from + 12),
        lsr: bytes.readUInt32BE(from + 16),
        dlsr: bytes.readUInt32BE(from + 20),
      });
    }
  }
  return { types, ssrc: bytes.readUInt32BE(4), blocks, name };
}
