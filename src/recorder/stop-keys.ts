import { CUT_REACH, KEY_PAUSE, type CaptureRequest, type PressedKey } from '../media/capture.ts';

/** What a caller dials to have the recording stopped, and what else is done with keys. */
export interface KeySettings {
  /** For example `*1`. */
  readonly sequence: string;
  /** Whether keys are noted in the log; a PIN may be among them. */
  readonly keep: boolean;
  /** Whether keys are heard as tones in the audio too. Default no. */
  readonly tones?: boolean;
}

export const USUAL_KEYS: KeySettings = { sequence: '*1', keep: false };

/** What a capture has to know about keys: whether it may be stopped by them, and by which. */
export const cutOf = (
  mayStop: boolean,
  { sequence, tones }: KeySettings = USUAL_KEYS,
): Pick<CaptureRequest, 'mayBeCut' | 'stopKeys' | 'tones'> => ({
  mayBeCut: mayStop,
  ...(mayStop && { stopKeys: sequence }),
  tones: mayStop && tones === true,
});

interface Pressed {
  readonly key: string;
  readonly at: number;
}

/** Where a key was heard: `line`, on that one; without it, told by signalling. */
export type KeySource = Partial<Pick<PressedKey, 'line' | 'tone'>>;

/**
 * Watches the keys of one call for the sequence. Each source (a line's events, its tones, or the signalling) is watched on its own, and nothing is remembered but
 * the last few keys that may still become one.
 */
export class StopKeys {
  readonly #sequence: string;
  readonly #recent = new Map<string, readonly Pressed[]>();

  constructor(sequence: string) {
    this.#sequence = sequence;
  }

  /** When the sequence began that this key completes, epoch milliseconds; undefined when it completes none. */
  take(key: string, at: number, { line, tone }: KeySource = {}): number | undefined {
    const source = `${line ?? 'signalling'} ${tone ?? false}`;
    const before = this.#recent.get(source) ?? [];
    const last = before.at(-1);
    const kept = last !== undefined && at - last.at > KEY_PAUSE ? [] : before;
    const recent = [...kept, { key, at }].slice(-this.#sequence.length);
    this.#recent.set(source, recent);
    const [first] = recent;
    if (first === undefined || recent.map((pressed) => pressed.key).join('') !== this.#sequence)
      return undefined;
    this.#recent.delete(source);
    return Math.max(first.at, at - CUT_REACH / 2);
  }
}
