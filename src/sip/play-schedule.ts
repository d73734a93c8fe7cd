import { FRAME_MS } from '../media/clip.ts';

/** How often and how long something is played (RFC 4240 §3); times in milliseconds. */
export interface PlayPlan {
  /** `Infinity`: until somebody hangs up. */
  readonly repeat: number;
  /** Of silence between two times. */
  readonly delay: number;
  /** After which it ends, wherever it is. */
  readonly duration: number;
}

export const ONCE: PlayPlan = { repeat: 1, delay: 0, duration: Infinity };

/** What belongs to a 20 ms tick: a frame to send, nothing between two times, or the end. */
export type Tick = number | 'pause' | 'end';

/** Tick `at` (from 0) of a clip with so many frames. Pure. */
export function tickAt(at: number, frames: number, { repeat, delay, duration }: PlayPlan): Tick {
  if (frames === 0 || at * FRAME_MS >= duration) return 'end';
  const round = frames + Math.round(delay / FRAME_MS);
  const time = Math.floor(at / round);
  const within = at % round;
  if (time >= repeat) return 'end';
  if (within < frames) return within;
  // After the last time there is nothing to wait for.
  return time + 1 >= repeat ? 'end' : 'pause';
}
