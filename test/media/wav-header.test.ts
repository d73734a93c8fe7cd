import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseWavHeader, wavHeader } from '../../src/media/wav-header.ts';

test('lays the chunks out as every reader expects them', () => {
  expect(wavHeader({ law: 'PCMA', channels: 2 }, 0x01020304).toString('hex')).toBe(
    [
      '52494646 3a060402',
      '57415645',
      '666d7420 12000000 0600 0200 401f0000 803e0000 0200 0800 0000',
      '66616374 04000000 04030201',
      '64617461 08060402',
    ]
      .join('')
      .replaceAll(' ', ''),
  );
});

test('reads what it wrote', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('PCMA', 'PCMU'),
      fc.constantFrom(1, 2),
      fc.nat(2 ** 31 - 100),
      (law, channels, samples) => {
        const header = wavHeader({ law, channels }, samples);
        expect(parseWavHeader(header)).toEqual({
          law,
          channels,
          dataBytes: Math.min(samples * channels, 0xffffffff - 58),
        });
      },
    ),
  );
});

test('throws nothing but BAD_WAV on other octets', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (octets) => {
      expect(() => parseWavHeader(Buffer.from(octets))).toThrow(expect.objectContaining({ code: 'BAD_WAV' }));
    }),
  );
});
