import { CLOCK_RATE } from './capture.ts';
import { FORMAT_TAG } from './g711.ts';
import { MediaError } from './media-error.ts';

/** Where the audio octets start. */
export const WAV_HEADER_BYTES = 58;

const MAX_U32 = 0xffffffff;
const MAX_RATE = 192_000;

/** What is kept in WAV files. */
export type WavCodec = 'PCMA' | 'PCMU' | 'L16' | 'G722' | 'G729';

export interface WavFormat {
  readonly law: WavCodec;
  readonly channels: number;
  /** Samples a second where the codec does not fix them (L16); default 8000. */
  readonly rate?: number;
}

interface Coding {
  /** Registered in RFC 2361; G.729's is that of its ACM codec. */
  readonly tag: number;
  readonly bits: number;
  /** Smallest unit of octets of a channel, and how many samples it holds. */
  readonly block: number;
  readonly blockSamples: number;
  readonly rate?: number;
}

const CODINGS: Readonly<Record<WavCodec, Coding>> = {
  PCMA: { tag: FORMAT_TAG.PCMA, bits: 8, block: 1, blockSamples: 1, rate: CLOCK_RATE },
  PCMU: { tag: FORMAT_TAG.PCMU, bits: 8, block: 1, blockSamples: 1, rate: CLOCK_RATE },
  L16: { tag: 1, bits: 16, block: 2, blockSamples: 1 },
  // Two samples of 16 kHz an octet; its RTP clock runs at 8 kHz all the same (RFC 3551 §4.5.2).
  G722: { tag: 0x028f, bits: 4, block: 1, blockSamples: 2, rate: 16_000 },
  G729: { tag: 0x0083, bits: 0, block: 10, blockSamples: 80, rate: CLOCK_RATE },
};

/** Samples a second of a file. */
export const wavRate = (format: WavFormat): number => CODINGS[format.law].rate ?? format.rate ?? CLOCK_RATE;

/** Octets that hold so many samples of every channel, whole blocks only. */
export function wavOctets(format: WavFormat, samples: number): number {
  const { block, blockSamples } = CODINGS[format.law];
  return Math.floor(samples / blockSamples) * block * format.channels;
}

/** Samples a channel that so many octets hold, whole blocks only. */
export function wavSamples(format: WavFormat, octets: number): number {
  const { block, blockSamples } = CODINGS[format.law];
  return Math.floor(octets / (block * format.channels)) * blockSamples;
}

/**
 * The header of a WAV with `samples` samples a channel. Sizes beyond 4 GiB (74 hours of G.711 in stereo) are clamped.
 *
 *      0  RIFF size WAVE
 *     12  fmt  18: tag, channels, samples a second, octets a second, octets a block, bits a sample, extension of 0 octets
 *     38  fact  4: samples a channel (required for every tag but PCM)
 *     50  data size, then the octets, then a zero octet if their number is odd
 */
export function wavHeader(format: WavFormat, samples: number): Buffer {
  const { channels } = format;
  const { tag, bits, block, blockSamples } = CODINGS[format.law];
  const rate = wavRate(format);
  const data = Math.min(wavOctets(format, samples), MAX_U32 - WAV_HEADER_BYTES);
  const header = Buffer.alloc(WAV_HEADER_BYTES);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(WAV_HEADER_BYTES - 8 + data + (data & 1), 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(18, 16);
  header.writeUInt16LE(tag, 20);
  header.writeUInt16LE(channels, 22);
  header.writeUInt32LE(rate, 24);
  header.writeUInt32LE((rate / blockSamples) * block * channels, 28);
  header.writeUInt16LE(block * channels, 32);
  header.writeUInt16LE(bits, 34);
  header.write('fact', 38, 'latin1');
  header.writeUInt32LE(4, 42);
  header.writeUInt32LE(Math.min(samples, MAX_U32), 46);
  header.write('data', 50, 'latin1');
  header.writeUInt32LE(data, 54);
  return header;
}

/**
 * Reads a header that `wavHeader` made; other WAV files are refused.
 *
 * @throws MediaError BAD_WAV.
 */
export function parseWavHeader(header: Buffer): WavFormat & { readonly dataBytes: number } {
  if (header.length < WAV_HEADER_BYTES) throw new MediaError('BAD_WAV', `header of ${header.length} bytes`);
  const tag = header.readUInt16LE(20);
  const law = (Object.keys(CODINGS) as WavCodec[]).find((codec) => CODINGS[codec].tag === tag) ?? 'PCMU';
  const channels = header.readUInt16LE(22);
  if (channels !== 1 && channels !== 2) throw new MediaError('BAD_WAV', `${channels} channels`);
  const rate = header.readUInt32LE(24);
  if (rate > MAX_RATE) throw new MediaError('BAD_WAV', `${rate} samples a second`);
  const format: WavFormat = law === 'L16' ? { law, channels, rate } : { law, channels };

  // Everything but the three sizes must be exactly what we write.
  const expected = wavHeader(format, 0);
  for (const size of [4, 46, 54]) header.copy(expected, size, size, size + 4);
  if (!expected.equals(header.subarray(0, WAV_HEADER_BYTES)))
    throw new MediaError('BAD_WAV', 'not the header of a recording');
  return { ...format, dataBytes: header.readUInt32LE(54) };
}
