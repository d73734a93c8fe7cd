import type { LegLane } from './leg-lane.ts';

/** Samples of one channel moved at once. The buffers serve every capture of the thread. */
const CHANNEL_SAMPLES = 128 * 1024;
const left = new Int32Array(CHANNEL_SAMPLES / 4);
const right = new Int32Array(CHANNEL_SAMPLES / 4);
const both = new Int32Array(CHANNEL_SAMPLES / 2);
const LEFT = Buffer.from(left.buffer);
const RIGHT = Buffer.from(right.buffer);
const SCRATCH = Buffer.from(both.buffer);

/** How many samples of so many channels fit through at once. */
export const samplesAtOnce = (channels: number): number => Math.floor(SCRATCH.length / Math.max(2, channels));

/** One channel: a lane, or silence in the file's law where the leg has sent nothing. */
export type Channel = LegLane | undefined;

/**
 * Brings `[from, to)` of one or two channels into file order. The result is valid until the next call and begins with the
 * octets asked for; it is longer.
 */
export function interleave(channels: readonly Channel[], silence: number, from: number, to: number): Buffer {
  if (channels.length === 1) {
    copyChannel(channels[0], SCRATCH, silence, { from, to });
    return SCRATCH;
  }
  copyChannel(channels[0], LEFT, silence, { from, to });
  copyChannel(channels[1], RIGHT, silence, { from, to });
  zip((to - from + 3) >> 2);
  return SCRATCH;
}

/**
 * Four samples of either side become eight octets of the file. Octet by octet this was the most expensive step behind the
 * receiver; in words it takes half the time.
 *
 *     left  l0 l1 l2 l3   right  r0 r1 r2 r3   both  l0 r0 l1 r1  l2 r2 l3 r3
 */
function zip(words: number): void {
  for (let word = 0, at = 0; word < words; word++, at += 2) {
    const l = left[word] ?? 0;
    const r = right[word] ?? 0;
    both[at] = spread(l & 0xffff) | (spread(r & 0xffff) << 8);
    both[at + 1] = spread(l >>> 16) | (spread(r >>> 16) << 8);
  }
}

/** Two octets with an empty one behind each. */
const spread = (pair: number): number => (pair | (pair << 8)) & 0x00ff00ff;

function copyChannel(
  lane: Channel,
  target: Buffer,
  silence: number,
  { from, to }: { readonly from: number; readonly to: number },
): void {
  if (lane === undefined) {
    target.fill(silence, 0, to - from);
    return;
  }
  const audible = Math.min(Math.max(lane.ring.base, from), to);
  if (audible > from) target.fill(silence, 0, audible - from);
  lane.ring.read(audible, to, target, audible - from);
}

/** Takes one channel out of `count` frames of `channels` octets, in place. */
export function pickChannel(octets: Buffer, count: number, channels: number, channel: number): void {
  for (let frame = 0, at = channel; frame < count; frame++, at += channels) octets[frame] = octets[at] ?? 0;
}

/** The same scratch, for reading back. */
export const scratch = (): Buffer => SCRATCH;
