import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LegRing } from '../../src/media/leg-ring.ts';
import { loadLibc } from '../../src/media/receiver/libc.ts';
import { PAGE, threadRings, wordOf } from '../../src/media/ring-store.ts';

const SILENCE = 0xd5;
/** An octet that is neither silence nor what the tests put. */
const FOREIGN = 0xee;

/** What the ring holds from its base on, to behind its end. */
function contents(ring: LegRing): Buffer {
  const length = ring.top - ring.base + 20_000;
  const octets = Buffer.alloc(length);
  ring.read(ring.base, ring.base + length, octets, 0);
  return octets;
}
const at = (ring: LegRing, position: number): number | undefined => contents(ring)[position - ring.base];

test('has the pages its audio needs, up to a minute', () => {
  const ring = new LegRing(SILENCE, 1000);
  const octets = Buffer.alloc(524_288, 1);
  expect(ring.capacity).toBe(0);
  ring.put(1000, octets, 0, 1);
  expect(ring.capacity).toBe(2048);
  ring.put(1001, octets, 0, 2047);
  expect(ring.capacity).toBe(2048);
  ring.put(1000 + 2048, octets, 0, 1);
  expect(ring.capacity).toBe(4096);
  expect(ring.reaches(1000 + 524_288)).toBe(true);
  ring.put(1000, octets, 0, 524_288);
  expect(contents(ring).subarray(0, 524_288).equals(octets)).toBe(true);
  expect(ring.reaches(1000 + 524_289)).toBe(false);
  ring.release(1001);
  expect(ring.reaches(1000 + 524_289)).toBe(true);
});

test('has no memory for what comes before its first audio nor for what it jumps over, and takes it all the same', () => {
  const ring = new LegRing(SILENCE, 1000);
  ring.put(21_000, Buffer.alloc(320, 1), 0, 320);
  expect(ring.capacity).toBe(2048);
  expect(at(ring, 20_999)).toBe(SILENCE);
  ring.put(15_000, Buffer.alloc(160, 2), 0, 160);
  expect(ring.capacity).toBe(4096);
  expect([14_999, 15_000, 15_159, 15_160, 20_999, 21_000].map((position) => at(ring, position))).toEqual([
    SILENCE,
    2,
    2,
    SILENCE,
    SILENCE,
    1,
  ]);
  ring.put(1000, Buffer.alloc(160, 3), 0, 160);
  expect(ring.capacity).toBe(6144);
  ring.put(40_000, Buffer.alloc(160, 4), 0, 160);
  expect(ring.capacity).toBe(8192);
  ring.put(30_000, Buffer.alloc(160, 5), 0, 160);
  expect(ring.capacity).toBe(10_240);
  const positions = [1000, 1160, 15_000, 21_319, 21_320, 29_999, 30_159, 30_160, 40_000, 40_160];
  expect(positions.map((position) => at(ring, position))).toEqual([
    3,
    SILENCE,
    2,
    1,
    SILENCE,
    SILENCE,
    5,
    SILENCE,
    4,
    SILENCE,
  ]);
});

test('takes words as it takes octets, over the edge of a page', () => {
  const [byWords, byOctets] = [new LegRing(SILENCE, 0), new LegRing(SILENCE, 0)];
  const source = Buffer.from(Array.from({ length: 164 }, (_none, index) => index + 1));
  const words = new Int32Array(source.buffer, source.byteOffset & ~3, 41);
  for (const position of [700, 860, 1020, 2700, 2860, 540, 9000]) {
    expect(byWords.putWords(position, words, 4, 164)).toBe(true);
    byOctets.put(position, Buffer.from(words.buffer, words.byteOffset), 4, 164);
  }
  expect(byWords.putWords(9162, words, 0, 160)).toBe(false);
  expect(byWords.putWords(9160, words, 2, 160)).toBe(false);
  expect(contents(byWords)).toEqual(contents(byOctets));
  byWords.release(9160);
  expect(byWords.capacity).toBe(0);
  // Where nothing is held, any position is the edge of a word.
  expect(byWords.putWords(9163, words, 0, 160)).toBe(true);
  expect(at(byWords, 9163)).toBe(words[0] === undefined ? -1 : words[0] & 0xff);
});

test('gives the memory of blocks that nobody needs any more back, but for a few', () => {
  const libc = loadLibc();
  const discarded: Buffer[] = [];
  threadRings.discardBy((octets) => {
    libc.discard(octets);
    discarded.push(octets);
  });
  const rings = Array.from({ length: 12 }, () => new LegRing(SILENCE, 0));
  const before = threadRings.octets;
  for (const ring of rings) ring.put(0, Buffer.alloc(500_000, 1), 0, 500_000);
  expect(threadRings.octets - before).toBeGreaterThan(4_000_000);
  const full = threadRings.octets;
  for (const ring of rings.slice(1)) ring.clear();
  expect(threadRings.octets).toBeLessThanOrEqual(full - 3 * 1024 * 1024);
  expect(at(rings[0] ?? new LegRing(SILENCE, 0), 499_999)).toBe(1);
  // What was discarded is there, and empty, but for what does not fill a page of the kernel.
  expect(discarded.length).toBeGreaterThan(2);
  for (const octets of discarded)
    expect(octets.subarray(65_536, -65_536).every((octet) => octet === 0)).toBe(true);
  for (const ring of rings.slice(1)) ring.put(500_000, Buffer.alloc(400_000, 2), 0, 400_000);
  for (const ring of rings.slice(1)) expect(at(ring, 899_999)).toBe(2);
  for (const ring of rings.slice(1)) ring.clear();
  rings[0]?.clear();
  expect(threadRings.octets).toBeLessThanOrEqual(3 * 1024 * 1024);
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
  expect(ring.capacity).toBe(30_720);
  ring.release(27_000);
  expect(ring.capacity).toBe(4096);
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

/** Pages as another call leaves them. */
function soilPages(): void {
  const pages = Array.from({ length: 300 }, () => threadRings.take());
  for (const page of pages) {
    const begin = wordOf(page) * 4;
    threadRings.blockOf(page).octets.fill(FOREIGN, begin, begin + PAGE);
    threadRings.giveBack(page);
  }
}

test('holds what was put and silence else, never what another call left, through following, jumping, filling and giving up', () => {
  const step = fc.record({
    follows: fc.boolean(),
    ahead: fc.nat(70_000),
    length: fc.integer({ min: 1, max: 3000 }),
    release: fc.nat(9000),
    octet: fc.integer({ min: 0, max: 200 }),
  });
  fc.assert(
    fc.property(fc.nat(100_000), fc.array(step, { maxLength: 40 }), (base, steps) => {
      const ring = new LegRing(SILENCE, base);
      const model = new Map<number, number>();
      soilPages();
      for (const { follows, ahead, length, release, octet } of steps) {
        const position = follows ? ring.top : ring.base + ahead;
        if (!ring.reaches(position + length)) continue;
        ring.put(position, Buffer.alloc(length + 2, octet), 1, 1 + length);
        for (let index = 0; index < length; index++) model.set(position + index, octet);
        ring.release(ring.base + release);
      }
      const held = contents(ring);
      for (let position = ring.base; position < ring.base + held.length; position++)
        if (held[position - ring.base] !== (model.get(position) ?? SILENCE))
          throw new Error(`position ${position} holds ${String(held[position - ring.base])}`);
      ring.clear();
    }),
    { numRuns: 100 },
  );
});
