import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect } from '@jest/globals';
import type { CapturedFile } from '../../src/media/capture.ts';

/** Reads a finished file back, checks what holds for every one, and returns its channels, left first. */
export function channelsOf(file: CapturedFile | undefined): readonly Buffer[] {
  if (file === undefined) throw new Error('there is no file');
  const bytes = readFileSync(file.path);
  const count = file.channelRoles.length;
  const audio = bytes.subarray(file.audioOffset, file.audioOffset + file.samples * count);
  expect(bytes.length).toBe(file.bytes);
  expect(bytes.length).toBe(file.audioOffset + audio.length + (audio.length % 2));
  expect(bytes.readUInt32LE(4)).toBe(bytes.length - 8);
  expect(bytes.readUInt16LE(22)).toBe(count);
  expect(bytes.readUInt32LE(46)).toBe(file.samples);
  expect(bytes.readUInt32LE(54)).toBe(audio.length);
  expect(createHash('sha256').update(bytes.subarray(file.audioOffset)).digest('hex')).toBe(file.audioSha256);
  return file.channelRoles.map((_, index) => Buffer.from(audio.filter((_octet, at) => at % count === index)));
}

/** Silence with pieces in it, as a channel should be. */
export function silenceWith(
  samples: number,
  silence: number,
  pieces: readonly (readonly [number, Buffer])[],
): Buffer {
  const audio = Buffer.alloc(samples, silence);
  for (const [position, piece] of pieces) piece.copy(audio, position);
  return audio;
}

/** Says where two channels differ first; far quicker than `toEqual` on long buffers, and readable. */
export function expectSameAudio(actual: Buffer | undefined, wanted: Buffer): void {
  if (actual?.equals(wanted) === true) return;
  const at = wanted.findIndex((octet, index) => actual?.[index] !== octet);
  expect({ length: actual?.length, at, octet: actual?.[at] }).toEqual({
    length: wanted.length,
    at: -1,
    octet: wanted[at],
  });
}
