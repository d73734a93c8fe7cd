import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { encode } from '../../src/media/g711-encoder.ts';
import type { Law } from '../../src/media/g711.ts';
import { SAMPLE_VALUES } from '../../src/media/g711-values.ts';
import { InBandTones } from '../../src/media/in-band-tones.ts';
import { joined, keyTone, quiet } from '../support/keypad.ts';
import { utterance } from '../support/talk.ts';

const run = promisify(execFile);

/** The keys heard in packets of 20 ms, with where they began. */
function heard(samples: Int16Array, law: Law = 'PCMA', packet = 160): [key: string, position: number][] {
  const found: [string, number][] = [];
  const tones = new InBandTones((key, position) => found.push([key, position]));
  const octets = encode(samples, law);
  for (let from = 0; from < octets.length; from += packet)
    tones.take(octets.subarray(from, from + packet), law, from);
  return found;
}

const keysIn = (samples: Int16Array, law?: Law): string =>
  heard(samples, law)
    .map(([key]) => key)
    .join('');

/** The same noise every time (a linear congruential generator), with a given amplitude. */
function noise(milliseconds: number, amplitude: number): Int16Array {
  let state = 12_345;
  return Int16Array.from({ length: milliseconds * 8 }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return Math.round((state / 0x3fffffff - 1) * amplitude);
  });
}

const over = (one: Int16Array, other: Int16Array): Int16Array =>
  one.map((sample, at) => Math.max(-32_768, Math.min(32_767, sample + (other[at] ?? 0))));

test('the values of both laws are those of a decoder: coding them again gives the same octet', () => {
  for (const law of ['PCMA', 'PCMU'] as const)
    expect([...encode(SAMPLE_VALUES[law], law)].filter((octet, at) => octet !== at)).toEqual(
      // µ-law has two zeros.
      law === 'PCMU' ? [0xff] : [],
    );
});

describe('a key', () => {
  test.each(['PCMA', 'PCMU'] as const)('of all sixteen is heard once in %s', (law) => {
    const dialled = Array.from('1234567890*#ABCD').flatMap((key) => [
      keyTone({ key, milliseconds: 80 }),
      quiet(60),
    ]);
    expect(keysIn(joined(...dialled), law)).toBe('1234567890*#ABCD');
  });

  test.each([
    ['of 40 ms, wherever it begins', { milliseconds: 40 }, '1'],
    ['of 23 ms, which is a click', { milliseconds: 23 }, ''],
    ['held for half a second', { milliseconds: 500 }, '1'],
    ['of a telephone that is 1.5 % too high', { milliseconds: 60, off: 0.015 }, '1'],
    ['1.5 % too low', { milliseconds: 60, off: -0.015 }, '1'],
    ['5 % off, which is no key', { milliseconds: 60, off: 0.05 }, ''],
    ['whose lower tone is 7 dB stronger', { milliseconds: 60, low: 9000, high: 4000 }, '1'],
    ['whose upper tone is 3.5 dB stronger', { milliseconds: 60, low: 4000, high: 6000 }, '1'],
    ['whose upper tone is 9 dB stronger', { milliseconds: 60, low: 3000, high: 8500 }, ''],
    ['whose lower tone is 12 dB stronger', { milliseconds: 60, low: 12_000, high: 3000 }, ''],
    ['very soft, far away', { milliseconds: 60, low: 60, high: 60 }, ''],
  ])('%s', (_what, tone, expected) => {
    for (let shift = 0; shift < 20; shift++) {
      const begin = new Int16Array(400 + shift * 7);
      const samples = joined(begin, keyTone({ key: '1', ...tone }), quiet(100));
      expect([shift, keysIn(samples)]).toEqual([shift, expected]);
    }
  });

  test('is told with a beginning that is never later than its own, and not much earlier', () => {
    for (let shift = 0; shift < 40; shift++) {
      const before = 800 + shift * 3;
      const samples = joined(new Int16Array(before), keyTone({ key: '*', milliseconds: 60 }), quiet(60));
      const [[, position] = ['', NaN]] = heard(samples);
      expect(position).toBeLessThanOrEqual(before);
      expect(position).toBeGreaterThan(before - 200);
    }
  });

  test('is two keys after a pause of 40 ms, and one with a packet missing in it', () => {
    const key = keyTone({ key: '1', milliseconds: 60 });
    expect(keysIn(joined(key, quiet(40), key, quiet(40)))).toBe('11');
    const found: string[] = [];
    const tones = new InBandTones((pressed) => found.push(pressed));
    const octets = encode(keyTone({ key: '1', milliseconds: 200 }), 'PCMA');
    for (let from = 0; from < octets.length; from += 160)
      if (from !== 800) tones.take(octets.subarray(from, from + 160), 'PCMA', from);
    // What follows a gap cannot be known to be the same press; for a sequence that is harmless.
    expect(found.join('')).toMatch(/^1{1,2}$/);
  });

  test('is heard through the noise of a bad line, 20 dB below it', () => {
    const dialled = joined(
      keyTone({ key: '*', milliseconds: 80 }),
      quiet(80),
      keyTone({ key: '1', milliseconds: 80 }),
    );
    expect(keysIn(over(dialled, noise(240, 1400)))).toBe('*1');
  });
});

describe('talk-off: no key is heard', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sealtape-talk-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('in noise, loud and soft', () => {
    for (const amplitude of [500, 4000, 30_000]) expect(keysIn(noise(10_000, amplitude))).toBe('');
  });

  test('in one tone alone, dial tone, ringing and a chord', () => {
    const tone = (...hertz: readonly number[]): Int16Array =>
      Int16Array.from({ length: 16_000 }, (_none, at) =>
        Math.round(hertz.reduce((sum, each) => sum + 6000 * Math.sin((2 * Math.PI * each * at) / 8000), 0)),
      );
    for (const sound of [
      [425],
      [440, 480],
      [697],
      [1209],
      [350, 440],
      [941, 1209, 1477],
      [700, 1400],
      [262, 330, 392],
    ])
      expect([sound, keysIn(tone(...sound))]).toEqual([sound, '']);
  });

  test.each(['en+m3', 'en+f2', 'de+m1', 'de+f4'])('in what the voice %s says and sings', async (voice) => {
    const wav = join(folder, `${voice}.wav`);
    const raw = join(folder, `${voice}.raw`);
    await run('espeak-ng', ['-v', voice, '-s', '150', '-p', '70', '-w', wav, utterance(voice.slice(0, 2))]);
    await run('sox', [
      '-D',
      '-G',
      wav,
      '-r',
      '8000',
      '-c',
      '1',
      '-e',
      'signed',
      '-b',
      '16',
      '-t',
      'raw',
      raw,
    ]);
    const octets = await readFile(raw);
    const samples = new Int16Array(octets.buffer, octets.byteOffset, octets.length >> 1);
    expect(samples.length / 8000).toBeGreaterThan(15);
    expect(heard(samples)).toEqual([]);
    expect(heard(samples, 'PCMU')).toEqual([]);
  });
});
