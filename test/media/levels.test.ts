import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { alawMagnitude, ulawMagnitude } from '../../src/media/g711-values.ts';
import { LevelMeter, type Levels } from '../../src/media/levels.ts';

/** What is counted of every seventh sample, one by one. */
function counted(samples: readonly number[], magnitude: (octet: number) => number): Levels {
  const looked = samples.filter((_octet, index) => index % 7 === 0).map(magnitude);
  const largest = Math.max(...Array.from({ length: 256 }, (_none, octet) => magnitude(octet)));
  return {
    samples: looked.length,
    sounding: looked.filter((value) => value >= 64).length,
    clipped: looked.filter((value) => value === largest).length,
  };
}

test.each([
  ['PCMA', alawMagnitude],
  ['PCMU', ulawMagnitude],
] as const)('counts the levels of %s on either channel, however it is cut', (law, magnitude) => {
  const octet = fc.oneof(fc.nat(255), fc.constantFrom(0x2a, 0xaa, 0x00, 0x80, 0xd5, 0xff));
  const frames = fc.array(fc.tuple(octet, octet), { maxLength: 60 });
  fc.assert(
    fc.property(fc.array(frames, { maxLength: 12 }), fc.constantFrom(0, 1), (parts, channel) => {
      const meter = new LevelMeter(law);
      for (const part of parts) meter.take(Buffer.from(part.flat()), part.length, 2, channel);
      const samples = parts.flat().map((frame) => frame[channel]);
      expect(meter.levels).toEqual(counted(samples, magnitude));
    }),
  );
});

test('counts more at once than half a word does', () => {
  const meter = new LevelMeter('PCMA');
  meter.take(Buffer.alloc(700_000, 0x2a), 700_000, 1, 0);
  expect(meter.levels).toEqual({ samples: 100_000, sounding: 100_000, clipped: 100_000 });
});
