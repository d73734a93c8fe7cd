import { type EngineMemory, MAX_PACKET, type SrtpEngine } from './engine.ts';

/** What all contexts of a thread share: its engine, a place for counter blocks, and the key stream that was made last. */
export class SrtpSpace {
  readonly engine: SrtpEngine;
  readonly counters: EngineMemory;
  readonly stream: EngineMemory;
  /** So many packets of one source come now, as far as is known, the present one among them. */
  coming = 1;
  /** Whose key stream there is, from which packet on, for how many packets, and how many blocks for each. */
  readonly made = { source: undefined as object | undefined, first: 0, count: 0, stride: 0 };

  constructor(engine: SrtpEngine) {
    this.engine = engine;
    this.counters = engine.allocate(engine.work.bytes.length);
    this.stream = engine.allocate(engine.work.bytes.length);
  }

  /** Overwrites the key stream. */
  erase(): void {
    this.stream.bytes.fill(0);
    this.made.source = undefined;
  }
}

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
