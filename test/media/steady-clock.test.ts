import { expect, test } from '@jest/globals';
import { SteadyClock } from '../../src/media/steady-clock.ts';

test('goes on evenly when the wall clock is set, forth and back', () => {
  let monotonic = 50;
  const clock = new SteadyClock(1_000_000, () => monotonic);
  monotonic += 20;
  expect(clock.update(1_000_020)).toBe(1_000_020);
  monotonic += 20;
  expect(clock.update(8_000_040)).toBe(1_000_040);
  expect(clock.steady(8_000_050)).toBe(1_000_050);
  monotonic += 20;
  expect(clock.update(500_060)).toBe(1_000_060);
  expect(clock.steady(500_060)).toBe(1_000_060);
});

test('follows a clock that is corrected slowly, and a thread that was held up', () => {
  let monotonic = 0;
  const clock = new SteadyClock(0, () => monotonic);
  for (let second = 1; second <= 1000; second++) {
    monotonic = second * 1000;
    expect(clock.update(second * 1000.5)).toBe(second * 1000.5);
  }
  monotonic += 30_000;
  expect(clock.update(1_030_500)).toBe(1_030_500);
});

test('does not believe a time stamped on the other side of a step', () => {
  const clock = new SteadyClock(1_000_000, () => 0);
  expect(clock.steady(1_000_000 - 7_200_000)).toBe(1_000_000);
  expect(clock.steady(1_000_000 - 4000)).toBe(996_000);
});
