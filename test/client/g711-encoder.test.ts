import { expect, test } from '@jest/globals';
import { pcmToAlaw, pcmToUlaw, SILENCE } from '../../src/media/g711-encoder.ts';
import { CALLER_VOICE, speakTones } from '../../src/client/tones.ts';

/** The decoder's side of G.711, written from its tables, to check the encoder against. */
function alawToPcm(octet: number): number {
  const bits = octet ^ 0x55;
  const exponent = (bits >> 4) & 7;
  const base = ((bits & 15) << 4) + 8;
  const magnitude = exponent === 0 ? base : (base + 0x100) << (exponent - 1);
  return bits & 0x80 ? magnitude : -magnitude;
}

function ulawToPcm(octet: number): number {
  const bits = ~octet & 0xff;
  const magnitude = ((((bits & 15) << 3) + 0x84) << ((bits >> 4) & 7)) - 0x84;
  return bits & 0x80 ? -magnitude : magnitude;
}

test('every A-law octet survives decoding and encoding', () => {
  for (let octet = 0; octet < 256; octet++) expect(pcmToAlaw(alawToPcm(octet))).toBe(octet);
});

test('every µ-law octet survives decoding and encoding, negative zero as zero', () => {
  for (let octet = 0; octet < 256; octet++)
    expect(pcmToUlaw(ulawToPcm(octet))).toBe(octet === 0x7f ? 0xff : octet);
});

test.each([
  ['PCMA', pcmToAlaw],
  ['PCMU', pcmToUlaw],
] as const)('%s: no sample is off by more than its interval, and zero is silence', (law, encode) => {
  const decode = law === 'PCMA' ? alawToPcm : ulawToPcm;
  expect(encode(0)).toBe(SILENCE[law]);
  for (let sample = -32768; sample <= 32767; sample += 7) {
    const error = Math.abs(decode(encode(sample)) - sample);
    expect(error).toBeLessThanOrEqual(Math.max(16, Math.abs(sample) / 16));
  }
});

test('tones last as long as asked and differ from silence throughout', () => {
  const octets = speakTones(CALLER_VOICE, 3.5, 'PCMA');
  expect(octets).toHaveLength(28_000);
  const silentPackets = Array.from({ length: 175 }, (_none, index) =>
    octets.subarray(index * 160, index * 160 + 160).every((octet) => octet === 0xd5),
  ).filter(Boolean);
  expect(silentPackets).toHaveLength(0);
});
