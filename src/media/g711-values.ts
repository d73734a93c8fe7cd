import type { Law } from './g711.ts';

/** ITU-T G.711 table 1a, 16 bit: the magnitude of an A-law octet. */
export function alawMagnitude(octet: number): number {
  const bits = octet ^ 0x55;
  const segment = (bits >> 4) & 0x07;
  const step = ((bits & 0x0f) << 4) + 8;
  return segment === 0 ? step : (step + 0x100) << (segment - 1);
}

/** ITU-T G.711 table 2a, 16 bit: the magnitude of a µ-law octet. */
export function ulawMagnitude(octet: number): number {
  const bits = ~octet & 0x7f;
  return (((bits & 0x0f) << 3) + 0x84) * 2 ** (bits >> 4) - 0x84;
}

/** In both laws the first bit is set for values from zero up. */
const valuesOf = (magnitude: (octet: number) => number): Int16Array =>
  Int16Array.from({ length: 256 }, (_none, octet) => (octet & 0x80 ? 1 : -1) * magnitude(octet));

/** The 16-bit value of each octet of a law. */
export const SAMPLE_VALUES: Readonly<Record<Law, Int16Array>> = {
  PCMA: valuesOf(alawMagnitude),
  PCMU: valuesOf(ulawMagnitude),
};
