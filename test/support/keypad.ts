/** Both frequencies of a key (ITU-T Q.23). */
const FREQUENCIES: Readonly<Record<string, readonly [number, number]>> = Object.fromEntries(
  ['123A', '456B', '789C', '*0#D'].flatMap((keys, row) =>
    Array.from(keys).map((key, column) => [
      key,
      [[697, 770, 852, 941][row] ?? 0, [1209, 1336, 1477, 1633][column] ?? 0] as const,
    ]),
  ),
);

export interface KeyTone {
  readonly key: string;
  readonly milliseconds: number;
  /** Of each tone, 16 bit; default 6,000. */
  readonly low?: number;
  readonly high?: number;
  /** How far the telephone is off, 0.015 for 1.5 %. */
  readonly off?: number;
}

/** The sound of a key at 8 kHz. */
export function keyTone({ key, milliseconds, low = 6000, high = 6000, off = 0 }: KeyTone): Int16Array {
  const [lower, upper] = (FREQUENCIES[key] ?? [0, 0]).map((each) => (2 * Math.PI * each * (1 + off)) / 8000);
  return Int16Array.from({ length: milliseconds * 8 }, (_none, at) =>
    Math.round(low * Math.sin((lower ?? 0) * at) + high * Math.sin((upper ?? 0) * at)),
  );
}

export const quiet = (milliseconds: number): Int16Array => new Int16Array(milliseconds * 8);

export const joined = (...parts: readonly Int16Array[]): Int16Array =>
  Int16Array.from(parts.flatMap((part) => [...part]));
