import { CLOCK_RATE } from './capture.ts';
import type { Framing, KeptPacket, Octets } from './kept-packet.ts';
import { pcapHeader } from './pcap.ts';

/** Packets of codecs without a file format of ours, as a capture file: its records carry the times, so gaps need nothing. */
export class DumpFraming implements Framing {
  readonly extension = 'pcap';
  readonly rate = CLOCK_RATE;
  readonly headerBytes = 0;
  position = 0;
  #begun = false;

  clone(): DumpFraming {
    const copy = new DumpFraming();
    copy.position = this.position;
    copy.#begun = this.#begun;
    return copy;
  }

  header(): Buffer {
    return Buffer.alloc(0);
  }

  packet(packet: KeptPacket, _channel: number, out: Octets): void {
    if (!this.#begun) out(pcapHeader());
    this.#begun = true;
    out(packet.octets);
    this.position = Math.max(this.position, packet.position + packet.ticks);
  }

  silence(position: number): void {
    this.position = Math.max(this.position, position);
  }

  close(): void {
    // Every record is complete.
  }
}
