/** A packet as its lane keeps it until it is written. */
export interface KeptPacket {
  /** Where it begins on the timeline, and how long it lasts, in ticks of CLOCK_RATE. */
  readonly position: number;
  readonly ticks: number;
  /** The payload; of a dump the whole packet, as an IP packet would carry it. */
  readonly octets: Buffer;
}

/** Collects what a framing writes, in order. */
export type Octets = (octets: Uint8Array) => void;

/**
 * How packets become the octets of a file, from position 0 on. Holds how far it has come; a clone goes its own way, so that what may
 * still change can be written and written again.
 */
export interface Framing {
  /** Of the file's name. */
  readonly extension: 'wav' | 'opus' | 'pcap';
  /** Samples a second of the file. */
  readonly rate: number;
  /** Octets before the audio that are rewritten as the file grows; 0 when there are none. */
  readonly headerBytes: number;
  /** First position not yet written. */
  readonly position: number;
  clone(): Framing;
  /** The header of a file whose audio takes so many octets. */
  header(octets: number): Buffer;
  /** Writes a packet, and what stands for the gap before it. Packets of a channel come in order and do not overlap. */
  packet(packet: KeptPacket, channel: number, out: Octets): void;
  /** Writes what stands for silence up to `position`, as far as whole frames go. */
  silence(position: number, out: Octets): void;
  /** Writes what is still held back; `ends`: nothing comes after it. */
  close(ends: boolean, out: Octets): void;
}
