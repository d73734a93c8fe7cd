import { expect, test } from '@jest/globals';
import { inParallel } from '../../verify-cli/in-parallel.ts';
import { ProgressBar } from '../../verify-cli/progress.ts';

test('the progress bar is drawn no more than ten times a second, at the end always, and is taken away', () => {
  const drawn: string[] = [];
  let now = 1000;
  const bar = new ProgressBar(
    (text) => drawn.push(text),
    () => now,
  );
  bar.update(1, 3);
  bar.update(2, 3);
  now += 50;
  bar.update(3, 3);
  bar.clear();
  expect(drawn).toEqual([
    `\r[${'#'.repeat(10)}${'.'.repeat(20)}] 1 of 3 recordings`,
    `\r[${'#'.repeat(30)}] 3 of 3 recordings`,
    '\r\u001b[K',
  ]);
});

test('work in parallel keeps the order of its items and its limit', async () => {
  let running = 0;
  let most = 0;
  const results = await inParallel([3, 1, 2, 5, 4], 2, async (item) => {
    running += 1;
    most = Math.max(most, running);
    for (let turn = 0; turn < item; turn += 1) await Promise.resolve();
    running -= 1;
    return item * 10;
  });
  expect(results).toEqual([30, 10, 20, 50, 40]);
  expect(most).toBe(2);
});
