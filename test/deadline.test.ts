import { expect, test } from '@jest/globals';
import { getEventListeners } from 'node:events';
import { withDeadline } from '../src/deadline.ts';

/** Rejects with the reason for which a signal fires. */
const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    const stop = (): void => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop);
  });

test('work is stopped when its time is over, and says so', async () => {
  const { signal } = new AbortController();
  await expect(withDeadline(signal, 5, untilAborted)).rejects.toMatchObject({ name: 'TimeoutError' });
});

test('work is stopped by the signal it is under, for its reason, also when that has fired already', async () => {
  const controller = new AbortController();
  const working = withDeadline(controller.signal, 60_000, untilAborted);
  controller.abort(new Error('the recorder stops'));
  await expect(working).rejects.toThrow('the recorder stops');
  await expect(withDeadline(controller.signal, 60_000, untilAborted)).rejects.toThrow('the recorder stops');
});

test('what was done leaves nothing with a signal that lives on', async () => {
  const { signal } = new AbortController();
  for (let index = 0; index < 100; index += 1)
    await withDeadline(signal, 60_000, () => Promise.resolve(index));
  await expect(withDeadline(signal, 60_000, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(getEventListeners(signal, 'abort')).toEqual([]);
  // Where Node keeps what `AbortSignal.any` was told of a signal.
  const kept = Object.getOwnPropertySymbols(signal).filter(({ description = '' }) =>
    /dependant/i.test(description),
  );
  for (const symbol of kept)
    expect((signal as unknown as Record<symbol, Set<unknown> | undefined>)[symbol]?.size ?? 0).toBe(0);
});
