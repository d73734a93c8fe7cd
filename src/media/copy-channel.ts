import { createHash, type Hash } from 'node:crypto';
import type { AudioFile } from './audio-file.ts';
import { WAV_HEADER_BYTES } from './wav-header.ts';

/** Read at once: whole frames of any number of legs that share a file. */
const CHUNK = 48 * 1024;

/** How far a file is right, and the hash of its audio until there. */
interface Reached {
  readonly octets: number;
  readonly hash: Hash;
}

/**
 * Copies one of `legs` channels of linear samples into a file of its own, behind the place of its header. Returns what is at each of `steps`, ends of
 * whole frames of the old file in order, in the new one. Throws MediaError DISK.
 */
export function copyChannel(
  old: AudioFile,
  file: AudioFile,
  { steps, leg, legs }: { readonly steps: readonly number[]; readonly leg: number; readonly legs: number },
): Reached[] {
  const hash = createHash('sha256');
  let from = WAV_HEADER_BYTES;
  let to = WAV_HEADER_BYTES;
  return steps.map((step) => {
    while (from < step) {
      // A new one each time: the disk may keep it until it has been written.
      const octets = Buffer.allocUnsafe(Math.min(CHUNK, step - from));
      old.read(octets, octets.length, from);
      const own = pick(octets, leg, legs);
      file.write(own, own.length, to);
      hash.update(own);
      from += octets.length;
      to += own.length;
    }
    return { octets: to, hash: hash.copy() };
  });
}

/** The 16-bit samples of one channel. */
function pick(frames: Buffer, leg: number, legs: number): Buffer {
  const own = Buffer.allocUnsafe(frames.length / legs);
  for (let from = leg * 2, to = 0; to < own.length; from += legs * 2, to += 2)
    own.writeUInt16LE(frames.readUInt16LE(from), to);
  return own;
}
