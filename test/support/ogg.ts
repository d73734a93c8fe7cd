import { readFileSync } from 'node:fs';

export interface OggFile {
  /** Of each page. */
  readonly granules: readonly number[];
  readonly flags: readonly number[];
  /** Without the two headers. */
  readonly packets: readonly Buffer[];
  readonly headers: readonly Buffer[];
}

/** Takes the packets out of an Ogg file with one stream, by walking its pages (RFC 3533 §6). Knows nothing of how ours are written. */
export function readOgg(path: string): OggFile {
  const bytes = readFileSync(path);
  const [granules, flags, packets]: [number[], number[], Buffer[]] = [[], [], []];
  let open: Buffer[] = [];
  for (let at = 0, sequence = 0; at < bytes.length; sequence++) {
    if (bytes.toString('latin1', at, at + 4) !== 'OggS') throw new Error(`${path}: no page at ${at}`);
    if (bytes.readUInt32LE(at + 18) !== sequence) throw new Error(`${path}: page ${sequence} is out of turn`);
    flags.push(bytes[at + 5] ?? 0);
    granules.push(Number(bytes.readBigInt64LE(at + 6)));
    const segments = bytes[at + 26] ?? 0;
    let data = at + 27 + segments;
    for (const lacing of bytes.subarray(at + 27, data)) {
      open.push(bytes.subarray(data, data + lacing));
      data += lacing;
      if (lacing === 255) continue;
      packets.push(Buffer.concat(open));
      open = [];
    }
    at = data;
  }
  return { granules, flags, headers: packets.slice(0, 2), packets: packets.slice(2) };
}
