import { expect, test } from '@jest/globals';
import type { RecorderEvent } from '../../src/recorder/events.ts';
import { Statements } from '../../src/recorder/statements.ts';

const event = (step: string): RecorderEvent => ({ type: 'noted', recording: 'r', at: 0, step });

function diskThatRefuses(refusals: number): {
  readonly stated: string[];
  readonly statements: Statements;
  readonly logged: string[];
} {
  const stated: string[] = [];
  const logged: string[] = [];
  let left = refusals;
  const statements = new Statements({
    journal: {
      writable: true,
      append: (appended) => {
        if (left-- > 0) return Promise.reject(new Error('ENOSPC'));
        stated.push(appended.type === 'noted' ? appended.step : appended.type);
        return Promise.resolve();
      },
    },
    log: (_level, message) => logged.push(message),
  });
  return { stated, statements, logged };
}

test('an event the disk takes is stated at once', async () => {
  const { stated, statements, logged } = diskThatRefuses(0);
  expect(await statements.state(event('a'))).toBe(true);
  expect(stated).toEqual(['a']);
  expect(logged).toEqual([]);
});

test('an event the disk refuses is kept, said to be, and stated before those that came after it', async () => {
  const { stated, statements, logged } = diskThatRefuses(2);
  expect(await statements.state(event('a'))).toBe(false);
  expect(await statements.state(event('b'))).toBe(false);
  expect(await statements.retry()).toBe(false);
  expect(stated).toEqual([]);
  expect(await statements.state(event('c'))).toBe(false);
  expect(await statements.retry()).toBe(true);
  expect(stated).toEqual(['a', 'b', 'c']);
  expect(logged).toHaveLength(1);
  expect(await statements.state(event('d'))).toBe(true);
});

test('two tries at the same moment state nothing twice', async () => {
  const { stated, statements } = diskThatRefuses(1);
  await statements.state(event('a'));
  expect(await Promise.all([statements.retry(), statements.retry()])).toEqual([true, true]);
  expect(stated).toEqual(['a']);
});

test('it tries by itself until the disk takes events again', async () => {
  const { stated, statements } = diskThatRefuses(2);
  await statements.state(event('a'));
  while (stated.length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
  expect(stated).toEqual(['a']);
});
