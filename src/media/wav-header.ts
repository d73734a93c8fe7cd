import { CLOCK_RATE } from './capture.ts';
import { FORMAT_TAG, type Law } from './g711.ts';
import { MediaError } from './media-error.ts';

/** Where the audio octets start. */
export const WAV_HEADER_BYTES = 58;

const MAX_U32 = 0xffffffff;

export interface WavFormat {
  readonly law: Law;
  readonly channels: number;
}

/**
 * The header of a G.711 WAV with `samples` samples a channel. Sizes beyond 4 GiB (74 hours in stereo) are clamped.
 *
 *      0  RIFF size WAVE
 *     12  fmt  18: tag 6 or 7, channels, 8000 Hz, octets a second, octets a frame, 8 bit, extension of 0 octets
 *     38  fact  4: samples a channel (required for every tag but PCM)
 *     50  data size, then the octets, then a zero octet if their number is odd
 */
export function wavHeader(format: WavFormat, samples: number): Buffer {
  const { law, channels } = format;
  const data = Math.min(samples * channels, MAX_U32 - WAV_HEADER_BYTES);
  const header = Buffer.alloc(WAV_HEADER_BYTES);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(WAV_HEADER_BYTES - 8 + data + (data & 1), 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(18, 16);
  header.writeUInt16LE(FORMAT_TAG[law], 20);
  header.writeUInt16LE(channels, 22);
  header.writeUInt32LE(CLOCK_RATE, 24);
  header.writeUInt32LE(CLOCK_RATE * channels, 28);
  header.writeUInt16LE(channels, 32);
  header.writeUInt16LE(8, 34);
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
  const law = tag === FORMAT_TAG.PCMA ? 'PCMA' : 'PCMU';
  const channels = header.readUInt16LE(22);
  if (channels !== 1 && channels !== 2) throw new MediaError('BAD_WAV', `${channels} channels`);

  // Everything but the three sizes must be exactly what we write.
  const expected = wavHeader({ law, channels }, 0);
  for (const size of [4, 46, 54]) header.copy(expected, size, size, size + 4);
  if (!expected.equals(header.subarray(0, WAV_HEADER_BYTES)))
    throw new MediaError('BAD_WAV', 'not the header of a G.711 recording');
  return { law, channels, dataBytes: header.readUInt32LE(54) };
}
