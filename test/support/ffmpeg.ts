import { execFileSync } from 'node:child_process';

/** Runs ffmpeg; anything it complains about is an error. Returns its standard output. */
export function ffmpeg(args: readonly string[]): Buffer {
  const output = execFileSync(
    'ffmpeg',
    ['-hide_banner', '-v', 'error', '-xerror', '-nostdin', '-y', ...args],
    {
      maxBuffer: 256 * 1024 * 1024,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  return output;
}

/** Decodes a file to 16-bit samples of one channel at a rate; Opus by the reference decoder. */
export function decode(path: string, rate: number, channel = 0): Int16Array {
  const decoder = path.includes('.opus') ? ['-c:a', 'libopus'] : [];
  const pcm = ffmpeg([
    ...decoder,
    ...['-i', path, '-af', `pan=mono|c0=c${channel}`, '-ar', String(rate), '-f', 's16le', 'pipe:1'],
  ]);
  return new Int16Array(pcm.buffer.slice(pcm.byteOffset, pcm.byteOffset + pcm.length - (pcm.length % 2)));
}

/** Root mean square of a span of samples, in seconds. */
export function loudness(samples: Int16Array, rate: number, from: number, to: number): number {
  const part = samples.subarray(Math.round(from * rate), Math.round(to * rate));
  return Math.sqrt(part.reduce((sum, value) => sum + value * value, 0) / Math.max(1, part.length));
}

/** Hertz of the loudest tone between 100 and 3,900 in a span given in seconds, to 10 Hz (Goertzel). */
export function toneIn(samples: Int16Array, rate: number, from: number, to: number): number {
  const part = samples.subarray(Math.round(from * rate), Math.round(to * rate));
  let [loudest, best] = [0, 0];
  for (let hertz = 100; hertz <= 3900; hertz += 10) {
    const coefficient = 2 * Math.cos((2 * Math.PI * hertz) / rate);
    let [one, two] = [0, 0];
    for (const sample of part) [one, two] = [sample + coefficient * one - two, one];
    const power = one * one + two * two - coefficient * one * two;
    if (power > best) [loudest, best] = [hertz, power];
  }
  return loudest;
}
