import { expect, test } from '@jest/globals';
import type { Alarm } from '../../src/alarm.ts';
import { MediaWatch } from '../../src/service/media-watch.ts';

test('rings when the kernel drops packets, counts on while it goes on, and ends after ten quiet minutes', async () => {
  const rung: (Alarm | string)[] = [];
  let overruns = 0;
  const fine = { unwritten: 0, smallBuffers: 0, handshakesFailed: 0, diskWait: 0 };
  let now = 0;
  const watch = new MediaWatch(
    { totals: () => Promise.resolve({ ...fine, overruns }) },
    {
      raise: (alarm) => rung.push(alarm),
      clear: (code) => {
        if (code === 'media-packets-dropped') rung.push(`${code} over`);
      },
    },
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

test.each([
  [{ unwritten: 7 }, 'media-audio-unwritten', 'critical', { packets: 7 }],
  [{ smallBuffers: 2 }, 'media-buffers-small', 'warning', { ports: 2 }],
  [{ handshakesFailed: 3 }, 'dtls-handshake-failed', 'warning', { handshakes: 3 }],
  [{ diskWait: 8200 }, 'media-disk-stalled', 'critical', { seconds: 8 }],
])('rings for %j', async (trouble, code, severity, fields) => {
  const active = new Map<string, Alarm>();
  const fine = { overruns: 0, unwritten: 0, smallBuffers: 0, handshakesFailed: 0, diskWait: 0 };
  let now = 0;
  let troubles = { ...fine, ...trouble };
  const bell = {
    raise: (alarm: Alarm) => void active.set(alarm.code, alarm),
    clear: (ended: string) => void active.delete(ended),
  };
  const watch = new MediaWatch({ totals: () => Promise.resolve(troubles) }, bell, () => now);
  await watch.look();
  expect([...active.values()]).toEqual([expect.objectContaining({ code, severity, fields })]);
  troubles = { ...troubles, diskWait: 0 };
  now = 600_000;
  await watch.look();
  expect([...active.keys()]).toEqual([]);
});

test('survives a media side that does not answer', async () => {
  const watch = new MediaWatch(
    { totals: () => Promise.reject(new Error('gone')) },
    { raise: () => undefined, clear: () => undefined },
  );
  await expect(watch.look()).resolves.toBeUndefined();
});

test('names the legs that lost packets since the alarm began, those of its own cause, the last ten', async () => {
  const rung: Alarm[] = [];
  const now = 100_000;
  const fine = { overruns: 5, unwritten: 0, smallBuffers: 0, handshakesFailed: 0, diskWait: 0 };
  const troubled = [
    { leg: 'long-ago caller', cause: 'dropped' as const, at: 10_000 },
    { leg: 'other callee', cause: 'unwritten' as const, at: now },
    ...Array.from({ length: 12 }, (_none, index) => ({
      leg: `rec${index} caller`,
      cause: 'dropped' as const,
      at: now,
    })),
  ];
  const bell = { raise: (alarm: Alarm) => void rung.push(alarm), clear: () => undefined };
  await new MediaWatch({ totals: () => Promise.resolve({ ...fine, troubled }) }, bell, () => now).look();
  const legs = Array.from({ length: 10 }, (_none, index) => `rec${index + 2} caller`).join(', ');
  expect(rung).toHaveLength(1);
  expect(rung[0]?.fields).toEqual({ packets: 5, legs });
  expect(rung[0]?.text).toContain(`last on ${legs}`);
});
