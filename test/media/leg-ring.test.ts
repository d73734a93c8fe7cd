import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LegRing } from '../../src/media/leg-ring.ts';

const SILENCE = 0xd5;

/** What the ring holds from its base on. */
function contents(ring: LegRing): Buffer {
  const octets = Buffer.alloc(ring.capacity);
  ring.read(ring.base, ring.base + ring.capacity, octets, 0);
  return octets;
}
const at = (ring: LegRing, position: number): number | undefined => contents(ring)[position - ring.base];

test('grows by doubling up to a minute, and not beyond', () => {
  const ring = new LegRing(SILENCE, 1000);
  expect(ring.capacity).toBe(0);
  expect(ring.reserve(1001)).toBe(true);
  expect(ring.capacity).toBe(16_384);
  expect(ring.reserve(1000 + 16_384)).toBe(true);
  expect(ring.capacity).toBe(16_384);
  expect(ring.reserve(1000 + 16_385)).toBe(true);
  expect(ring.capacity).toBe(32_768);
  expect(ring.reserve(1000 + 524_288)).toBe(true);
  expect(ring.reserve(1000 + 524_289)).toBe(false);
  ring.release(1001);
  expect(ring.reserve(1000 + 524_289)).toBe(true);
});

test('is silent again where it was given up, even all of it at once', () => {
  const ring = new LegRing(SILENCE, 0);
  ring.reserve(400);
  ring.put(100, Buffer.alloc(300, 1), 0, 300);
  ring.release(200);
  expect(at(ring, 16_384 + 150)).toBe(SILENCE);
  expect(at(ring, 200)).toBe(1);
  ring.release(1_000_000);
  expect(contents(ring).every((octet) => octet === SILENCE)).toBe(true);
  expect(ring.base).toBe(1_000_000);
});

test('is small again when it holds little, with what it holds', () => {
  const ring = new LegRing(SILENCE, 0);
  ring.reserve(30_000);
  const source = Buffer.from(Array.from({ length: 30_000 }, (_none, index) => index % 200));
  ring.put(0, source, 0, source.length);
  ring.release(25_000);
  expect(ring.capacity).toBe(32_768);
  ring.release(27_000);
  expect(ring.capacity).toBe(16_384);
  expect(contents(ring).subarray(0, 3000)).toEqual(source.subarray(27_000));
});

test('gives its memory to others, and takes new when it is used again', () => {
  const [one, other] = [new LegRing(SILENCE, 0), new LegRing(SILENCE, 0)];
  one.reserve(500);
  one.put(0, Buffer.alloc(500, 1), 0, 500);
  one.clear();
  expect([one.capacity, one.base]).toEqual([0, 500]);
  other.reserve(500);
  one.reserve(600);
  one.put(500, Buffer.alloc(100, 2), 0, 100);
  other.put(0, Buffer.alloc(500, 3), 0, 500);
  expect(contents(one).subarray(0, 100)).toEqual(Buffer.alloc(100, 2));
  expect(contents(other).subarray(0, 500)).toEqual(Buffer.alloc(500, 3));
  expect(
    contents(other)
      .subarray(500)
      .every((octet) => octet === SILENCE),
  ).toBe(true);
});

test('holds what was put, through wrapping, growing and giving up', () => {
  const step = fc.record({
    ahead: fc.nat(70_000),
    length: fc.integer({ min: 1, max: 500 }),
    release: fc.nat(9000),
    octet: fc.integer({ min: 0, max: 200 }),
  });
  fc.assert(
    fc.property(fc.nat(100_000), fc.array(step, { maxLength: 40 }), (base, steps) => {
      const ring = new LegRing(SILENCE, base);
      const model = new Map<number, number>();
      for (const { ahead, length, release, octet } of steps) {
        const position = ring.base + ahead;
        expect(ring.reserve(position + length)).toBe(true);
        ring.put(position, Buffer.alloc(length + 2, octet), 1, 1 + length);
        for (let index = 0; index < length; index++) model.set(position + index, octet);
        ring.release(ring.base + release);
      }
      const held = contents(ring);
      for (let position = ring.base; position < ring.base + ring.capacity; position++)
        if (held[position - ring.base] !== (model.get(position) ?? SILENCE))
          throw new Error(`position ${position} holds ${String(held[position - ring.base])}`);
    }),
    { numRuns: 50 },
  );
});
