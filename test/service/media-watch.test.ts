import { expect, test } from '@jest/globals';
import type { Alarm } from '../../src/alarm.ts';
import { MediaWatch } from '../../src/service/media-watch.ts';

test('rings when the kernel drops packets, counts on while it goes on, and ends after ten quiet minutes', async () => {
  const rung: (Alarm | string)[] = [];
  let overruns = 0;
  let now = 0;
  const watch = new MediaWatch(
    { totals: () => Promise.resolve({ overruns }) },
    { raise: (alarm) => rung.push(alarm), clear: (code) => rung.push(`${code} over`) },
    () => now,
  );
  await watch.look();
  expect(rung).toEqual([]);
  overruns = 12;
  await watch.look();
  overruns = 20;
  await watch.look();
  expect(rung).toMatchObject([
    { code: 'media-packets-dropped', severity: 'critical', fields: { packets: 12 } },
    { fields: { packets: 20 } },
  ]);
  now = 599_999;
  await watch.look();
  expect(rung).toHaveLength(2);
  now = 600_000;
  await watch.look();
  await watch.look();
  expect(rung.slice(2)).toEqual(['media-packets-dropped over']);
  overruns = 21;
  await watch.look();
  expect(rung[3]).toMatchObject({ fields: { packets: 1 } });
});

test('survives a media side that does not answer', async () => {
  const watch = new MediaWatch(
    { totals: () => Promise.reject(new Error('gone')) },
    { raise: () => undefined, clear: () => undefined },
  );
  await expect(watch.look()).resolves.toBeUndefined();
});
