import { afterEach, describe, expect, test } from '@jest/globals';
import { appendFileSync, existsSync, mkdtempSync, readdirSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LONG } from '../support/long-run.ts';
import {
  answeredCall,
  awaitRecording,
  callTo,
  callToBeCutOff,
  entriesIn,
  entryTypes,
  expectIntact,
  healthOf,
  pause,
  ProductRoom,
} from '../support/product-room.ts';
import { awaitRecordings, recordingsIn } from '../support/sealed-recording.ts';

const room = new ProductRoom();

afterEach(() => room.close());

/** What the outage entries say, in order. */
const outagesIn = (archive: string): readonly (readonly (string | undefined)[])[] =>
  entriesIn(archive)
    .filter((entry) => entry.get('type') === 'outage')
    .map((entry) => [entry.get('cause'), entry.get('clean')]);

test('calls that found no port, counted when the process was killed, are in the log with the outage after the next start', async () => {
  // Other tests have ports from 30000 on at the same time.
  const first = await room.start({ config: { media: { ports: '28400-28403' } } });
  const { dataDir, archive } = first;
  const { over } = await answeredCall(first, { timers: { t1: 100, timeout: 1000 } });
  over.catch(() => undefined);
  for (let n = 0; n < 4; n++)
    await expect(callTo(first)).rejects.toMatchObject({ code: 'REFUSED', status: 503 });
  // Within two seconds the counts are on disk, and the outage is noticed.
  await pause(2500);
  expect((await healthOf(first)).alarms).toMatchObject([
    { code: 'media-ports-exhausted', severity: 'critical' },
  ]);
  await first.kill();
  const second = await room.start({ dataDir });
  await awaitRecordings(archive, 1);
  expect(await second.stop()).toBe(0);
  const refused = entriesIn(archive).filter((entry) => entry.get('type') === 'refused');
  expect(refused.map((entry) => [entry.get('reason'), entry.get('count')])).toEqual([
    ['503', '1'],
    ['503', '3'],
  ]);
  expect(outagesIn(archive)).toEqual([
    ['crash', 'no'],
    ['ports', 'no'],
  ]);
  expectIntact(archive);
}, 60_000);

describe('the chain', () => {
  test('goes on over clean stops and crashes in a row, and states each of them', async () => {
    const first = await room.start();
    const { dataDir, archive } = first;
    await awaitRecording(archive, await callTo(first));
    expect(await first.stop()).toBe(0);
    expect(entryTypes(archive)).toEqual(['genesis', 'open', 'recording', 'close']);

    const second = await room.start({ dataDir });
    await callToBeCutOff(second);
    await second.kill();

    const third = await room.start({ dataDir });
    await awaitRecordings(archive, 2);
    await third.kill();

    const fourth = await room.start({ dataDir });
    expect(await fourth.stop()).toBe(0);
    const fifth = await room.start({ dataDir });
    await awaitRecording(archive, await callTo(fifth));
    expect(await fifth.stop()).toBe(0);

    expect(outagesIn(archive)).toEqual([
      ['stop', 'yes'],
      ['crash', 'no'],
      ['crash', 'no'],
      ['stop', 'yes'],
    ]);
    const types = entryTypes(archive).filter((type) => type !== 'outage');
    expect(types).toEqual([
      ...['genesis', 'open', 'recording', 'close'],
      ...['open', 'recovered', 'recording', 'close'],
      ...['open', 'recording', 'close'],
    ]);
    expect(recordingsIn(archive)).toHaveLength(3);
    expectIntact(archive);
  }, 180_000);

  test('says of a crash between calls from when to when nothing was recorded', async () => {
    const first = await room.start();
    await pause(2500);
    const killedAt = Date.now();
    await first.kill();
    await pause(1000);
    const second = await room.start({ dataDir: first.dataDir });
    const startedAt = Date.now();
    expect(await second.stop()).toBe(0);
    const outage = entriesIn(second.archive).find((entry) => entry.get('type') === 'outage');
    const [from, to] = ['from', 'to'].map((key) => Date.parse(outage?.get(key) ?? ''));
    expect(killedAt - Number(from)).toBeLessThan(2600);
    expect(Number(from)).toBeLessThanOrEqual(killedAt);
    expect(Number(to)).toBeGreaterThan(killedAt + 900);
    expect(Number(to)).toBeLessThanOrEqual(startedAt);
    expectIntact(second.archive);
  });
});

describe('a damaged data directory', () => {
  const TAILS = [
    ['zeros, as a power cut leaves them', '\0'.repeat(4096)],
    ['garbage', 'not a line of a journal\n\u0000\u0001{"type":'],
    ['half a line', '{"sequence":'],
  ] as const;
  test.each(LONG ? TAILS : TAILS.slice(0, 1))(
    'with %s behind the journal is opened, said so, and nothing is lost',
    async (_name, tail) => {
      const first = await room.start();
      await callToBeCutOff(first);
      await first.kill();
      const journal = join(first.dataDir, 'journal');
      const newest = readdirSync(journal).sort().at(-1);
      appendFileSync(join(journal, newest ?? ''), tail);

      const second = await room.start({ dataDir: first.dataDir });
      expect(second.output().log).toContain('the journal was damaged');
      const [recovered] = await awaitRecordings(second.archive, 1);
      expect(recovered?.info.get('Status')).toBe('recovered');
      const report = await callTo(second);
      expect((await awaitRecording(second.archive, report)).info.get('Status')).toBe('complete');
      expect(await second.stop()).toBe(0);
      expectIntact(second.archive);
    },
  );

  test('without its keys is not used: the evidence log is not continued with a new key', async () => {
    const first = await room.start();
    await awaitRecording(first.archive, await callTo(first));
    expect(await first.stop()).toBe(0);
    const keys = join(first.dataDir, 'keys');
    const safe = mkdtempSync(join(tmpdir(), 'sealtape-keys-'));
    renameSync(keys, join(safe, 'keys'));
    const refused = await room.start({ dataDir: first.dataDir });
    expect(refused.output().banner).toContain(`TAKES NO CALLS: ${keys} is missing`);
    await expect(callTo(refused)).rejects.toMatchObject({ code: 'REFUSED', status: 503 });
    // The log is not closed.
    expect(await refused.stop()).toBe(1);
    expect(existsSync(keys)).toBe(false);
    renameSync(join(safe, 'keys'), keys);
    const again = await room.start({ dataDir: first.dataDir });
    expect(await again.stop()).toBe(0);
    expectIntact(again.archive);
  });

  test('is not used while another recorder uses it, and is free again when that one is killed', async () => {
    const first = await room.start();
    const refusal = await room.refusalOf({ dataDir: first.dataDir });
    expect(refusal.match(/^sealtape: .*$/gm)).toEqual([
      expect.stringContaining(`process ${first.child.pid}`),
    ]);
    await first.kill();
    const second = await room.start({ dataDir: first.dataDir });
    expect(await second.stop()).toBe(0);
  });
});
