import { spawnSync } from 'node:child_process';
import { encode } from '../../src/media/g711-encoder.ts';
import { oggPackets } from '../../src/media/ogg-packets.ts';

/** A codec as a client sends it in packets of 20 ms or other lengths. */
export type SteppedCodec = 'pcma' | 'pcmu' | 'g722' | 'opus';

export const PAYLOAD: Readonly<Record<SteppedCodec, { readonly type: number; readonly clock: number }>> = {
  pcma: { type: 8, clock: 8000 },
  pcmu: { type: 0, clock: 8000 },
  g722: { type: 9, clock: 8000 },
  opus: { type: 111, clock: 48_000 },
};

/** Hertz of a side in a second of the call: another one in every second, so that a misplaced one can be told. */
export const stepHertz = (side: number, second: number): number => 400 + 50 * second + 20 * side;

/** The samples of a side, a tone for each second, with its last tenth silent. */
function stepSamples(side: number, seconds: number, rate: number): Int16Array {
  const samples = new Int16Array(seconds * rate);
  for (let at = 0; at < samples.length; at++) {
    const second = Math.floor(at / rate);
    if (at % rate < rate * 0.9)
      samples[at] = Math.round(8000 * Math.sin((2 * Math.PI * stepHertz(side, second) * at) / rate));
  }
  return samples;
}

const ENCODERS = {
  g722: { rate: 16_000, args: ['-c:a', 'g722', '-f', 'g722'] },
  opus: { rate: 48_000, args: ['-c:a', 'libopus', '-b:a', '24k', '-application', 'voip', '-f', 'ogg'] },
} as const;

/** The payloads of a side in a codec, one for each `length` ms. */
export function stepPayloads(
  side: number,
  seconds: number,
  codec: SteppedCodec,
  length = 20,
): readonly Buffer[] {
  if (codec === 'pcma' || codec === 'pcmu')
    return cut(encode(stepSamples(side, seconds, 8000), codec === 'pcma' ? 'PCMA' : 'PCMU'), length * 8);
  const { rate, args } = ENCODERS[codec];
  const samples = stepSamples(side, seconds, rate);
  const frame = codec === 'opus' ? ['-frame_duration', String(length)] : [];
  const input = ['-f', 's16le', '-ar', String(rate), '-ac', '1', '-i', 'pipe:0'];
  const { stdout, status, stderr } = spawnSync(
    'ffmpeg',
    ['-v', 'error', ...input, ...args.slice(0, 2), ...frame, ...args.slice(2), 'pipe:1'],
    { input: Buffer.from(samples.buffer), maxBuffer: 64 * 1024 * 1024 },
  );
  if (status !== 0) throw new Error(stderr.toString());
  const packets = (): readonly Buffer[] =>
    oggPackets(stdout)
      .slice(2)
      .map((each) => Buffer.from(each));
  return codec === 'opus' ? packets() : cut(stdout, length * 8);
}

function cut(octets: Uint8Array, size: number): readonly Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < octets.length; at += size) parts.push(Buffer.from(octets.subarray(at, at + size)));
  return parts;
}
