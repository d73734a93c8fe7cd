import { readFileSync } from 'node:fs';

export interface Wav {
  readonly formatTag: number;
  readonly channels: number;
  readonly rate: number;
  readonly bits: number;
  /** Octets per channel, left first. */
  readonly audio: readonly Buffer[];
}

/** Reads a WAV file with 8-bit samples by walking its chunks; refuses sizes that do not add up. */
export function readWav(path: string): Wav {
  const bytes = readFileSync(path);
  if (bytes.toString('latin1', 0, 4) !== 'RIFF' || bytes.toString('latin1', 8, 12) !== 'WAVE')
    throw new Error(`${path} is not a WAV file`);
  if (bytes.readUInt32LE(4) !== bytes.length - 8) throw new Error(`${path}: RIFF size is not the file's`);
  let format: Buffer | undefined;
  let data: Buffer | undefined;
  for (let at = 12; at + 8 <= bytes.length;) {
    const size = bytes.readUInt32LE(at + 4);
    if (at + 8 + size > bytes.length) throw new Error(`${path}: a chunk reaches beyond the file`);
    const chunk = bytes.subarray(at + 8, at + 8 + size);
    const id = bytes.toString('latin1', at, at + 4);
    if (id === 'fmt ') format = chunk;
    if (id === 'data') data = chunk;
    at += 8 + size + (size % 2);
  }
  if (format === undefined || data === undefined) throw new Error(`${path} has no format or no data`);
  const channels = format.readUInt16LE(2);
  return {
    formatTag: format.readUInt16LE(0),
    channels,
    rate: format.readUInt32LE(4),
    bits: format.readUInt16LE(14),
    audio: Array.from({ length: channels }, (_none, channel) => everyNth(data, channel, channels)),
  };
}

function everyNth(data: Buffer, first: number, step: number): Buffer {
  const part = Buffer.alloc(Math.floor(data.length / step));
  for (let index = 0; index < part.length; index++) part[index] = data[index * step + first] ?? 0;
  return part;
}
