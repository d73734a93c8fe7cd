import { Buffer } from 'node:buffer';

/** Octets from the beginning of a file in which the head of its audio must lie. */
export const AUDIO_HEAD = 4096;

/**
 * Where the audio of a file begins, from its first `AUDIO_HEAD` octets (docs/evidence-format.md 3.1): in a WAV file behind the head of the
 * chunk `data`, in every other file at its first octet.
 */
export function audioStart(head: Uint8Array): number {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  const word = (at: number): string => bytes.toString('latin1', at, at + 4);
  if (bytes.length < 12 || word(0) !== 'RIFF' || word(8) !== 'WAVE') return 0;
  for (let at = 12; at + 8 <= bytes.length;) {
    if (word(at) === 'data') return at + 8;
    const size = bytes.readUInt32LE(at + 4);
    at += 8 + size + (size % 2);
  }
  return 0;
}
