/** The smallest duration that Opus knows, 2.5 ms, in ticks of 8 kHz. */
export const OPUS_QUANTUM = 20;

/** Longest packet: 120 ms (RFC 6716 §3.2.5, R5). */
const LONGEST = 48 * OPUS_QUANTUM;

/** Frame durations of the 32 configurations in ticks of 8 kHz (RFC 6716 table 2). */
const FRAME_TICKS: readonly number[] = [
  ...[0, 1, 2].flatMap(() => [80, 160, 320, 480]),
  ...[0, 1].flatMap(() => [80, 160]),
  ...[0, 1, 2, 3].flatMap(() => [20, 40, 80, 160]),
];

/** How long an Opus packet lasts in ticks of 8 kHz; 0 when it is none (RFC 6716 §3.1, §3.4). */
export function opusTicks(octets: Uint8Array, start: number, end: number): number {
  if (end <= start) return 0;
  const toc = octets[start] ?? 0;
  const frame = FRAME_TICKS[toc >> 3] ?? 0;
  const code = toc & 0x03;
  const frames = code === 0 ? 1 : code < 3 ? 2 : end - start < 2 ? 0 : (octets[start + 1] ?? 0) & 0x3f;
  const ticks = frame * frames;
  return ticks > LONGEST ? 0 : ticks;
}

export const isOpusStereo = (toc: number): boolean => (toc & 0x04) !== 0;

/**
 * A packet without content: asks the decoder to conceal `ticks`, in the mode of the packet before (RFC 7845 §4.1). `ticks` is a
 * multiple of the quantum, at most 120 ms.
 */
export function concealment(toc: number, ticks: number): Buffer {
  const frame = FRAME_TICKS[toc >> 3] ?? OPUS_QUANTUM;
  if (ticks % frame === 0) return emptyFrames(toc & 0xfc, ticks / frame);
  // No whole number of frames of that mode: CELT of the same bandwidth has shorter ones.
  return emptyFrames(celtOf(toc, OPUS_QUANTUM), ticks / OPUS_QUANTUM);
}

/** Digital silence of `ticks`, a multiple of the quantum, at most 120 ms: CELT frames whose silence flag is set (RFC 6716 §4.3). */
export function opusSilence(stereo: boolean, ticks: number): Buffer {
  const size = [160, 80, 40, 20].find((candidate) => ticks % candidate === 0) ?? OPUS_QUANTUM;
  const toc = FULL_BAND | (SIZES.indexOf(size) << 3) | (stereo ? 0x04 : 0);
  const count = ticks / size;
  if (count === 1) return Buffer.from([toc, ...SILENT_FRAME]);
  return Buffer.from([toc | 0x03, count, ...Array.from({ length: count }, () => SILENT_FRAME).flat()]);
}

/** Configuration 28, the shortest of CELT full band. */
const FULL_BAND = 28 << 3;
const SIZES: readonly number[] = [20, 40, 80, 160];
const SILENT_FRAME: readonly number[] = [0xff, 0xfe];

function emptyFrames(toc: number, count: number): Buffer {
  return count === 1 ? Buffer.from([toc]) : Buffer.from([toc | 0x03, count]);
}

/** The CELT configuration of a packet's bandwidth with another frame size: narrow, wide, super-wide, full band. */
function celtOf(toc: number, ticks: number): number {
  const configuration = toc >> 3;
  const band = configuration >= 16 ? (configuration - 16) >> 2 : CELT_BAND[configuration >> 2];
  return ((16 + (band ?? 0) * 4 + SIZES.indexOf(ticks)) << 3) | (toc & 0x04);
}

/** CELT has no medium band; hybrid is super-wide or full. */
const CELT_BAND: readonly number[] = [0, 1, 1, 3];
