import { expect, test } from '@jest/globals';
import type { PayloadFormat } from '../../src/media/capture.ts';
import { STATIC_KINDS, withFormats } from '../../src/media/payload-kinds.ts';

const format = (payloadType: number, encoding: string, clockRate = 8000): PayloadFormat => ({
  payloadType,
  encoding,
  clockRate,
  channels: 1,
});

test('knows the static numbers, whatever is announced', () => {
  expect([0, 8, 13, 18, 96, 101].map((number) => STATIC_KINDS[number])).toEqual([
    'PCMU',
    'PCMA',
    'noise',
    'packets',
    'unknown',
    'unknown',
  ]);
  expect(withFormats(STATIC_KINDS, [format(8, 'PCMA'), format(0, 'PCMU')])).toBe(STATIC_KINDS);
});

test('shares a table between those who announce the same, and only between them', () => {
  const [one, other] = [
    withFormats(STATIC_KINDS, [format(8, 'PCMA'), format(101, 'TELEPHONE-EVENT')]),
    withFormats(STATIC_KINDS, [format(8, 'PCMA'), format(101, 'OPUS', 48_000)]),
  ];
  expect(withFormats(STATIC_KINDS, [format(8, 'PCMA'), format(101, 'TELEPHONE-EVENT')])).toBe(one);
  expect([one[101], other[101], STATIC_KINDS[101]]).toEqual(['event', 'packets', 'unknown']);
});

test('adds what a later offer announces to what is known', () => {
  const first = withFormats(STATIC_KINDS, [format(101, 'TELEPHONE-EVENT')]);
  const second = withFormats(first, [format(96, 'PCMA'), format(101, 'TELEPHONE-EVENT')]);
  expect([second[96], second[101], first[96]]).toEqual(['PCMA', 'event', 'unknown']);
  expect(withFormats(second, [format(101, 'TELEPHONE-EVENT')])).toBe(second);
});
