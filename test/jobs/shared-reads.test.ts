import { expect, test } from '@jest/globals';
import { SharedReads } from '../../src/jobs/shared-reads.ts';

test('reads that are asked for while one is under way share the next, and each has its own answer', async () => {
  const reads: (readonly string[])[] = [];
  const shared = new SharedReads((ids) => {
    reads.push(ids);
    return Promise.resolve(new Map(ids.filter((id) => id !== 'gone').map((id) => [id, id.toUpperCase()])));
  });
  const answers = await Promise.all(['a', 'b', 'gone', 'b'].map((id) => shared.of(id)));
  expect(answers).toEqual(['A', 'B', undefined, 'B']);
  expect(reads).toEqual([['a'], ['b', 'gone']]);
});

test('a read that fails fails for those who share it, and for nobody behind it', async () => {
  let away = true;
  const shared = new SharedReads((ids) =>
    away ? Promise.reject(new Error('away')) : Promise.resolve(new Map(ids.map((id) => [id, id]))),
  );
  await expect(shared.of('a')).rejects.toThrow('away');
  away = false;
  expect(await shared.of('a')).toBe('a');
});
