import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { QuickXorHash } from '../../src/delivery/quick-xor-hash.ts';

/**
 * Made with Microsoft's own sample (the class QuickXorHash in C# of its page "QuickXorHash Algorithm", which prints no examples
 * itself) and published with the OneDrive backend of rclone.
 */
const PUBLISHED: readonly (readonly [number, string, string])[] = [
  [0, '', 'AAAAAAAAAAAAAAAAAAAAAAAAAAA='],
  [1, 'Sg==', 'SgAAAAAAAAAAAAAAAQAAAAAAAAA='],
  [2, 'tbQ=', 'taAFAAAAAAAAAAAAAgAAAAAAAAA='],
  [8, '/aNzzCFPS/A=', '/RjFHJgRgicsAR4ACAAAAAAAAAA='],
  [14, 'XoJ1AsoR4fDYJrDqYs4=', 'XhBEHQSgjAiEAx7YPgEs1CEGZwA='],
  [15, 'gQaybEqS/4UlDc8e4IJm', 'gDCALNigBEn8oxAlZ8AzPAAOQZg='],
  [20, 'T6LYJIfDh81JrAK309H2JMJTXis=', 'zBTHrspn3mEcohlJdIUAbjGNaNg='],
  [33, 'qQ70RB++JAR5ljNv3lJt1PpqETPsckopfonItu18Cr3E', 'FkJaeg/0Z5+euShYlLpE2tJh+Lo='],
  [
    128,
    'ikwCorI7PKWz17EI50jZCGbV9JU2E8bXVfxNMg5zdmqSZ2NlsQPp0kqYIPjzwTg1MBtfWPg53k0h' +
      '0P2naJNEVgrqpoHTfV2b3pJ4m0zYPTJmUX4Bg/lOxcnCxAYKU29Y5F0U8Quz7ZXFBEweftXxJ7RS' +
      '4r6N7BzJrPsLhY7hgck=',
    'imAoFvCWlDn4yVw3/oq1PDbbm6U=',
  ],
  [
    333,
    'w0LGhqU1WXFbdavqDE4kAjEzWLGGzmTNikzqnsiXHx2KRReKVTxkv27u3UcEz9+lbMvYl4xFf2Z4' +
      'aE1xRBBNd1Ke5C0zToSaYw5o4B/7X99nKK2/XaUX1byLow2aju2XJl2OpKpJg+tSJ2fmjIJTkfuY' +
      'Uz574dFX6/VXxSxwGH/xQEAKS5TCsBK3CwnuG1p5SAsQq3gGVozDWyjEBcWDMdy8/AIFrj/y03Lf' +
      'c/RNRCQTAfZbnf2QwV7sluw4fH3XJr07UoD0YqN+7XZzidtrwqMY26fpLZnyZjnBEt1FAZWO7RnK' +
      'G5asg8xRk9YaDdedXdQSJAOy6bWEWlABj+tVAigBxavaluUH8LOj+yfCFldJjNLdi90fVHkUD/m4' +
      'Mr5OtmupNMXPwuG3EQlqWUVpQoYpUYKLsk7a5Mvg6UFkiH596y5IbJEVCI1Kb3D1',
    'e3+wo77iKcILiZegnzyUNcjCdoQ=',
  ],
];

const hashOf = (octets: Uint8Array): string => new QuickXorHash().update(octets).digest();

/** The algorithm as the page describes it in words: a ring of 160 bits as one number, turned for each octet. */
function described(octets: Uint8Array): string {
  const mask = (1n << 160n) - 1n;
  let ring = 0n;
  for (const [number, octet] of octets.entries()) {
    const by = BigInt((number * 11) % 160);
    const turned = BigInt(octet) << by;
    ring ^= (turned & mask) | (turned >> 160n);
  }
  ring ^= BigInt(octets.length) << 96n;
  return Buffer.from(ring.toString(16).padStart(40, '0'), 'hex').reverse().toString('base64');
}

describe('QuickXorHash', () => {
  test.each(PUBLISHED)('has the published value of %i octets', (size, octets, hash) => {
    const bytes = Buffer.from(octets, 'base64');
    expect(bytes).toHaveLength(size);
    expect(hashOf(bytes)).toBe(hash);
    expect(described(bytes)).toBe(hash);
  });

  test('is the same however the octets are parted and wherever they lie in memory', () => {
    const bytes = randomBytes(5000);
    const expected = described(bytes);
    for (const size of [1, 3, 4, 7, 159, 160, 161, 1024, 4999]) {
      const hash = new QuickXorHash();
      for (let at = 0; at < bytes.length; at += size) hash.update(bytes.subarray(at, at + size));
      expect([size, hash.digest()]).toEqual([size, expected]);
    }
    for (const offset of [1, 2, 3]) {
      const memory = Buffer.alloc(bytes.length + offset);
      bytes.copy(memory, offset);
      expect(hashOf(memory.subarray(offset))).toBe(expected);
    }
  });

  test('changes with any octet, with the order and with the length', () => {
    const bytes = randomBytes(400);
    const hash = hashOf(bytes);
    for (const [number, octet] of bytes.entries()) {
      const changed = Buffer.from(bytes);
      changed[number] = octet ^ 0x10;
      expect(hashOf(changed)).not.toBe(hash);
    }
    expect(hashOf(Buffer.concat([bytes, Buffer.alloc(1)]))).not.toBe(hash);
    expect(hashOf(Buffer.from('ab'))).not.toBe(hashOf(Buffer.from('ba')));
  });
});
