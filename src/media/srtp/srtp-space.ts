import { MAX_PACKET, type SrtpEngine } from './engine.ts';
import { KeystreamSpace } from './keystream.ts';

/** The engine of a thread and what its contexts share with it. */
export interface SrtpSpace {
  readonly engine: SrtpEngine;
  readonly keystream: KeystreamSpace;
}

export const srtpSpace = (engine: SrtpEngine): SrtpSpace => ({
  engine,
  keystream: new KeystreamSpace(engine),
});

const RTP_HEADER = 12;

/** Length of the RTP header with its CSRC list and extension, which stay clear; -1 when this is no RTP. */
export function headerEnd(bytes: Buffer, start: number, end: number): number {
  const size = end - start;
  const first = bytes[start] ?? 0;
  if (size < RTP_HEADER || size > MAX_PACKET || first >> 6 !== 2) return -1;
  let text = RTP_HEADER + (first & 0x0f) * 4;
  if ((first & 0x10) !== 0) {
    if (size < text + 4) return -1;
    text += 4 + bytes.readUInt16BE(start + text + 2) * 4;
  }
  return text <= size ? text : -1;
}
