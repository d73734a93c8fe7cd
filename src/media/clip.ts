import { SILENCE } from './g711-encoder.ts';
import { oggPackets } from './ogg-packets.ts';

/** What audio can be played in, by the RTP encoding names (RFC 3551, RFC 7587). */
export const CLIP_ENCODINGS = ['PCMA', 'PCMU', 'G722', 'OPUS'] as const;
export type ClipEncoding = (typeof CLIP_ENCODINGS)[number];

/** Milliseconds a frame, and so a packet, lasts. */
export const FRAME_MS = 20;

/** RTP timestamp units of a frame: the clock of G.722 runs at 8,000 Hz (RFC 3551 §4.5.2), that of Opus at 48,000. */
export const stepOf = (encoding: ClipEncoding): number => (encoding === 'OPUS' ? 960 : 160);

/**
 * Audio ready to be sent: one frame of 20 ms after the other. Its octets are in memory that threads share, so that playing it once more
 * copies nothing.
 */
export interface Clip {
  readonly encoding: ClipEncoding;
  readonly octets: Uint8Array;
  /** Where each frame ends in `octets`. */
  readonly ends: Uint32Array;
}

const FRAME_OCTETS = 160;

/** The clip of a file as an encoder wrote it: bare octets, for Opus an Ogg file with packets of 20 ms. A rest of a frame is filled up or dropped. */
export function clipOf(encoding: ClipEncoding, file: Uint8Array): Clip {
  if (encoding === 'OPUS') return framed(encoding, oggPackets(file).slice(2));
  const whole = Math.floor(file.length / FRAME_OCTETS);
  const rest = file.subarray(whole * FRAME_OCTETS);
  const frames = Array.from({ length: whole }, (_, at) =>
    file.subarray(at * FRAME_OCTETS, (at + 1) * FRAME_OCTETS),
  );
  if (rest.length === 0 || encoding === 'G722') return framed(encoding, frames);
  const last = new Uint8Array(FRAME_OCTETS).fill(SILENCE[encoding]);
  last.set(rest);
  return framed(encoding, [...frames, last]);
}

function framed(encoding: ClipEncoding, frames: readonly Uint8Array[]): Clip {
  const total = frames.reduce((sum, { length }) => sum + length, 0);
  const octets = new Uint8Array(new SharedArrayBuffer(total));
  const ends = new Uint32Array(new SharedArrayBuffer(frames.length * Uint32Array.BYTES_PER_ELEMENT));
  let end = 0;
  for (const [at, frame] of frames.entries()) {
    octets.set(frame, end);
    end += frame.length;
    ends[at] = end;
  }
  return { encoding, octets, ends };
}
