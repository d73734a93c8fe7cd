/** How far `to` lies after `from` on the circle of 16-bit sequence numbers: -32768 to 32767. */
export const sequenceDistance = (from: number, to: number): number => ((to - from) << 16) >> 16;

/** How far `to` lies after `from` on the circle of 32-bit timestamps: -2^31 to 2^31 - 1 (74 hours of G.711 each way). */
export const timestampDistance = (from: number, to: number): number => (to - from) | 0;
