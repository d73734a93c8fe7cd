import type { Law } from './g711.ts';
import { SAMPLE_VALUES } from './g711-values.ts';

/** Lower and upper frequencies in Hz (ITU-T Q.23), and the key each pair stands for. */
const LOW = [697, 770, 852, 941];
const HIGH = [1209, 1336, 1477, 1633];
const KEYS = ['123A', '456B', '789C', '*0#D'];

/** Samples a second. */
const RATE = 8000;
/** Samples looked at together, 20 ms, and between two looks, 5 ms. */
const WINDOW = 160;
const HOP = 40;
/** Looks that must show the whole of a tone: a key of 40 ms gives five, one of 33 ms may give four (Q.24: 40 ms must, 23 ms must not be heard). */
const LOOKS = 4;
/** Looks without the tone that end a key; a click inside it does not make two of it. */
const RELEASE = 4;

/** Mean square below which nobody dials: about −38 dBm0. */
const QUIET = 40_000;
/** The upper tone may be so much stronger than the lower one, and the lower than the upper (Q.24: 4 and 8 dB). */
const TWIST = 10 ** 0.4;
const REVERSE_TWIST = 10 ** 0.8;
/** Every other tone of the group is weaker by 8 dB; speech has its energy everywhere. */
const RELATIVE_PEAK = 10 ** 0.8;
/** Part of the whole energy that is in the two tones; the tolerance of 1.5 % takes up to a quarter from them. */
const PURITY = 0.62;
/** The second harmonic of a tone; a vowel at the same pitch has a strong one. */
const HARMONIC = 0.06;
/** A look shows the whole tone when both its parts are as strong as this part of the strongest one. */
const STEADY = 0.7;

/** 2 cos(2πf/8000), see `power`. */
const coefficient = (frequency: number): number => 2 * Math.cos((2 * Math.PI * frequency) / RATE);
const LOW_COEFFICIENTS = LOW.map(coefficient);
const HIGH_COEFFICIENTS = HIGH.map(coefficient);
const LOW_HARMONICS = LOW.map((frequency) => coefficient(2 * frequency));
const HIGH_HARMONICS = HIGH.map((frequency) => coefficient(2 * frequency));

interface Look {
  readonly key: string;
  readonly low: number;
  readonly high: number;
}

/** A key that somebody holds down. */
interface Held {
  readonly key: string;
  /** Position of the first sample that may belong to it. */
  readonly from: number;
  readonly looks: Look[];
  told: boolean;
  missed: number;
}

/**
 * The keys of one leg, out of tones in its G.711 audio (ITU-T Q.23, Q.24), by Goertzel's algorithm. It is made not to take speech for a key:
 * a false stop loses what had to be kept, and a key that is not heard is dialled again.
 */
export class InBandTones {
  readonly #told: (key: string, position: number) => void;
  readonly #window = new Float64Array(WINDOW);
  #filled = 0;
  /** Position of the next sample. */
  #next = -1;
  #held: Held | undefined;

  /** `told`: a key, and the position where it began, never later than that and up to 25 ms earlier. */
  constructor(told: (key: string, position: number) => void) {
    this.#told = told;
  }

  /** Takes the octets of a packet whose first sample is at `position`. What does not continue the one before begins anew; older ones are passed over. */
  take(octets: Uint8Array, law: Law, position: number): void {
    if (position !== this.#next) {
      if (position < this.#next && this.#next - position < RATE) return;
      this.#begin();
    }
    const values = SAMPLE_VALUES[law];
    for (let index = 0; index < octets.length; index++) {
      this.#window[this.#filled++] = values[octets[index] ?? 0] ?? 0;
      if (this.#filled < WINDOW) continue;
      this.#look(position + index + 1 - WINDOW);
      this.#window.copyWithin(0, HOP);
      this.#filled = WINDOW - HOP;
    }
    this.#next = position + octets.length;
  }

  #begin(): void {
    this.#filled = 0;
    this.#held = undefined;
  }

  #look(from: number): void {
    const look = lookAt(this.#window);
    const held = this.#held;
    if (held !== undefined && look?.key !== held.key) {
      held.missed++;
      if (!held.told || held.missed >= RELEASE || look !== undefined) this.#held = undefined;
    }
    if (look === undefined) return;
    const going = (this.#held ??= {
      key: look.key,
      // It may have begun right after the look before.
      from: Math.max(0, from - HOP),
      looks: [],
      told: false,
      missed: 0,
    });
    going.missed = 0;
    if (going.told) return;
    going.looks.push(look);
    if (!isHeldDown(going.looks)) return;
    going.told = true;
    this.#told(going.key, going.from);
  }
}

/** Whether enough looks show the tone in its full and steady strength: those at its edges show a part of it only. */
function isHeldDown(looks: readonly Look[]): boolean {
  if (looks.length < LOOKS) return false;
  const low = Math.max(...looks.map((look) => look.low));
  const high = Math.max(...looks.map((look) => look.high));
  return looks.filter((look) => look.low >= STEADY * low && look.high >= STEADY * high).length >= LOOKS;
}

/** The key that sounds in a window, if nothing else does. */
function lookAt(window: Float64Array): Look | undefined {
  let energy = 0;
  for (let at = 0; at < WINDOW; at++) energy += (window[at] ?? 0) ** 2;
  if (energy < QUIET * WINDOW) return undefined;
  const low = strongest(window, LOW_COEFFICIENTS);
  if (low === undefined) return undefined;
  const high = strongest(window, HIGH_COEFFICIENTS);
  if (high === undefined) return undefined;
  if (!isPure(window, energy, { low, high })) return undefined;
  return { key: KEYS[low.index]?.[high.index] ?? '', low: low.power, high: high.power };
}

/** Nothing but these two sounds, about equally strong. */
function isPure(
  window: Float64Array,
  energy: number,
  { low, high }: { readonly low: Tone; readonly high: Tone },
): boolean {
  if (high.power > low.power * TWIST || low.power > high.power * REVERSE_TWIST) return false;
  // The power of a tone that has all the energy is N/2 times that energy.
  if (low.power + high.power < (PURITY * energy * WINDOW) / 2) return false;
  return (
    power(window, LOW_HARMONICS[low.index] ?? 0) <= HARMONIC * low.power &&
    power(window, HIGH_HARMONICS[high.index] ?? 0) <= HARMONIC * high.power
  );
}

/** One frequency of a group. */
interface Tone {
  readonly index: number;
  readonly power: number;
}

/** The strongest tone of a group, where it stands out from the others. */
function strongest(window: Float64Array, coefficients: readonly number[]): Tone | undefined {
  const powers = coefficients.map((each) => power(window, each));
  const most = Math.max(...powers);
  const index = powers.indexOf(most);
  const apart = powers.every((each, other) => other === index || each * RELATIVE_PEAK <= most);
  return apart ? { index, power: most } : undefined;
}

/** Goertzel: the squared magnitude of one frequency in the window. */
function power(window: Float64Array, factor: number): number {
  let before = 0;
  let last = 0;
  // Not for-of: its iterator would cost more than the arithmetic.
  for (let at = 0; at < WINDOW; at++) {
    const next = (window[at] ?? 0) + factor * last - before;
    before = last;
    last = next;
  }
  return before * before + last * last - factor * before * last;
}
