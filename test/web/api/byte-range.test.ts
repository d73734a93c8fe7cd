import { describe, expect, test } from '@jest/globals';
import { byteRange } from '../../../src/web/api/byte-range.ts';

describe('a Range header (RFC 9110 §14.2)', () => {
  test.each([
    ['bytes=0-0', { first: 0, last: 0 }],
    ['bytes=10-19', { first: 10, last: 19 }],
    ['bytes=90-', { first: 90, last: 99 }],
    ['bytes=90-1000', { first: 90, last: 99 }],
    ['bytes=-10', { first: 90, last: 99 }],
    ['bytes=-1000', { first: 0, last: 99 }],
    ['bytes = 1 - 2', { first: 1, last: 2 }],
  ])('%s of 100 octets is a part', (header, part) => {
    expect(byteRange(header, 100)).toEqual(part);
  });

  test.each([undefined, '', 'bytes=-', 'bytes=5-4', 'bytes=0-1,5-6', 'lines=0-1', 'bytes=a-b'])(
    '%s asks for the whole file',
    (header) => {
      expect(byteRange(header, 100)).toBeUndefined();
    },
  );

  test.each(['bytes=100-', 'bytes=100-101', 'bytes=-0'])('%s lies outside 100 octets', (header) => {
    expect(() => byteRange(header, 100)).toThrow(expect.objectContaining({ code: 'BAD_RANGE' }));
  });
});
