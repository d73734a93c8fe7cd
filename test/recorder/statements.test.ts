import { expect, test } from '@jest/globals';
import type { RecorderEvent } from '../../src/recorder/events.ts';
import { Statements } from '../../src/recorder/statements.ts';

const event = (step: string): RecorderEvent => ({ type: 'noted', recording: 'r', at: 0, step });

function diskThatRefuses(refusals: number): {
  readonly stated: string[];
  readonly statements: Statements;
  readonly logged: string[];
  readonly alarms: ReadonlySet<string>;
  readonly events: readonly RecorderEvent[];
  readonly mend: () => void;
} {
  const stated: string[] = [];
  const logged: string[] = [];
  const alarms = new Set<string>();
  const events: RecorderEvent[] = [];
  let left = refusals;
  const statements = new Statements({
    journal: {
      writable: true,
      append: (appended) => {
        if (left-- > 0) return Promise.reject(new Error('ENOSPC'));
        events.push(appended);
        stated.push(appended.type === 'noted' ? appended.step : appended.type);
        return Promise.resolve();
      },
    },
    now: Date.now,
    bell: {
      raise: ({ code }) => alarms.add(code),
      clear: (code) => alarms.delete(code),
    },
    log: (_level, message) => logged.push(message),
  });
  const mend = (): void => {
    left = 0;
  };
  return { stated, statements, logged, alarms, events, mend };
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

const ended = (recording: string, at: number): RecorderEvent => ({
  type: 'failed',
  at,
  recording,
  reason: 'no-rtp',
  detail: 'no packet arrived',
});

test('of more than can be kept details are lost first, and how many of which kind is said, rung, counted and stated', async () => {
  const disk = diskThatRefuses(Infinity);
  const { statements, events, logged, alarms } = disk;
  for (let n = 0; n < 50_000; n++) await statements.state({ ...event(`detail ${n}`), at: 1000 + n });
  expect([statements.counts, [...alarms]]).toEqual([{ waiting: 50_000, lost: {} }, []]);
  for (let n = 0; n < 10; n++) await statements.state({ ...event('too much'), at: 70_000 + n });
  for (let n = 0; n < 5; n++) await statements.state(ended(`r${n}`, 80_000 + n));
  expect(statements.counts).toEqual({ waiting: 50_000, lost: { noted: 15 } });
  expect([...alarms]).toEqual(['statements-lost']);
  expect(logged.filter((line) => line.startsWith('statements are lost'))).toHaveLength(1);

  disk.mend();
  expect(await statements.retry()).toBe(true);
  // The newest details gave way to what came behind them, and everything that was kept is in its order.
  expect(events.slice(0, 49_995).map(({ at }) => at)).toEqual(
    Array.from({ length: 49_995 }, (_, n) => 1000 + n),
  );
  expect(events.slice(49_995)).toMatchObject([
    ...[0, 1, 2, 3, 4].map((n) => ({ type: 'failed', recording: `r${n}` })),
    { type: 'outage', phase: 'lost', since: 50_995, counts: { noted: 15 } },
  ]);
  expect([statements.counts, [...alarms]]).toEqual([{ waiting: 0, lost: { noted: 15 } }, []]);
});

test('where only ends of calls wait one more is lost, what holds for all calls is not, and a loss waits for the disk too', async () => {
  const disk = diskThatRefuses(Infinity);
  const { statements, events } = disk;
  for (let n = 0; n < 50_001; n++) await statements.state(ended(`r${n}`, n));
  const rules = {
    version: 1,
    source: 'api',
    actor: 'anna',
    hashBefore: '',
    hashAfter: '',
    rules: '{}',
  } as const;
  await statements.state({ type: 'rules', at: 60_000, ...rules });
  expect(statements.counts).toEqual({ waiting: 50_001, lost: { failed: 1 } });
  expect(await statements.retry()).toBe(false);
  disk.mend();
  expect(await statements.retry()).toBe(true);
  expect(events.slice(-2)).toMatchObject([
    { type: 'rules' },
    { type: 'outage', phase: 'lost', since: 50_000, counts: { failed: 1 } },
  ]);
});

test('what the disk does not take until the end is said to be gone', async () => {
  const { statements, logged } = diskThatRefuses(Infinity);
  await statements.state(event('a'));
  await statements.atEnd();
  expect(logged.at(-1)).toContain('these statements end with the process');
});
