import { expect, test } from '@jest/globals';
import { OnFoot } from '../../src/service/on-foot.ts';

interface Job {
  readonly destination: string;
  readonly name: string;
}

const jobs = (destination: string, names: readonly string[]): readonly Job[] =>
  names.map((name) => ({ destination, name }));

test('a destination that hangs holds up nobody but itself, and gets nothing new meanwhile', async () => {
  const begun: string[] = [];
  let answer = (): void => undefined;
  const hanging = new Promise<void>((resolve) => (answer = resolve));
  const onFoot = new OnFoot<Job>(async ({ destination, name }) => {
    begun.push(name);
    if (destination === 'hanging') await hanging;
  });
  const { signal } = new AbortController();
  onFoot.begin([...jobs('hanging', ['h1']), ...jobs('healthy', ['a', 'b', 'c', 'd', 'e', 'f'])], signal);
  await new Promise(setImmediate);
  expect(begun).toEqual(['h1', 'a', 'b', 'c', 'd', 'e', 'f']);
  onFoot.begin([...jobs('hanging', ['h1', 'h2']), ...jobs('healthy', ['g'])], signal);
  await new Promise(setImmediate);
  expect(begun.slice(7)).toEqual(['g']);
  answer();
  await onFoot.idle();
  onFoot.begin(jobs('hanging', ['h2']), signal);
  await onFoot.idle();
  expect(begun.slice(8)).toEqual(['h2']);
});

test('no more than four uploads to a destination run at once, and none begins after the signal', async () => {
  let running = 0;
  let most = 0;
  let done = 0;
  const stop = new AbortController();
  const onFoot = new OnFoot<Job>(async () => {
    most = Math.max(most, ++running);
    await new Promise(setImmediate);
    running--;
    if (++done === 8) stop.abort();
  });
  onFoot.begin(
    jobs(
      'archive',
      Array.from({ length: 40 }, (_none, index) => `${index}`),
    ),
    stop.signal,
  );
  await onFoot.idle();
  expect(most).toBe(4);
  expect(done).toBeGreaterThanOrEqual(8);
  expect(done).toBeLessThanOrEqual(11);
});
