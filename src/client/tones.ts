import { encode, type Law } from '../media/g711-encoder.ts';

/** Samples a second of G.711. */
const SAMPLE_RATE = 8000;

const TURN_SECONDS = 1.5;
const SYLLABLES_PER_SECOND = 4;
const LOUDNESS = 9000;

export interface Voice {
  /** Hertz; a pure tone can be found again in the recording. */
  readonly frequency: number;
  /** 0 speaks in the even turns of 1.5 s, 1 in the odd ones, as two people who talk to each other. */
  readonly turn: 0 | 1;
}

export const CALLER_VOICE: Voice = { frequency: 440, turn: 0 };
export const CALLEE_VOICE: Voice = { frequency: 620, turn: 1 };

/**
 * Audio for one leg of a test call: a tone in syllables while it is this voice's turn, a quiet tone (-30 dB) in the other's, so
 * that no packet consists of silence octets and a misplaced one can be told.
 */
export const speakTones = (voice: Voice, seconds: number, law: Law): Buffer =>
  encode(toneSamples(voice, seconds, SAMPLE_RATE), law);

/** The same as samples of 16 bit. */
export function toneSamples(voice: Voice, seconds: number, rate: number): Int16Array {
  const samples = new Int16Array(Math.round(seconds * rate));
  for (let index = 0; index < samples.length; index++) {
    const time = index / rate;
    const speaking = Math.floor(time / TURN_SECONDS) % 2 === voice.turn;
    const syllable = speaking ? 0.55 - 0.45 * Math.cos(2 * Math.PI * SYLLABLES_PER_SECOND * time) : 0.03;
    samples[index] = Math.round(LOUDNESS * syllable * Math.sin(2 * Math.PI * voice.frequency * time));
  }
  return samples;
}
