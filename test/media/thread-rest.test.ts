import { afterEach, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { ring, restBell, ThreadRest } from '../../src/media/thread-rest.ts';

let sockets = 0;

afterEach(async () => {
  // What rests looks once more.
  sockets = 0;
  await delay(50);
});

/** Turns of this thread's loop in so many ms. */
async function turnsIn(milliseconds: number, each: () => void = () => undefined): Promise<number> {
  let turns = 0;
  let isOver = false;
  const turn = (): void => {
    turns += 1;
    each();
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  await delay(milliseconds);
  isOver = true;
  return turns;
}

test('a thread that many sockets wake rests between two turns, until they are few', async () => {
  const rest = new ThreadRest(restBell(), () => sockets);
  rest.begin();
  expect(await turnsIn(100)).toBeGreaterThan(100);
  sockets = 200;
  rest.begin();
  rest.begin();
  expect(await turnsIn(300)).toBeLessThanOrEqual(27);
  sockets = 199;
  await delay(20);
  expect(await turnsIn(100)).toBeGreaterThan(100);
  // Again, when there are many again.
  sockets = 200;
  rest.begin();
  expect(await turnsIn(300)).toBeLessThanOrEqual(27);
});

test('does not rest while the bell rings', async () => {
  const bell = restBell();
  const rest = new ThreadRest(bell, () => sockets);
  sockets = 500;
  rest.begin();
  const turns = await turnsIn(300, () => {
    ring(bell);
  });
  expect(turns).toBeGreaterThan(100);
});
