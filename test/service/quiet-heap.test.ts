import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { QuietHeap } from '../../src/service/quiet-heap.ts';

const flags: string[] = [];
let load: number;
let trims: number;
let megabytes: number;
let collections: number;
let heap: QuietHeap;

beforeEach(() => {
  jest.useFakeTimers();
  flags.length = 0;
  load = 0.1;
  trims = 0;
  megabytes = 40;
  collections = 0;
  heap = new QuietHeap({
    load: () => load,
    set: (flag) => flags.push(flag),
    young: () => megabytes * 1024 * 1024,
    collect: () => (collections += 1),
    trim: () => (trims += 1),
  });
});

afterEach(() => {
  heap.stop();
  jest.useRealTimers();
});

test('V8 minds memory once the thread has been quiet for five seconds, and time again when it is busy', () => {
  jest.advanceTimersByTime(4000);
  expect(flags).toEqual([]);
  jest.advanceTimersByTime(1000);
  expect(flags).toEqual(['--optimize-for-size']);
  load = 0.5;
  jest.advanceTimersByTime(1000);
  expect(flags).toEqual(['--optimize-for-size', '--no-optimize-for-size']);
});

test('minds memory for 15 s, once for each busy time', () => {
  jest.advanceTimersByTime(19_000);
  expect(flags).toEqual(['--optimize-for-size']);
  jest.advanceTimersByTime(1000);
  expect(flags).toEqual(['--optimize-for-size', '--no-optimize-for-size']);
  load = 0.2;
  jest.advanceTimersByTime(5000);
  load = 0.1;
  jest.advanceTimersByTime(60_000);
  expect(flags).toHaveLength(2);
  busyThenQuiet(5000);
  expect(flags).toHaveLength(3);
});

test('a pause between two calls is not quiet', () => {
  for (let round = 0; round < 20; round += 1) {
    load = 0.1;
    jest.advanceTimersByTime(4000);
    load = 0.2;
    jest.advanceTimersByTime(1000);
  }
  expect(flags).toEqual([]);
});

test('what malloc keeps goes back half a minute later, and every ten minutes while it stays quiet', () => {
  jest.advanceTimersByTime(24_000);
  expect(trims).toBe(0);
  jest.advanceTimersByTime(1000);
  expect(trims).toBe(1);
  jest.advanceTimersByTime(599_000);
  expect(trims).toBe(1);
  jest.advanceTimersByTime(1000);
  expect(trims).toBe(2);
  load = 0.2;
  jest.advanceTimersByTime(3_600_000);
  expect(trims).toBe(2);
});

/** A second at work, then so many ms of quiet. */
function busyThenQuiet(quiet: number): void {
  load = 0.5;
  jest.advanceTimersByTime(1000);
  load = 0.1;
  jest.advanceTimersByTime(quiet);
}

test('V8 is asked to collect where it has much for new objects still, and once more where it keeps it, for each busy time', () => {
  jest.advanceTimersByTime(16_000);
  expect(collections).toBe(0);
  jest.advanceTimersByTime(1000);
  expect(collections).toBe(1);
  jest.advanceTimersByTime(5000);
  expect(collections).toBe(1);
  jest.advanceTimersByTime(1000);
  expect(collections).toBe(2);
  load = 0.2;
  jest.advanceTimersByTime(1000);
  load = 0.1;
  jest.advanceTimersByTime(3_600_000);
  expect(collections).toBe(2);
  busyThenQuiet(60_000);
  expect(collections).toBe(4);
});

test('V8 is not asked again where the first time was enough, nor when the thread is at work again', () => {
  jest.advanceTimersByTime(17_000);
  megabytes = 1;
  jest.advanceTimersByTime(60_000);
  expect(collections).toBe(1);
  megabytes = 60;
  busyThenQuiet(22_000);
  expect(collections).toBe(2);
  busyThenQuiet(16_000);
  expect(collections).toBe(2);
});

test('V8 is not asked where it has given back by itself what it had for new objects', () => {
  busyThenQuiet(8000);
  megabytes = 2;
  jest.advanceTimersByTime(60_000);
  expect(collections).toBe(0);
});

test('leaves V8 as it was found', () => {
  jest.advanceTimersByTime(5000);
  heap.stop();
  expect(flags).toEqual(['--optimize-for-size', '--no-optimize-for-size']);
  jest.advanceTimersByTime(60_000);
  expect(flags).toHaveLength(2);
});
