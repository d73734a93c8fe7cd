import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { decode } from './ffmpeg.ts';

const run = promisify(execFile);

/** Rate at which speech is compared: all that a telephone carries. */
export const COMPARED_RATE = 8000;

/** Steps of the loudness by which a place is found roughly: 10 ms. */
const STEP = COMPARED_RATE / 100;
/** How far around that place it is looked for exactly: 30 ms. */
const AROUND = 3 * STEP;

/** A line of speech that nobody but the synthesiser has touched. */
export interface Utterance {
  readonly path: string;
  /** At COMPARED_RATE. */
  readonly samples: Int16Array;
}

/** Has espeak-ng read a text; the file stays in `folder`. */
export async function speakText(folder: string, voice: string, text: string): Promise<Utterance> {
  const path = join(folder, `${voice}.wav`);
  await run('espeak-ng', ['-v', voice, '-s', '160', '-w', path, text]);
  return { path, samples: decode(path, COMPARED_RATE) };
}

/**
 * Where in `heard` the utterance begins, in seconds, and how alike both are there: the correlation coefficient, 1 for the same wave at any
 * loudness and 0 for two that have nothing in common.
 */
export function findSpeech(heard: Int16Array, { samples }: Utterance): { at: number; likeness: number } {
  const roughly = bestShift(loudnessOf(heard), loudnessOf(samples)) * STEP;
  let [at, likeness] = [NaN, -1];
  for (let shift = Math.max(0, roughly - AROUND); shift <= roughly + AROUND; shift++) {
    const alike = correlation(heard, samples, shift);
    if (alike > likeness) [at, likeness] = [shift / COMPARED_RATE, alike];
  }
  return { at, likeness };
}

function loudnessOf(samples: Int16Array): Float64Array {
  const steps = new Float64Array(Math.floor(samples.length / STEP));
  for (let step = 0; step < steps.length; step++) {
    let energy = 0;
    for (let at = step * STEP; at < (step + 1) * STEP; at++) energy += (samples[at] ?? 0) ** 2;
    steps[step] = Math.sqrt(energy / STEP);
  }
  return steps;
}

function bestShift(whole: Float64Array, part: Float64Array): number {
  let [best, most] = [0, -1];
  for (let shift = 0; shift < whole.length; shift++) {
    const alike = correlation(whole, part, shift);
    if (alike > most) [best, most] = [shift, alike];
  }
  return best;
}

/** Of `part` with what stands at `shift` in `whole`; what lies behind its end counts as silence. */
function correlation(whole: ArrayLike<number>, part: ArrayLike<number>, shift: number): number {
  let [product, ofWhole, ofPart] = [0, 0, 0];
  for (let at = 0; at < part.length; at++) {
    const [one, other] = [whole[shift + at] ?? 0, part[at] ?? 0];
    product += one * other;
    ofWhole += one * one;
    ofPart += other * other;
  }
  return ofWhole === 0 || ofPart === 0 ? 0 : product / Math.sqrt(ofWhole * ofPart);
}
