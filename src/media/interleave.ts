import { SILENCE } from './g711.ts';
import type { LegLane } from './leg-lane.ts';

/** Octets moved at once; one buffer serves every capture of the thread. */
const SCRATCH = Buffer.alloc(256 * 1024);

/** How many samples of so many channels fit through at once. */
export const samplesAtOnce = (channels: number): number => SCRATCH.length / channels;

/** One channel: a lane, or silence in the file's law where the leg has sent nothing. */
export type Channel = LegLane | undefined;

/**
 * Brings `[from, to)` of all channels into file order. The result is valid until the next call and begins with the octets
 * asked for; it may be longer.
 */
export function interleave(channels: readonly Channel[], silence: number, from: number, to: number): Buffer {
  const step = channels.length;
  channels.forEach((lane, channel) => {
    const audible = lane === undefined ? to : Math.min(Math.max(lane.ring.base, from), to);
    for (let position = from, at = channel; position < audible; position++, at += step) SCRATCH[at] = silence;
    if (lane !== undefined) copyLane(lane, (audible - from) * step + channel, step, { from: audible, to });
  });
  return SCRATCH;
}

function copyLane(lane: LegLane, at: number, step: number, span: { from: number; to: number }): void {
  const { octets, base } = lane.ring;
  const mask = octets.length - 1;
  const held = Math.min(span.to, base + octets.length);
  let target = at;
  for (let position = span.from; position < held; position++, target += step)
    SCRATCH[target] = octets[position & mask] ?? 0;
  // Beyond what the ring spans nothing can have arrived.
  for (let position = Math.max(held, span.from); position < span.to; position++, target += step)
    SCRATCH[target] = SILENCE[lane.law];
}

/** Takes one channel out of `count` frames of `channels` octets, in place. */
export function pickChannel(octets: Buffer, count: number, channels: number, channel: number): void {
  for (let frame = 0, at = channel; frame < count; frame++, at += channels) octets[frame] = octets[at] ?? 0;
}

/** The same scratch, for reading back. */
export const scratch = (): Buffer => SCRATCH;
