import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { parseEntry } from '../../src/evidence/entry.ts';
import { EventApplier } from '../../src/jobs/apply-events.ts';
import type { LogStore } from '../../src/jobs/ports.ts';
import type { AnnouncementChangeEvent } from '../../src/recorder/events.ts';
import { newRecordingId } from '../../src/recorder/recording-id.ts';
import { aCall } from '../support/recorder-fakes.ts';
import { ORIGIN, SealingRoom } from '../support/sealing-room.ts';

let room: SealingRoom;

beforeEach(async () => {
  room = await SealingRoom.open();
});

afterEach(() => room.dispose());

const open = async (id = newRecordingId(Date.now())): Promise<string> => {
  const { facts, description } = aCall();
  await room.journal.append({ type: 'opened', at: 1000, recording: id, startedAt: 1000, facts, description });
  return id;
};

const bodies = async (): Promise<object[]> =>
  (await room.store.entries(ORIGIN, 0, 1000)).map((entry) => parseEntry(entry.bytes).body);

describe('events of the recorder', () => {
  test('become rows and entries, in order, and each ended recording is announced once', async () => {
    const id = await room.recordCall();
    const failed = await open();
    await room.journal.append({
      type: 'failed',
      at: 2000,
      recording: failed,
      reason: 'no-rtp',
      detail: 'no packet arrived',
    });
    await room.journal.append({
      type: 'refused',
      at: 3000,
      reason: '403',
      detail: 'address not listed',
      count: 3,
      windowSeconds: 60,
    });
    await room.applier.settled();
    expect(await bodies()).toMatchObject([
      { type: 'genesis' },
      { type: 'open', rec: id },
      { type: 'open', rec: failed },
      { type: 'failed', rec: failed, open: 2, reason: 'no-rtp' },
      { type: 'refused', reason: '403', count: 3, window: 60 },
    ]);
    expect(room.ended).toEqual([id]);
    expect(await room.store.recording(failed)).toMatchObject({ state: 'failed', entryIndex: 3 });
  });

  test('that say what was recorded until then become entries of the running call', async () => {
    const id = await open();
    const segment = {
      type: 'segment',
      at: 2000,
      recording: id,
      file: '.wav',
      sha256: 'ab'.repeat(32),
    } as const;
    await room.journal.append({ ...segment, n: 1, bytes: 160_000 });
    await room.journal.append({ ...segment, n: 2, bytes: 320_000 });
    await room.applier.settled();
    const entry = { type: 'segment', rec: id, file: '.wav', hash: 'ab'.repeat(32) };
    expect((await bodies()).slice(2)).toEqual([
      { ...entry, n: 1, bytes: 160_000 },
      { ...entry, n: 2, bytes: 320_000 },
    ]);
    expect(await room.store.evidence.entriesOf(id, 'segment')).toHaveLength(2);
  });

  test('that say how many could not be kept become an entry with their kinds', async () => {
    const loss = { type: 'outage', phase: 'lost', since: 10_000, at: 20_000 } as const;
    await room.journal.append({ ...loss, counts: { noted: 12, failed: 3 } });
    await room.applier.settled();
    expect((await bodies()).slice(1)).toEqual([
      {
        type: 'outage',
        from: '1970-01-01T00:00:10.000Z',
        to: '1970-01-01T00:00:20.000Z',
        cause: 'statements-lost noted 12, failed 3',
        clean: true,
      },
    ]);
  });

  test('that say from when to when a part was out become one entry, also when a restart came between', async () => {
    const outage = { type: 'outage', cause: 'disk', since: 10_000 } as const;
    await room.journal.append({ ...outage, phase: 'begun', at: 12_000 });
    await room.journal.append({ ...outage, phase: 'over', at: 20_000 });
    await room.journal.append({ ...outage, phase: 'begun', since: 30_000, at: 31_000 });
    await room.applier.settled();
    const entry = (from: number, to: number, clean: boolean): object => ({
      ...{ type: 'outage', cause: 'disk', clean },
      ...{ from: new Date(from).toISOString(), to: new Date(to).toISOString() },
    });
    expect((await bodies()).slice(1)).toEqual([entry(10_000, 20_000, true)]);
    await room.reopen();
    // The process was last known to be alive then; and twice does no harm.
    await room.journal.append({ type: 'outage', phase: 'unfinished', at: 40_000 });
    await room.journal.append({ type: 'outage', phase: 'unfinished', at: 50_000 });
    await room.applier.settled();
    expect((await bodies()).slice(1)).toEqual([entry(10_000, 20_000, true), entry(30_000, 40_000, false)]);
  });

  test('that change announcements are stated once, however often they come', async () => {
    const change = (at: number, actor: string): AnnouncementChangeEvent => ({
      ...{ type: 'announcement', at, change: 'added', name: 'greeting', locale: 'de', actor },
      ...{ sha256: 'a'.repeat(64), hashBefore: 'b'.repeat(64), hashAfter: 'c'.repeat(64) },
    });
    // In one transaction, and after a restart.
    await Promise.all([change(1500, 'anna'), change(1500, 'anna')].map((each) => room.journal.append(each)));
    await room.applier.settled();
    await room.reopen();
    await room.journal.append(change(1500, 'anna'));
    await room.journal.append(change(1501, 'anna'));
    await room.applier.settled();
    const entry = { type: 'config', part: 'announcements' };
    expect((await bodies()).slice(1)).toMatchObject([entry, entry]);
  });

  test('that pause a recording become entries, a hold only a step', async () => {
    const id = await open();
    const pause = { at: 1500, recording: id } as const;
    await room.journal.append({ type: 'paused', ...pause, cause: 'operator', actor: 'api:anna' });
    await room.journal.append({ type: 'paused', ...pause, cause: 'hold' });
    await room.journal.append({ type: 'resumed', ...pause, cause: 'operator' });
    await room.applier.settled();
    expect((await bodies()).slice(2)).toEqual([
      { type: 'pause', rec: id, cause: 'operator' },
      { type: 'resume', rec: id, cause: 'operator' },
    ]);
  });

  test('hold nothing personal in the entries', async () => {
    await room.recordCall();
    const { facts, description } = aCall();
    const text = (await room.store.entries(ORIGIN, 0, 10)).map((entry) => entry.bytes.toString()).join('\n');
    for (const personal of [
      description.caller.number,
      description.callee.number,
      facts.callId,
      facts.remoteAddress,
    ])
      expect(text).not.toContain(personal);
  });

  test('of an earlier run are taken up by the next, none twice', async () => {
    const id = await open();
    await room.applier.settled();
    await room.applier.stop();
    await room.journal.append({ type: 'noted', at: 1500, recording: id, step: 'acknowledged' });
    await room.reopen();
    await room.applier.settled();
    expect((await bodies()).map((body) => (body as { type: string }).type)).toEqual(['genesis', 'open']);
    expect(await room.store.cursor()).toBe(2);
  });

  test('that recover a crashed recording state it', async () => {
    const id = await open();
    const files = [
      {
        path: 'x',
        suffix: '',
        codec: 'PCMA' as const,
        channelLines: [0, 1],
        channelRoles: ['caller', 'callee'] as const,
        samples: 1,
        bytes: 60,
        audioSha256: '0'.repeat(64),
        audioOffset: 58,
      },
    ];
    await room.journal.append({
      type: 'ended',
      at: 2000,
      recording: id,
      reason: 'crash',
      status: 'recovered',
      capture: { startedAt: 1000, endedAt: 2000, files, legs: [] },
    });
    await room.applier.settled();
    expect((await bodies())[2]).toMatchObject({ type: 'recovered', rec: id, bytes: 60 });
  });

  test('wait in the journal while the database is away, and follow when it is back', async () => {
    await room.applier.stop();
    let away = true;
    const store = new Proxy(room.store, {
      get: (target, key) =>
        key === 'write' && away
          ? () => Promise.reject(Object.assign(new Error('gone'), { code: 'UNAVAILABLE' }))
          : (Reflect.get(target, key) as () => unknown).bind(target),
    }) as LogStore;
    const warnings: string[] = [];
    const applier = new EventApplier({
      actorSecret: Buffer.alloc(32, 7),
      journal: room.journal,
      store,
      chain: room.chain,
      onEnded: () => undefined,
      log: (_level, message) => {
        warnings.push(message);
        away = false;
      },
    });
    await open();
    await applier.settled();
    expect(warnings).toHaveLength(1);
    expect(await bodies()).toHaveLength(2);
    await applier.stop();
  });

  test('that contradict the log are set aside and do not hold up those behind', async () => {
    const id = await open();
    await open(id);
    const other = await open();
    await room.applier.settled();
    expect((await bodies()).slice(1)).toMatchObject([
      { type: 'open', rec: id },
      { type: 'open', rec: other },
    ]);
    expect(await room.store.cursor()).toBe(3);
  });
});
