import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LegRing } from '../../src/media/leg-ring.ts';

const SILENCE = 0xd5;

/** What the ring holds from its base on, to behind its end. */
function contents(ring: LegRing): Buffer {
  const length = ring.top - ring.base + 20_000;
  const octets = Buffer.alloc(length);
  ring.read(ring.base, ring.base + length, octets, 0);
  return octets;
}
const at = (ring: LegRing, position: number): number | undefined => contents(ring)[position - ring.base];

test('grows by doubling up to a minute, and not beyond', () => {
  const ring = new LegRing(SILENCE, 1000);
  const octets = Buffer.alloc(524_288, 1);
  expect(ring.capacity).toBe(0);
  ring.put(1000, octets, 0, 1);
  expect(ring.capacity).toBe(14_336);
  ring.put(1001, octets, 0, 14_335);
  expect(ring.capacity).toBe(14_336);
  ring.put(1000 + 14_336, octets, 0, 1);
  expect(ring.capacity).toBe(28_672);
  expect(ring.reaches(1000 + 524_288)).toBe(true);
  ring.put(1000, octets, 0, 524_288);
  expect(contents(ring).subarray(0, 524_288)).toEqual(octets);
  expect(ring.reaches(1000 + 524_289)).toBe(false);
  ring.release(1001);
  expect(ring.reaches(1000 + 524_289)).toBe(true);
});

test('has no memory for what comes before its first audio, and takes it all the same', () => {
  const ring = new LegRing(SILENCE, 1000);
  ring.put(21_000, Buffer.alloc(320, 1), 0, 320);
  expect(ring.capacity).toBe(14_336);
  expect(at(ring, 20_999)).toBe(SILENCE);
  ring.put(18_000, Buffer.alloc(160, 2), 0, 160);
  expect(ring.capacity).toBe(14_336);
  expect([17_999, 18_000, 18_159, 18_160, 20_999, 21_000].map((position) => at(ring, position))).toEqual([
    SILENCE,
    2,
    2,
    SILENCE,
    SILENCE,
    1,
  ]);
  ring.put(1000, Buffer.alloc(160, 3), 0, 160);
  expect(ring.capacity).toBe(28_672);
  expect([1000, 1160, 18_000, 21_319, 21_320].map((position) => at(ring, position))).toEqual([
    3,
    SILENCE,
    2,
    1,
    SILENCE,
  ]);
});

test('halves for those that begin what others need no more', () => {
  const large = new LegRing(SILENCE, 0);
  large.put(0, Buffer.alloc(45_000, 1), 0, 45_000);
  large.clear();
  const small = Array.from({ length: 4 }, () => new LegRing(SILENCE, 0));
  const before = process.memoryUsage().arrayBuffers;
  small.forEach((ring, index) => {
    ring.put(0, Buffer.alloc(12_000, index), 0, 12_000);
  });
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024);
  small.forEach((ring, index) => {
    expect(contents(ring).subarray(0, 12_000)).toEqual(Buffer.alloc(12_000, index));
  });
});

test('is silent again where it was given up, even all of it at once', () => {
  const ring = new LegRing(SILENCE, 0);
  ring.put(100, Buffer.alloc(300, 1), 0, 300);
  ring.release(200);
  expect(at(ring, 14_336 + 150)).toBe(SILENCE);
  expect(at(ring, 200)).toBe(1);
  ring.release(1_000_000);
  expect(contents(ring).every((octet) => octet === SILENCE)).toBe(true);
  expect(ring.base).toBe(1_000_000);
});

test('is small again when it holds little, with what it holds', () => {
  const ring = new LegRing(SILENCE, 0);
  const source = Buffer.from(Array.from({ length: 30_000 }, (_none, index) => index % 200));
  ring.put(0, source, 0, source.length);
  ring.release(25_000);
  expect(ring.capacity).toBe(57_344);
  ring.release(27_000);
  expect(ring.capacity).toBe(14_336);
  expect(contents(ring).subarray(0, 3000)).toEqual(source.subarray(27_000));
});

test('gives its memory to others, and takes new when it is used again', () => {
  const [one, other] = [new LegRing(SILENCE, 0), new LegRing(SILENCE, 0)];
  one.put(0, Buffer.alloc(500, 1), 0, 500);
  one.clear();
  expect([one.capacity, one.base]).toEqual([0, 500]);
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
        expect(ring.reaches(position + length)).toBe(true);
        ring.put(position, Buffer.alloc(length + 2, octet), 1, 1 + length);
        for (let index = 0; index < length; index++) model.set(position + index, octet);
        ring.release(ring.base + release);
      }
      const held = contents(ring);
      for (let position = ring.base; position < ring.base + held.length; position++)
        if (held[position - ring.base] !== (model.get(position) ?? SILENCE))
          throw new Error(`position ${position} holds ${String(held[position - ring.base])}`);
    }),
    { numRuns: 50 },
  );
});
