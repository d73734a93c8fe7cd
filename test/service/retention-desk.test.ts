import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from '../../src/commands/command.ts';
import { deleteRecording } from '../../src/commands/delete.ts';
import { deliveries } from '../../src/commands/deliveries.ts';
import { hold } from '../../src/commands/hold.ts';
import { retention } from '../../src/commands/retention.ts';
import { expire, type ExpiryDeps } from '../../src/jobs/expire.ts';
import { ClockConfirmation } from '../../src/service/clock-confirmation.ts';
import { openDeliveryDesk } from '../../src/service/delivery-desk.ts';
import { openRetentionDesk } from '../../src/service/retention-desk.ts';
import { openAdminToken } from '../../src/store/admin-token.ts';
import { SqlDeliveryWatch } from '../../src/store/delivery-watch.ts';
import { RecordingQueries } from '../../src/store/recording-queries.ts';
import { adminTokenAuthentication } from '../../src/web/api/authentication.ts';
import { deliveriesRoutes } from '../../src/web/api/deliveries-routes.ts';
import type { ApiStep } from '../../src/web/api/register.ts';
import { retentionRoutes } from '../../src/web/api/retention-routes.ts';
import { startWeb, type WebServer } from '../../src/web/server.ts';
import { RetentionRoom, SIGNAL } from '../support/retention-room.ts';
import { MemoryQueries, webOptions } from '../web/fakes.ts';

let room: RetentionRoom;
let server: WebServer;
let config: string;
let databaseAnswered: boolean;
let published: number;
let clock: ClockConfirmation;
let retried: number;
let clockFault: string | undefined;
const steps: ApiStep[] = [];

beforeEach(async () => {
  room = await RetentionRoom.open();
  databaseAnswered = true;
  published = 0;
  clock = new ClockConfirmation();
  retried = 0;
  clockFault = undefined;
  steps.length = 0;
  const { sealing, deps } = room;
  const desk = openRetentionDesk({
    deps,
    timeZone: 'Europe/Berlin',
    clock,
    runs: {
      run: () => expire(expiry(), SIGNAL),
      hindrance: () => Promise.resolve(clockFault),
    },
    publish: () => {
      published++;
    },
  });
  const deliveryDesk = openDeliveryDesk({
    watch: new SqlDeliveryWatch(sealing.database, { node: sealing.node }),
    log: sealing.store,
    retry: () => {
      retried++;
    },
  });
  const token = await openAdminToken(sealing.folder);
  server = await startWeb(
    webOptions(new MemoryQueries(), {
      api: {
        routes: [
          ...retentionRoutes(
            () => (databaseAnswered ? desk : undefined),
            new RecordingQueries(sealing.database),
          ),
          ...deliveriesRoutes(deliveryDesk),
        ],
        authenticate: adminTokenAuthentication(token),
        logStep: (step) => {
          steps.push(step);
          return Promise.resolve();
        },
      },
    }),
  );
  config = join(sealing.folder, 'sealtape.yaml');
  const listen = new URL(server.url).host;
  writeFileSync(config, JSON.stringify({ dataDir: sealing.folder, web: { listen } }));
});

afterEach(async () => {
  await server.close();
  await room.dispose();
});

const expiry = (): ExpiryDeps => ({
  ...room.deps,
  clockFault: () => Promise.resolve(clockFault),
  today: () => '2031-11-24',
  bell: { raise: () => undefined, clear: () => undefined },
  tell: () => undefined,
});

async function run(
  command: Command,
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly said: string }> {
  const lines: string[] = [];
  const code = await command.run([...args, '--config', config], (line) => lines.push(line));
  return { code, said: lines.join('\n') };
}

const stateOf = async (id: string): Promise<string | undefined> =>
  (await room.sealing.store.recording(id))?.state;

const ERASE = ['--reason', 'erasure', '--policy', 'private-call', '--why', 'a private call'];

test('sealtape retention confirm-clock vouches for the clock, and who did is a step in the log', async () => {
  expect(clock.at).toBeUndefined();
  const before = Date.now();
  const confirmed = await run(retention, 'confirm-clock');
  expect(confirmed).toMatchObject({ code: 0, said: expect.stringContaining('taken as right') });
  expect(clock.at).toBeGreaterThanOrEqual(before);
  expect(steps.map(({ step, outcome }) => [step, outcome])).toEqual([['clock confirmed', 'ok']]);
  databaseAnswered = false;
  expect(await run(retention, 'confirm-clock')).toMatchObject({ code: 1 });
});

describe('sealtape hold', () => {
  test('keeps a recording against deletion until it is released, in our log and in the archive', async () => {
    const id = await room.keep('2020-01-31');
    const { fileName = '' } = (await room.sealing.store.recording(id)) ?? {};
    const place = ['place', '--case', 'Az. 12 O 3/26', '--reason', 'a lawsuit', '--recording', fileName];
    const placed = await run(hold, ...place);
    expect(placed).toMatchObject({ code: 0, said: expect.stringContaining('is over 1 recording.') });
    expect(new Set(room.archiveHolds.values())).toEqual(new Set([true]));
    const refused = await run(deleteRecording, id, ...ERASE);
    expect(refused).toMatchObject({ code: 1, said: expect.stringContaining('is kept for Az. 12 O 3/26') });
    expect(await stateOf(id)).toBe('delivered');
    expect((await run(retention)).said).toContain('0 recordings due by');
    expect((await run(retention)).said).toContain('1 more past their day under a hold');
    const listed = await run(hold);
    expect(listed.said).toMatch(/Az\. 12 O 3\/26 {2}1 recording {2}in force\n.*at a terminal\): a lawsuit/);
    const holdId = /^[0-9a-f-]{36}/.exec(listed.said)?.[0] ?? '';
    expect((await run(hold, 'release', holdId, '--reason', 'settled')).code).toBe(0);
    expect(new Set(room.archiveHolds.values())).toEqual(new Set([false]));
    expect((await run(hold)).said).toContain('released');
    expect((await run(deleteRecording, id, ...ERASE)).code).toBe(0);
    expect(await stateOf(id)).toBe('expired');
    expect((await room.entries('hold', 'release', 'tombstone')).map(({ type }) => type)).toEqual([
      'hold',
      'release',
      'tombstone',
    ]);
    expect(published).toBe(3);
  });

  test('says which recording or hold it does not know, and changes nothing', async () => {
    const place = ['place', '--case', 'C-1', '--reason', 'a lawsuit', '--recording', 'nobody-knows-it'];
    expect(await run(hold, ...place)).toEqual({
      code: 1,
      said: 'sealtape hold: No recording is known as nobody-knows-it.',
    });
    const unknown = '00000000-0000-4000-8000-000000000000';
    expect(await run(hold, 'release', unknown, '--reason', 'settled')).toEqual({
      code: 1,
      said: `sealtape hold: This recorder does not know ${unknown}.`,
    });
    expect(await room.store.holds()).toEqual([]);
    expect((await run(hold, 'place', '--case', 'C-1')).code).toBe(2);
  });
});

describe('sealtape delete', () => {
  test('refuses before the last day unless told so, then deletes everywhere and names who ordered it', async () => {
    const id = await room.keep('2099-11-23');
    const refused = await run(deleteRecording, id, ...ERASE);
    expect(refused).toMatchObject({ code: 1, said: expect.stringContaining('kept until 2099-11-23') });
    expect(room.files()).toHaveLength(6);
    const done = await run(deleteRecording, id, ...ERASE, '--before-its-time');
    expect(done).toEqual({ code: 0, said: `  archive: deleted\n${id} is deleted.` });
    expect(room.files()).toEqual([]);
    const [tombstone] = await room.entries('tombstone');
    expect(tombstone).toMatchObject({ rec: id, reason: 'erasure', policy: 'private-call' });
    // Who it was stands in the step; the evidence log holds a hash of it.
    const ordered = steps.find(({ step, outcome }) => step === 'deletion ordered' && outcome === 'ok');
    expect(ordered?.actor).toContain('at a terminal');
    expect(tombstone).toMatchObject({ actor: room.deps.evidence.actor(ordered?.actor ?? '') });
  });

  test('stays pending while the archive refuses, and goes on when it is ordered again', async () => {
    const id = await room.keep('2099-11-23');
    room.away = true;
    const pending = await run(deleteRecording, id, ...ERASE, '--before-its-time');
    expect(pending).toMatchObject({ code: 1, said: expect.stringContaining('archive: failed') });
    const { said } = await run(retention);
    expect(said).toContain(`begun, an archive still refuses: 2099-11-23  wphg-5y  ${id}`);
    room.away = false;
    expect((await run(deleteRecording, id, ...ERASE)).code).toBe(0);
    expect(await room.entries('tombstone-pending', 'tombstone')).toHaveLength(2);
  });
});

describe('sealtape retention', () => {
  test('run deletes now what is due, after a dry run that deletes nothing; who asked is a step', async () => {
    const past = await room.keep('2020-01-31');
    const later = await room.keep('2099-11-23');
    const dry = await run(retention, 'run', '--dry-run');
    expect(dry.code).toBe(0);
    expect(dry.said).toMatch(/^1 recording due by /);
    expect(dry.said).toContain('Nothing was deleted: this was a dry run.');
    expect(await stateOf(past)).toBe('delivered');
    const done = await run(retention, 'run');
    expect(done).toEqual({
      code: 0,
      said: '1 recording deleted, 0 pending in an archive that refuses.',
    });
    expect(await Promise.all([past, later].map(stateOf))).toEqual(['expired', 'delivered']);
    const detail = 'POST /api/v1/retention/runs; 1 deleted, 0 pending, done';
    expect(steps).toMatchObject([{ step: 'deletion run started', detail }]);
  });

  test('run says what stood in its way: a doubtful clock, an archive that refuses', async () => {
    const id = await room.keep('2020-01-31');
    clockFault = 'the clock jumped';
    expect((await run(retention, 'run', '--dry-run')).said).toContain(
      'Nothing would be deleted now: the clock jumped',
    );
    expect(await run(retention, 'run')).toMatchObject({
      code: 1,
      said: expect.stringContaining('It ended early: the clock jumped'),
    });
    expect(await stateOf(id)).toBe('delivered');
    clockFault = undefined;
    room.away = true;
    expect(await run(retention, 'run')).toMatchObject({
      code: 1,
      said: expect.stringContaining('0 recordings deleted, 1 pending'),
    });
  });

  test('lists what falls due by a day without deleting it, and extends', async () => {
    const id = await room.keep('2031-11-23');
    const due = await run(retention, 'report', '--day', '2031-11-24');
    expect(due.said).toContain(`1 recording due by 2031-11-24`);
    expect(due.said).toContain(`2031-11-23  wphg-5y  ${id}`);
    expect(await stateOf(id)).toBe('delivered');
    const extend = ['extend', id, '--case', 'BaFin 7', '--until'];
    expect(await run(retention, ...extend, '2033-11-23')).toEqual({
      code: 0,
      said: `${id} is kept until 2033-11-23.`,
    });
    expect((await run(retention, 'report', '--day', '2031-11-24')).said).toContain('0 recordings due by');
    const shorter = await run(retention, ...extend, '2032-01-01');
    expect(shorter).toMatchObject({ code: 1, said: expect.stringContaining('is kept until 2033-11-23') });
    expect((await run(retention, ...extend, '2033-02-30')).code).toBe(1);
  });

  test('says so while the database has not answered yet', async () => {
    databaseAnswered = false;
    expect(await run(retention)).toEqual({
      code: 1,
      said: 'sealtape retention: The database does not answer.',
    });
  });
});

describe('sealtape deliveries', () => {
  test('lists what failed with its reason, and has it tried again, also what needed a person', async () => {
    const id = await room.keep('2031-11-23');
    expect((await run(deliveries)).said).toBe('Everything has arrived.');
    const [delivery] = await room.sealing.store.deliveries(id);
    if (delivery === undefined) throw new Error('no delivery');
    await room.sealing.store.write((log) =>
      log.setDelivery({ ...delivery, state: 'failed', permanent: true, error: 'wrong password' }),
    );
    const { said } = await run(deliveries, 'list', '--destination', delivery.destination);
    expect(said).toContain("archive: 0 waiting, 1 failed (1 needs somebody's help)\n  last: wrong password");
    expect(said).toMatch(new RegExp(`${id} {2}archive {2}failed, permanent, 1 try: wrong password`));
    expect((await run(deliveries, 'list', '--destination', 'other')).said).toBe('Everything has arrived.');
    expect((await run(deliveries, 'retry', '--destination', 'other')).said).toBe('Nothing has failed.');
    expect(retried).toBe(0);
    expect((await run(deliveries, 'retry', '--recording', id)).said).toBe('One is tried again now.');
    expect(retried).toBe(1);
    expect(await room.sealing.store.openDeliveries()).toMatchObject([{ state: 'waiting', permanent: false }]);
  });
});
