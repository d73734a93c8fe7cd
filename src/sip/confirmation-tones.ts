import { encode } from '../media/g711-encoder.ts';
import type { Law } from '../media/g711.ts';
import { clipOf, type Clip } from '../media/clip.ts';

export type Confirmation = 'logged-in' | 'logged-out' | 'refused';

/** Hertz and seconds; 0 Hz is a pause. Rising means in, falling out, low and long no. */
const NOTES: Readonly<Record<Confirmation, readonly (readonly [frequency: number, seconds: number])[]>> = {
  'logged-in': [
    [0, 0.2],
    [523, 0.2],
    [0, 0.06],
    [784, 0.4],
    [0, 0.2],
  ],
  'logged-out': [
    [0, 0.2],
    [784, 0.2],
    [0, 0.06],
    [523, 0.4],
    [0, 0.2],
  ],
  refused: [
    [0, 0.2],
    [220, 0.35],
    [0, 0.1],
    [220, 0.35],
    [0, 0.2],
  ],
};

const RATE = 8000;
const LOUDNESS = 6000;

/** What a person hears who pressed a key. */
export function confirmationTones(what: Confirmation, law: Law): Clip {
  const samples = NOTES[what].flatMap(([frequency, seconds]) =>
    Array.from({ length: Math.round(seconds * RATE) }, (_, at) =>
      Math.round(LOUDNESS * Math.sin((2 * Math.PI * frequency * at) / RATE)),
    ),
  );
  return clipOf(law, encode(Int16Array.from(samples), law));
}
