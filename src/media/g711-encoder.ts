/** The two laws of ITU-T G.711, by their RTP encoding names (RFC 3551 §4.5.14). */
export type Law = 'PCMA' | 'PCMU';

/** Static RTP payload numbers (RFC 3551 table 4). */
export const PAYLOAD_TYPE: Readonly<Record<Law, number>> = { PCMA: 8, PCMU: 0 };

/** The octet of a sample of value zero. */
export const SILENCE: Readonly<Record<Law, number>> = { PCMA: 0xd5, PCMU: 0xff };

const MU_BIAS = 0x84;
const MU_CLIP = 32635;

/** Compresses one 16-bit sample to A-law (G.711 table 1a; even bits inverted). */
export function pcmToAlaw(sample: number): number {
  const sign = sample >= 0 ? 0x80 : 0;
  // Below zero the intervals are mirrored, and each one excludes its lower end.
  const magnitude = Math.min(sample >= 0 ? sample : -sample - 1, 32767) >> 4;
  const exponent = magnitude < 32 ? (magnitude < 16 ? 0 : 1) : 28 - Math.clz32(magnitude);
  const mantissa = (exponent < 2 ? magnitude : magnitude >> (exponent - 1)) & 0x0f;
  return (sign | (exponent << 4) | mantissa) ^ 0x55;
}

/** Compresses one 16-bit sample to µ-law (G.711 table 2a; all bits inverted). */
export function pcmToUlaw(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(Math.abs(sample), MU_CLIP) + MU_BIAS;
  const exponent = 24 - Math.clz32(magnitude);
  const mantissa = (magnitude >> (exponent + 3)) & 0x0f;
  return ~(sign | (exponent << 4) | mantissa) & 0xff;
}

/** Encodes samples (16 bit, 8 kHz) as G.711 octets, one each. */
export function encode(samples: Int16Array, law: Law): Buffer {
  const toOctet = law === 'PCMA' ? pcmToAlaw : pcmToUlaw;
  const octets = Buffer.allocUnsafe(samples.length);
  samples.forEach((sample, index) => {
    octets[index] = toOctet(sample);
  });
  return octets;
}
