import { expect, test } from '@jest/globals';
import { Jitter } from '../../src/media/jitter.ts';

test('is nothing when packets come as they were sent, also over the wrap of the timestamp', () => {
  const jitter = new Jitter();
  for (let index = 0; index < 100; index++)
    jitter.take(7000 + index * 160, (2 ** 32 - 1600 + index * 160) >>> 0);
  expect(jitter).toMatchObject({ value: 0, max: 0 });
});

test('moves by a sixteenth of each deviation (RFC 3550 A.8)', () => {
  const jitter = new Jitter();
  jitter.take(0, 0);
  jitter.take(160 + 80, 160);
  expect(jitter.value).toBe(80 / 16);
  jitter.take(320, 320);
  expect(jitter.value).toBe(5 + (80 - 5) / 16);
  jitter.take(480, 480);
  expect(jitter.value).toBeLessThan(jitter.max);
});

test('does not take an interruption for a deviation', () => {
  const jitter = new Jitter();
  jitter.take(0, 0);
  jitter.interrupt();
  jitter.take(90_000, 5);
  expect(jitter.max).toBe(0);
});
