import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startFreezingProxy } from '../support/freezing-proxy.ts';
import { startPostgres, type Postgres } from '../support/postgres.ts';
import {
  answeredCall,
  awaitRecording,
  callTo,
  entryTypes,
  expectIntact,
  healthOf,
  optionsStatus,
  pause,
  ProductRoom,
  recordingOf,
  spoolOf,
} from '../support/product-room.ts';
import { eventually, type RecorderProcess } from '../support/recorder-process.ts';
import { recordingsIn } from '../support/sealed-recording.ts';
import { startOutsideRedis, type OutsideRedis } from '../support/outside-redis.ts';

const room = new ProductRoom();

afterEach(() => room.close());

describe('PostgreSQL', () => {
  let postgres: Postgres;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres.remove());

  const databaseNamed = async (name: string): Promise<Readonly<Record<string, unknown>>> => ({
    client: 'pg',
    connection: await postgres.createDatabase(name),
  });

  /** A connection that is waited for in vain says so after some seconds; calls are recorded all the while. */
  const databaseSeenAway = (recorder: RecorderProcess): Promise<true> =>
    eventually(async () => {
      const { recording, parts } = await healthOf(recorder);
      expect(recording).toBe(true);
      return parts['database']?.ok === false ? true : undefined;
    }, 15_000);

  test('shared by two recorders that begin it together, and gone in mid-call: everything is recorded, and sealed after its return', async () => {
    const database = await databaseNamed('shared');
    const [one, two] = await Promise.all([
      room.start({ config: { database, installation: 'one' } }),
      room.start({ config: { database, installation: 'two', media: { ports: '32400-32749' } } }),
    ]);
    const before = await Promise.all([callTo(one), callTo(two)]);
    await awaitRecording(one.archive, before[0]);
    await awaitRecording(two.archive, before[1]);

    const running = await Promise.all([answeredCall(one), answeredCall(two)]);
    await postgres.stop();
    const cutOff = await Promise.all(running.map(({ over }) => over));
    const during = await callTo(one);
    expect(cutOff.map(({ outcome }) => outcome)).toEqual(['completed', 'completed']);
    expect(during.outcome).toBe('completed');
    expect(await optionsStatus(one.udpPort)).toBe(200);
    await databaseSeenAway(one);
    await pause(3000);
    expect(recordingsIn(one.archive)).toHaveLength(1);

    await postgres.start();
    for (const report of [cutOff[0], during])
      if (report !== undefined)
        expect((await awaitRecording(one.archive, report, 15_000)).info.get('Status')).toBe('complete');
    if (cutOff[1] !== undefined)
      expect((await awaitRecording(two.archive, cutOff[1], 15_000)).info.get('Status')).toBe('complete');
    expect(await Promise.all([one.stop(), two.stop()])).toEqual([0, 0]);
    for (const { archive } of [one, two]) expectIntact(archive);
    expect(entryTypes(one.archive).filter((type) => type === 'recording')).toHaveLength(3);
    expect(entryTypes(two.archive).filter((type) => type === 'recording')).toHaveLength(2);
  }, 90_000);

  test('away at the start: calls are recorded, and caught up with when it comes', async () => {
    const database = await databaseNamed('late');
    await postgres.stop();
    const recorder = await room.start({ config: { database } });
    const early = await callTo(recorder);
    expect(early.outcome).toBe('completed');
    expect(await optionsStatus(recorder.udpPort)).toBe(200);
    await databaseSeenAway(recorder);
    const running = await answeredCall(recorder);
    await postgres.start();
    const report = await running.over;
    for (const call of [early, report])
      expect((await awaitRecording(recorder.archive, call, 15_000)).info.get('Status')).toBe('complete');
    expect((await healthOf(recorder)).parts['database']?.ok).toBe(true);
    const board = (await (await fetch(`${recorder.web}/queues/api/queues`)).json()) as { queues: unknown[] };
    // Seals, playable copies, and the uploads of the one archive.
    expect(board.queues).toHaveLength(3);
    expect(await recorder.stop()).toBe(0);
    expectIntact(recorder.archive);
    expect(entryTypes(recorder.archive)[0]).toBe('genesis');
  }, 60_000);

  test('without rights for its tables, at the start and while it runs: calls are recorded, and caught up with when the rights are back', async () => {
    await postgres.createDatabase('rights');
    const admin = await postgres.connect('rights');
    const tables = 'ALL TABLES IN SCHEMA public';
    await admin.query('CREATE ROLE recorder LOGIN; GRANT ALL ON SCHEMA public TO recorder');
    const { host } = admin;
    const database = { client: 'pg', connection: { host, user: 'recorder', database: 'rights' } };
    const first = await room.start({ config: { database } });
    await awaitRecording(first.archive, await callTo(first));
    await admin.query(`REVOKE ALL ON ${tables} FROM recorder`);
    const denied = await callTo(first);
    await databaseSeenAway(first);
    await admin.query(`GRANT ALL ON ${tables} TO recorder`);
    expect((await awaitRecording(first.archive, denied, 15_000)).info.get('Status')).toBe('complete');
    await admin.query('REVOKE ALL ON recordings FROM recorder');
    const some = await callTo(first);
    await databaseSeenAway(first);
    await admin.query(`GRANT ALL ON ${tables} TO recorder`);
    expect((await awaitRecording(first.archive, some, 15_000)).info.get('Status')).toBe('complete');
    expect(await first.stop()).toBe(0);

    await admin.query(`REVOKE ALL ON ${tables} FROM recorder`);
    await admin.end();
    await postgres.stop();
    const second = await room.start({ config: { database }, dataDir: first.dataDir });
    await postgres.start();
    const waiting = await callTo(second);
    await eventually(() => second.output().log.includes('the log cannot be opened') || undefined, 15_000);
    await databaseSeenAway(second);
    const again = await postgres.connect('rights');
    await again.query(`GRANT ALL ON ${tables} TO recorder`);
    await again.end();
    expect((await awaitRecording(second.archive, waiting, 20_000)).info.get('Status')).toBe('complete');
    expect((await healthOf(second)).parts['database']?.ok).toBe(true);
    expect(await second.stop()).toBe(0);
    expectIntact(second.archive);
    // One for the restart, however often the log was tried.
    expect(entryTypes(second.archive).filter((type) => type === 'outage')).toHaveLength(1);
  }, 120_000);

  test('that falls silent without closing anything: calls are recorded, a stop ends in time, and nothing is lost', async () => {
    const { host, ...named } = await postgres.createDatabase('silent');
    const proxy = await startFreezingProxy(join(host, '.s.PGSQL.5432'));
    const database = { client: 'pg', connection: { ...named, host: '127.0.0.1', port: proxy.port } };
    const first = await room.start({ config: { database } });
    await awaitRecording(first.archive, await callTo(first));
    proxy.freeze(true);
    const silent = await callTo(first);
    expect(await optionsStatus(first.udpPort)).toBe(200);
    proxy.freeze(false);
    expect((await awaitRecording(first.archive, silent)).info.get('Status')).toBe('complete');

    proxy.freeze(true);
    const last = await callTo(first);
    const asked = performance.now();
    expect(await first.stop()).toBe(1);
    expect(performance.now() - asked).toBeLessThan(28_000);
    proxy.freeze(false);
    const second = await room.start({ config: { database }, dataDir: first.dataDir });
    expect((await awaitRecording(second.archive, last)).info.get('Status')).toBe('complete');
    expect(await second.stop()).toBe(0);
    proxy.close();
    expect(recordingsIn(second.archive)).toHaveLength(3);
    expectIntact(second.archive);
  }, 90_000);

  test('away at the stop: the recorder ends in time, and the next start seals what waited', async () => {
    const database = await databaseNamed('last');
    const first = await room.start({ config: { database } });
    await postgres.stop();
    const report = await callTo(first);
    const asked = performance.now();
    expect(await first.stop()).toBe(1);
    expect(performance.now() - asked).toBeLessThan(20_000);
    expect(first.output().log).toContain('the next start states the outage');
    await postgres.start();
    const second = await room.start({ config: { database }, dataDir: first.dataDir });
    expect((await awaitRecording(second.archive, report)).info.get('Status')).toBe('complete');
    expect(await second.stop()).toBe(0);
    expectIntact(second.archive);
  }, 90_000);
});

describe('an outside Redis', () => {
  let redis: OutsideRedis;
  beforeAll(async () => {
    redis = await startOutsideRedis();
  });
  afterAll(() => redis.stop());

  test('that is emptied while a delivery waits in it: the delivery is asked for again', async () => {
    const mount = mkdtempSync(join(tmpdir(), 'sealtape-mount-'));
    const root = join(mount, 'archive');
    const recorder = await room.start({
      config: { redis: { url: redis.url }, destinations: [{ name: 'archive', kind: 'path', root }] },
    });
    const report = await callTo(recorder);
    await eventually(
      () => (recorder.output().log.includes('upload-archive failed') ? true : undefined),
      8000,
    );
    const admin = new Redis(redis.url);
    expect(await admin.dbsize()).toBeGreaterThan(0);
    await admin.flushall();
    admin.disconnect();
    mkdirSync(root);
    expect((await awaitRecording(root, report, 25_000)).info.get('Status')).toBe('complete');
    expect(await recorder.stop()).toBe(0);
    expect(recordingsIn(root)).toHaveLength(1);
    expectIntact(root);
    rmSync(mount, { recursive: true });
  }, 60_000);

  test.each([
    ['hangs', (server: OutsideRedis) => server.hang(true)],
    ['has no memory left for jobs', (server: OutsideRedis) => server.refuseWrites(true)],
  ])(
    'that %s: recordings are sealed and delivered on foot',
    async (_name, disturb) => {
      const recorder = await room.start({ config: { redis: { url: redis.url } } });
      await awaitRecording(recorder.archive, await callTo(recorder));
      await disturb(redis);
      const report = await callTo(recorder);
      expect((await awaitRecording(recorder.archive, report, 25_000)).info.get('Status')).toBe('complete');
      const asked = performance.now();
      expect(await recorder.stop()).toBe(0);
      expect(performance.now() - asked).toBeLessThan(25_000);
      await redis.hang(false);
      await redis.refuseWrites(false);
      expectIntact(recorder.archive);
    },
    90_000,
  );

  test('carries the jobs while it is there; gone for good, they are done on foot within 15 s', async () => {
    const recorder = await room.start({ config: { redis: { url: redis.url } } });
    await awaitRecording(recorder.archive, await callTo(recorder));
    expect((await healthOf(recorder)).parts['redis']?.ok).toBe(true);
    await redis.stop();
    const report = await callTo(recorder);
    expect(await optionsStatus(recorder.udpPort)).toBe(200);
    expect((await awaitRecording(recorder.archive, report, 15_000)).info.get('Status')).toBe('complete');
    expect(await healthOf(recorder)).toMatchObject({ recording: true, parts: { redis: { ok: false } } });
    const asked = performance.now();
    expect(await recorder.stop()).toBe(0);
    expect(performance.now() - asked).toBeLessThan(15_000);
    expectIntact(recorder.archive);
  }, 60_000);
});

test('an archive that is away keeps its copies waiting in the spool, and gets them without a restart; another one is served meanwhile', async () => {
  const mount = mkdtempSync(join(tmpdir(), 'sealtape-mount-'));
  const root = join(mount, 'later');
  const recorder = await room.start({
    config: {
      destinations: [
        { name: 'archive', kind: 'path', root: './archive' },
        { name: 'later', kind: 'path', root },
      ],
    },
  });
  const report = await callTo(recorder);
  await awaitRecording(recorder.archive, report, 10_000);
  await eventually(() => (recorder.output().log.includes('upload-later failed') ? true : undefined), 5000);
  expect(spoolOf(recorder)).toHaveLength(1);
  expect((await healthOf(recorder)).recording).toBe(true);
  const page = await (await fetch(recorder.web)).text();
  expect(page).toMatch(/class="badge sealed"/);
  expect(page).not.toMatch(/class="badge delivered"/);
  const id = /href="(\/recordings\/[0-9a-f-]+)"/.exec(page)?.[1] ?? '';
  expect(await (await fetch(`${recorder.web}${id}`)).text()).toMatch(/UNREACHABLE/);

  mkdirSync(root);
  await awaitRecording(root, report, 20_000);
  await eventually(() => (spoolOf(recorder).length === 0 ? true : undefined), 5000);
  expect(await (await fetch(recorder.web)).text()).toMatch(/class="badge delivered"/);
  expect(await recorder.stop()).toBe(0);
  for (const archive of [recorder.archive, root]) {
    expect(recordingOf(archive, report)?.info.get('Status')).toBe('complete');
    expectIntact(archive);
  }
  rmSync(mount, { recursive: true });
}, 60_000);
