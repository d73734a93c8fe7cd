import { expect, test } from '@jest/globals';
import type { RefusedEvent } from '../../src/recorder/events.ts';
import { Refusals } from '../../src/recorder/refusals.ts';
import { openRefusalBook, readRefusalBook } from '../../src/store/refusal-book.ts';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

test('a flood of refusals is stated once at once and once a minute, and none is forgotten', async () => {
  const stated: RefusedEvent[] = [];
  let clock = 0;
  const refusals = new Refusals({ publish: (event) => stated.push(event), now: () => clock });
  for (; clock < 120_000; clock += 10) refusals.add({ reason: '403', detail: 'address not listed' });
  refusals.add({ reason: '488', detail: 'no audio', trunk: 'pbx' });
  await refusals.flush();
  expect(stated.length).toBeLessThan(8);
  expect(stated[0]).toMatchObject({ at: 0, reason: '403', count: 1, windowSeconds: 0 });
  const total = (reason: string): number =>
    stated.filter((event) => event.reason === reason).reduce((sum, { count }) => sum + count, 0);
  expect(total('403')).toBe(12_000);
  expect(total('488')).toBe(1);
});

test('what was counted and not stated is in the book within two seconds, and leaves it when it is stated', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sealtape-refusals-'));
  const path = join(folder, 'refusals.json');
  try {
    const stated: RefusedEvent[] = [];
    const book = openRefusalBook(path);
    const refusals = new Refusals({ publish: (event) => stated.push(event), now: Date.now, book });
    for (let n = 0; n < 5; n++) refusals.add({ reason: '403', detail: 'address not listed', trunk: 'pbx' });
    expect(await readRefusalBook(path)).toEqual([]);
    await delay(1500);
    const left = await readRefusalBook(path);
    expect(left).toMatchObject([{ type: 'refused', reason: '403', trunk: 'pbx', count: 4 }]);
    await refusals.flush();
    expect(stated.map(({ count }) => count)).toEqual([1, 4]);
    expect(await readRefusalBook(path)).toEqual([]);
    writeFileSync(path, '[{"type":"refused"');
    expect(await readRefusalBook(path)).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
