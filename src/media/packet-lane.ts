import type { Codec } from './codec.ts';
import type { KeptPacket } from './kept-packet.ts';
import { LONGEST } from './leg-ring.ts';

/** The packets of one leg in one codec, by position, from the oldest that may still get a neighbour on. */
export class PacketLane {
  readonly line: number;
  readonly codec: Codec;
  #packets: KeptPacket[] = [];
  /** First position that is not final. */
  base: number;
  /** Counts changes, so that a file is only written when there is something new. */
  changes = 0;

  readonly #limit: number;

  /** `limit`: ticks it spans at most, as a ring does. */
  constructor(line: number, codec: Codec, base: number, limit = LONGEST) {
    this.#limit = Math.min(limit, LONGEST);
    this.line = line;
    this.codec = codec;
    this.base = base;
  }

  get packets(): readonly KeptPacket[] {
    return this.#packets;
  }

  /** Whether a packet that ends there can be kept. */
  reaches(end: number): boolean {
    return end - this.base <= this.#limit;
  }

  /** Keeps a packet in its place. */
  add(packet: KeptPacket): void {
    const packets = this.#packets;
    let at = packets.length;
    while (at > 0 && (packets[at - 1]?.position ?? 0) > packet.position) at--;
    if (at === packets.length) packets.push(packet);
    else packets.splice(at, 0, packet);
    this.changes++;
  }

  /** Moves every packet by so many positions. */
  move(by: number): void {
    this.#packets = this.#packets.map((packet) => ({ ...packet, position: packet.position + by }));
    this.changes++;
  }

  /** Goes back to `base`: only these packets are kept, and they are not final. */
  restore(base: number, packets: readonly KeptPacket[]): void {
    this.base = base;
    this.#packets = [...packets];
    this.changes++;
  }

  /** Lets go of the first `count` packets: they are final. */
  drop(count: number): void {
    this.#packets = this.#packets.slice(count);
  }
}
