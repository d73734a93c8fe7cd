import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Alarm } from '../../src/alarm.ts';
import { deleteRecording } from '../../src/jobs/delete-recording.ts';
import type { Destination } from '../../src/jobs/destination.ts';
import { expire, type ExpiryDeps } from '../../src/jobs/expire.ts';
import { extendRetention, placeHold, releaseHold } from '../../src/jobs/holds.ts';
import { seal } from '../../src/jobs/seal.ts';
import { RetentionRoom, SIGNAL } from '../support/retention-room.ts';

let room: RetentionRoom;
let deps: ExpiryDeps;
let today: string;
let fault: string | undefined;
const alarms = new Map<string, Alarm>();

beforeEach(async () => {
  room = await RetentionRoom.open();
  today = '2031-11-24';
  fault = undefined;
  alarms.clear();
  deps = {
    ...room.deps,
    clockFault: () => Promise.resolve(fault),
    today: () => today,
    bell: {
      raise: (alarm) => {
        alarms.set(alarm.code, alarm);
      },
      clear: (code) => {
        alarms.delete(code);
      },
    },
    tell: () => undefined,
  };
});

afterEach(() => room.dispose());

const stateOf = async (id: string): Promise<string | undefined> =>
  (await room.sealing.store.recording(id))?.state;

const ORDER = { reason: 'erasure', policy: 'private-call', actor: 'anna', why: 'a private call' } as const;

describe('a recording past its last day', () => {
  test('is deleted once when it is deleted for its time and by order at the same moment', async () => {
    const id = await room.keep('2031-11-23');
    const results = await Promise.all([
      expire(deps, SIGNAL),
      deleteRecording(id, ORDER, room.deps, SIGNAL),
      deleteRecording(id, ORDER, { ...room.deps }, SIGNAL),
    ]);
    expect(results[0]).toMatchObject({ outcome: 'done', deleted: 1, pending: 0 });
    expect(results.slice(1)).toMatchObject([{ state: 'deleted' }, { state: 'deleted' }]);
    expect(await room.entries('tombstone-pending', 'tombstone')).toHaveLength(2);
    expect(room.files()).toEqual([]);
  });

  test('that gets a hold at the same moment is either kept, or being deleted and not held', async () => {
    const id = await room.keep('2031-11-23');
    const hold = { recordings: [id], case: 'Az. 1', reason: 'a lawsuit', actor: 'anna' };
    const [held, deleted] = await Promise.allSettled([
      placeHold(hold, room.deps, SIGNAL),
      deleteRecording(id, ORDER, room.deps, SIGNAL),
    ]);
    expect([held.status, deleted.status].sort()).toEqual(['fulfilled', 'rejected']);
    expect(await stateOf(id)).toBe(held.status === 'fulfilled' ? 'delivered' : 'expired');
    expect(await room.entries('hold', 'tombstone')).toHaveLength(1);
  });

  test('that is kept longer while a run is under way stays, and so do the others in their order', async () => {
    const [first, longer, last] = [
      await room.keep('2031-11-21'),
      await room.keep('2031-11-22'),
      await room.keep('2031-11-23'),
    ];
    let asked = 0;
    const clockFault = async (): Promise<undefined> => {
      // Before the second recording of the batch: an authority's order comes in.
      if (++asked === 2)
        await extendRetention(
          { recording: longer, until: '2033-11-23', case: 'BaFin 1', actor: 'anna' },
          room.deps,
          SIGNAL,
        );
    };
    expect(await expire({ ...deps, clockFault }, SIGNAL)).toMatchObject({ deleted: 2, pending: 0 });
    expect(await Promise.all([first, longer, last].map(stateOf))).toEqual([
      'expired',
      'delivered',
      'expired',
    ]);
  });

  test('whose copies nobody knows any more keeps no other from being deleted', async () => {
    const [unknown, other] = [await room.keep('2031-11-22'), await room.keep('2031-11-23')];
    await room.sealing.database.knex('copies').where({ recording: unknown }).delete();
    expect(await expire(deps, SIGNAL)).toMatchObject({ outcome: 'done', deleted: 1, pending: 1 });
    expect([await stateOf(unknown), await stateOf(other)]).toEqual(['delivered', 'expired']);
    expect(alarms.has('deletion-pending')).toBe(true);
  });

  test('whose deletion has begun cannot be kept longer any more', async () => {
    const id = await room.keep('2031-11-23');
    const order = { recording: id, until: '2033-11-23', case: 'BaFin 1', actor: 'anna' };
    const [extended, deleted] = await Promise.allSettled([
      extendRetention(order, room.deps, SIGNAL),
      expire(deps, SIGNAL),
    ]);
    expect(deleted.status).toBe('fulfilled');
    expect(await stateOf(id)).toBe(extended.status === 'fulfilled' ? 'delivered' : 'expired');
  });

  test('is deleted everywhere, with a tombstone; what is kept longer or for ever stays', async () => {
    const past = await room.keep('2031-11-23');
    const lastDay = await room.keep('2031-11-24');
    const forEver = await room.keep(undefined, 'none');
    const run = await expire(deps, SIGNAL);
    expect(run).toMatchObject({ day: today, outcome: 'done', due: 1, deleted: 1, pending: 0 });
    expect(await stateOf(past)).toBe('expired');
    expect(await stateOf(lastDay)).toBe('delivered');
    expect(await stateOf(forEver)).toBe('delivered');
    expect(room.files()).toHaveLength(12);
    const entries = await room.entries('recording', 'tombstone-pending', 'tombstone');
    const ofIndex = (await room.sealing.store.recording(past))?.entryIndex;
    const body = {
      rec: past,
      ofIndex,
      reason: 'retention',
      policy: 'wphg-5y',
      due: '2031-11-23',
      actor: 'system',
    };
    expect(entries.slice(3)).toEqual([
      { type: 'tombstone-pending', ...body, targets: 'archive=pending' },
      { type: 'tombstone', ...body, targets: 'archive=deleted' },
    ]);
    expect(await room.store.lastRun()).toEqual(run);
  });

  test('leaves nothing that leads to a person in the log', async () => {
    const id = await room.keep('2031-11-23');
    const { description, fileName } = (await room.sealing.store.recording(id)) ?? {};
    await expire(deps, SIGNAL);
    const { knex } = room.sealing.database;
    const traces: string[] = [];
    for (const table of [
      'recordings',
      'participants',
      'files',
      'deliveries',
      'copies',
      'steps',
      'recording_links',
    ])
      traces.push(JSON.stringify(await knex(table).select()));
    const all = traces.join('\n');
    expect(description?.caller.number).toBeTruthy();
    for (const person of [
      description?.caller.number,
      description?.callee.number,
      description?.caller.name,
      fileName,
    ])
      if (person !== undefined) expect(all).not.toContain(person);
    // The hashes stay: they are what the signed entry speaks of.
    expect(await room.sealing.store.files(id)).toHaveLength(6);
    expect(await room.sealing.store.copies(id)).toHaveLength(6);
  });

  test('stays pending while an archive refuses, and goes when it no longer does', async () => {
    const id = await room.keep('2031-11-23');
    const wav = (await room.sealing.store.copies(id)).find(({ name }) => name.endsWith('.wav'))?.path ?? '';
    room.locked.add(wav);
    expect(await expire(deps, SIGNAL)).toMatchObject({ due: 1, deleted: 0, pending: 1 });
    expect(alarms.has('deletion-pending')).toBe(true);
    expect(await stateOf(id)).toBe('delivered');
    expect(await room.entries('tombstone')).toEqual([]);
    room.locked.clear();
    room.away = true;
    expect(await expire(deps, SIGNAL)).toMatchObject({ due: 0, deleted: 0, pending: 1 });
    room.away = false;
    expect(await expire(deps, SIGNAL)).toMatchObject({ due: 0, deleted: 1, pending: 0 });
    expect(alarms.size).toBe(0);
    expect(room.files()).toEqual([]);
    // Begun once, whatever it took.
    expect(await room.entries('tombstone-pending', 'tombstone')).toHaveLength(2);
  });

  test('is deleted wherever that is possible at once, and the tombstone says so of every archive, however long it took', async () => {
    const id = await room.keep('2031-11-23');
    const copies = await room.sealing.store.copies(id);
    const elsewhere = ['second', 'third'].map((name) =>
      copies.map((copy) => ({ ...copy, destination: name })),
    );
    await room.sealing.store.write(async (log) => {
      for (const each of elsewhere) await log.putCopies(each);
    });
    const [first] = room.deps.destinations.values();
    const removedOf = (name: string, there: boolean): Destination =>
      Object.assign(Object.create(first as object) as Destination, {
        name,
        remove: () => Promise.resolve(there && !gone.has(name)).finally(() => gone.add(name)),
      });
    const gone = new Set<string>();
    const destinations = new Map([
      ...room.deps.destinations,
      ['second', removedOf('second', true)],
      ['third', removedOf('third', false)],
    ]);
    room.away = true;
    expect(await expire({ ...deps, destinations }, SIGNAL)).toMatchObject({ pending: 1 });
    room.away = false;
    expect(await expire({ ...deps, destinations }, SIGNAL)).toMatchObject({ deleted: 1 });
    expect(await room.entries('tombstone')).toMatchObject([
      { targets: 'archive=deleted second=deleted third=absent' },
    ]);
    const removed = (await room.sealing.store.copies(id)).map(({ removedAt }) => removedAt);
    expect(removed).toHaveLength(18);
    expect(removed).not.toContain(undefined);
  });

  test('is not deleted while the clock is in doubt, and that is an alarm', async () => {
    const id = await room.keep('2031-11-23');
    fault = 'the clock jumped by 9000 s since the recorder was started';
    expect(await expire(deps, SIGNAL)).toMatchObject({ outcome: fault, deleted: 0 });
    expect(alarms.get('deletion-stopped')?.text).toContain('jumped');
    expect(await stateOf(id)).toBe('delivered');
    expect(room.files()).toHaveLength(6);
    fault = undefined;
    await expire(deps, SIGNAL);
    expect(alarms.size).toBe(0);
  });

  test('is not deleted when the log cannot be asked', async () => {
    await room.keep('2031-11-23');
    const away = Object.assign(new Error('database is away'), { code: 'UNAVAILABLE' });
    room.store.holdsOver = () => Promise.reject(away);
    await expect(expire(deps, SIGNAL)).rejects.toBe(away);
    expect(room.files()).toHaveLength(6);
    expect(await room.entries('tombstone-pending')).toEqual([]);
  });

  test('is not deleted when its archive is no longer configured: nobody would know that a copy is left', async () => {
    const id = await room.keep('2031-11-23');
    expect(await expire({ ...deps, destinations: new Map() }, SIGNAL)).toMatchObject({ pending: 1 });
    expect(await stateOf(id)).toBe('delivered');
  });

  test('that was never delivered is deleted from the spool', async () => {
    room.sealing.deps = { ...room.sealing.deps, destinations: [] };
    room.sealing.kept = { profile: 'days-1', until: '2031-11-23' };
    const id = await room.sealing.recordCall();
    await seal(id, room.sealing.deps);
    expect(readdirSync(join(room.sealing.folder, 'spool'))).toEqual([id]);
    expect(await expire(deps, SIGNAL)).toMatchObject({ deleted: 1 });
    expect(readdirSync(join(room.sealing.folder, 'spool'))).toEqual([]);
    expect(await room.entries('tombstone')).toMatchObject([{ rec: id, targets: '-' }]);
  });
});

const plain = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('a hold', () => {
  const hold = (recordings: readonly string[]) =>
    placeHold({ case: 'BaFin 2031/17', reason: 'enquiry', actor: 'anna', recordings }, deps, SIGNAL);

  test('keeps recordings past their time, in archives that can hold too, until it is released', async () => {
    const held = await room.keep('2031-11-23');
    const free = await room.keep('2031-11-23');
    const placed = await hold([held]);
    expect(placed.faults).toEqual([]);
    expect([...room.archiveHolds.values()]).toEqual(Array(6).fill(true));
    expect(await room.store.countDue(today)).toEqual({ due: 1, held: 1 });
    expect(await expire(deps, SIGNAL)).toMatchObject({ deleted: 1 });
    expect(await stateOf(free)).toBe('expired');
    expect(await stateOf(held)).toBe('delivered');
    await expect(deleteRecording(held, ORDER, deps, SIGNAL)).rejects.toMatchObject({ code: 'HELD' });

    await releaseHold({ id: placed.id, actor: 'berta', reason: 'closed' }, deps, SIGNAL);
    expect([...room.archiveHolds.values()]).toEqual(Array(6).fill(false));
    expect(await expire(deps, SIGNAL)).toMatchObject({ deleted: 1 });
    expect(await room.store.holds()).toMatchObject([
      { case: 'BaFin 2031/17', actor: 'anna', releasedBy: 'berta', recordings: 1 },
    ]);
  });

  test('leaves entries that name neither the case nor the person', async () => {
    const id = await room.keep('2031-11-23');
    const { id: placed } = await hold([id]);
    await releaseHold({ id: placed, actor: 'anna', reason: 'closed' }, deps, SIGNAL);
    const entries = await room.entries('hold', 'release');
    expect(entries.map(({ type }) => type)).toEqual(['hold', 'release']);
    expect(JSON.stringify(entries)).not.toMatch(/anna|BaFin/);
    // Whoever guesses the reference cannot try it.
    const [placing, releasing] = entries as readonly { readonly caseHash?: string }[];
    expect(placing?.caseHash).toMatch(/^[0-9a-f]{64}$/);
    expect(placing?.caseHash).not.toBe(plain('BaFin 2031/17'));
    expect(releasing?.caseHash).toBe(placing?.caseHash);
  });

  test('of an earlier version is released under the plain hash that its entry has', async () => {
    const { id: placed } = await hold([await room.keep('2031-11-23')]);
    await room.sealing.database.knex('holds').update({ case_hash: null });
    await releaseHold({ id: placed, actor: 'anna', reason: 'closed' }, deps, SIGNAL);
    expect(await room.entries('release')).toMatchObject([{ caseHash: plain('BaFin 2031/17') }]);
  });

  test('holds as long as one of several does', async () => {
    const id = await room.keep('2031-11-23');
    const first = await hold([id]);
    await hold([id]);
    await releaseHold({ id: first.id, actor: 'anna', reason: 'closed' }, deps, SIGNAL);
    expect([...room.archiveHolds.values()]).toEqual(Array(6).fill(true));
    expect(await expire(deps, SIGNAL)).toMatchObject({ deleted: 0 });
    expect(await stateOf(id)).toBe('delivered');
  });

  test('of an unknown or a deleted recording changes nothing', async () => {
    const id = await room.keep('2031-11-23');
    const other = await room.keep('2033-11-23');
    await expire(deps, SIGNAL);
    await expect(hold([other, id])).rejects.toMatchObject({ code: 'NOT_SEALED' });
    await expect(hold([other, 'nobody'])).rejects.toMatchObject({ code: 'UNKNOWN_RECORDING' });
    expect(await room.entries('hold')).toEqual([]);
    await expect(releaseHold({ id: 'none', actor: 'anna', reason: '' }, deps, SIGNAL)).rejects.toMatchObject({
      code: 'UNKNOWN_HOLD',
    });
  });
});

describe('an authority', () => {
  const extend = (recording: string, until: string) =>
    extendRetention({ recording, until, case: 'BaFin', actor: 'anna' }, deps, SIGNAL);

  test('can have a recording kept longer, never shorter', async () => {
    const id = await room.keep('2031-11-23');
    await extend(id, '2033-11-23');
    expect((await room.sealing.store.recording(id))?.kept).toEqual({
      profile: 'wphg-5y',
      until: '2033-11-23',
    });
    expect(await expire(deps, SIGNAL)).toMatchObject({ due: 0 });
    await expect(extend(id, '2032-11-23')).rejects.toMatchObject({ code: 'NOT_LATER' });
    const forEver = await room.keep(undefined, 'none');
    await expect(extend(forEver, '2032-11-23')).rejects.toMatchObject({ code: 'NOT_LATER' });
  });
});

describe('a deletion on order', () => {
  test('before the time leaves the reason and a hash of who ordered it', async () => {
    const id = await room.keep('2031-11-23');
    expect(await deleteRecording(id, ORDER, deps, SIGNAL)).toMatchObject({ state: 'deleted' });
    expect(await room.entries('tombstone')).toMatchObject([
      {
        rec: id,
        reason: 'erasure',
        policy: 'private-call',
        due: '-',
        actor: room.deps.evidence.actor('anna'),
      },
    ]);
    expect((await room.store.recording(id))?.deletion).toEqual(ORDER);
    // Done is done.
    expect(await deleteRecording(id, ORDER, deps, SIGNAL)).toMatchObject({ state: 'deleted' });
  });

  test('of a recording that is not sealed is refused', async () => {
    const id = await room.sealing.recordCall();
    await expect(deleteRecording(id, ORDER, deps, SIGNAL)).rejects.toMatchObject({ code: 'NOT_SEALED' });
    await expect(deleteRecording('nobody', ORDER, deps, SIGNAL)).rejects.toMatchObject({
      code: 'UNKNOWN_RECORDING',
    });
  });

  test('that was cut off by a crash goes on with its own reason', async () => {
    const id = await room.keep('2031-11-23');
    room.away = true;
    await deleteRecording(id, ORDER, deps, SIGNAL);
    room.away = false;
    expect(await expire(deps, SIGNAL)).toMatchObject({ due: 0, deleted: 1 });
    expect(await room.entries('tombstone')).toMatchObject([{ reason: 'erasure', policy: 'private-call' }]);
  });
});
