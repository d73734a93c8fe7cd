/** What a network does to packets, for tests. Probabilities from 0 to 1; the first and the last packet are spared. */
export interface Impairment {
  readonly loss?: number;
  readonly duplicate?: number;
  readonly reorder?: number;
  /** How many packets later a reordered one comes; 2 by default. */
  readonly reorderBy?: number;
  /** Equal seeds give equal faults. */
  readonly seed?: number;
}

export interface StreamStart {
  readonly ssrc: number;
  readonly sequence: number;
  readonly timestamp: number;
}

/** One packet and when it is due, in milliseconds from the start of the media. */
export interface PlannedPacket {
  readonly due: number;
  readonly sequence: number;
  readonly timestamp: number;
  /** Octets `from` to `to` of the audio are its payload. */
  readonly from: number;
  readonly to: number;
}

export interface StreamPlan {
  /** In order of sending. */
  readonly packets: readonly PlannedPacket[];
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
}

const PACKET_MS = 20;
/** Samples, and with G.711 octets, in a packet of 20 ms. */
export const PACKET_SAMPLES = 160;

/** A small seeded generator (xorshift32), so that a failing test can be repeated. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0 || 0x9e3779b9;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x1_0000_0000;
  };
}

type Fate = 'sent' | 'lost' | 'duplicated' | 'reordered';

/** How octets are cut into packets of 20 ms: their sizes in order, and the timestamp units from one to the next. */
export interface PacketShape {
  readonly sizes: readonly number[];
  readonly step: number;
}

/** Draws what happens to each packet. */
function drawFates(count: number, impairment: Impairment): readonly Fate[] {
  const random = seededRandom(impairment.seed ?? 1);
  return Array.from({ length: count }, (_none, index): Fate => {
    // Drawn for every packet and fault, so that changing one probability does not shift the other faults.
    const [loss, duplicate, reorder] = [random(), random(), random()];
    if (index === 0 || index === count - 1) return 'sent';
    if (loss < (impairment.loss ?? 0)) return 'lost';
    if (duplicate < (impairment.duplicate ?? 0)) return 'duplicated';
    return reorder < (impairment.reorder ?? 0) ? 'reordered' : 'sent';
  });
}

/** Cuts octets into 20 ms packets, G.711 where only their number is given, and decides the fate of each. The schedule is absolute, so it cannot drift. */
export function planStream(
  audio: number | PacketShape,
  start: Pick<StreamStart, 'sequence' | 'timestamp'>,
  startDelay: number,
  impairment: Impairment = {},
): StreamPlan {
  const { sizes, step } = typeof audio === 'number' ? g711Shape(audio) : audio;
  const fates = drawFates(sizes.length, impairment);
  let to = 0;
  const lateBy = (impairment.reorderBy ?? 2) * PACKET_MS + 1;
  const packets = fates.flatMap((fate, index): readonly PlannedPacket[] => {
    const from = to;
    to += sizes[index] ?? 0;
    const packet: PlannedPacket = {
      due: startDelay + index * PACKET_MS + (fate === 'reordered' ? lateBy : 0),
      sequence: (start.sequence + index) & 0xffff,
      timestamp: (start.timestamp + index * step) >>> 0,
      from,
      to,
    };
    if (fate === 'lost') return [];
    return fate === 'duplicated' ? [packet, { ...packet, due: packet.due + 1 }] : [packet];
  });
  const count = (fate: Fate): number => fates.filter((each) => each === fate).length;
  return {
    packets: packets.sort((a, b) => a.due - b.due),
    lost: count('lost'),
    duplicated: count('duplicated'),
    reordered: count('reordered'),
  };
}

const g711Shape = (octets: number): PacketShape => ({
  sizes: Array.from({ length: Math.ceil(octets / PACKET_SAMPLES) }, (_none, index) =>
    Math.min(PACKET_SAMPLES, octets - index * PACKET_SAMPLES),
  ),
  step: PACKET_SAMPLES,
});

/** The fixed RTP header (RFC 3550 §5.1). */
export function rtpHeader(
  packet: Pick<PlannedPacket, 'sequence' | 'timestamp'>,
  payloadType: number,
  ssrc: number,
  marker: boolean,
): Buffer {
  const header = Buffer.allocUnsafe(12);
  header[0] = 0x80;
  header[1] = (marker ? 0x80 : 0) | payloadType;
  header.writeUInt16BE(packet.sequence, 2);
  header.writeUInt32BE(packet.timestamp, 4);
  header.writeUInt32BE(ssrc, 8);
  return header;
}
