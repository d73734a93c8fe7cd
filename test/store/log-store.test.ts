import { expect, test } from '@jest/globals';
import type { Database } from '../../src/store/database.ts';
import { SqlLogStore } from '../../src/store/log-store.ts';
import { describeOnBoth } from './databases.ts';
import { capture, description, emptyHead, following, intentOf, opening, ORIGIN } from './records.ts';

const end = { at: 10, reason: 'bye', status: 'complete', capture } as const;
const seal = {
  at: 20.5,
  fileName: 'rec-1',
  entryIndex: 7,
  files: [
    { recording: 'r1', name: 'rec-1.wav', kind: 'audio', bytes: 3_000_000_000, sha256: 'aa' },
    { recording: 'r1', name: 'rec-1_info.txt', kind: 'info', bytes: 10, sha256: 'bb' },
  ],
  destinations: ['archive', 'cloud'],
} as const;

describeOnBoth('the log', (open) => {
  async function empty(): Promise<{ readonly store: SqlLogStore; readonly database: Database }> {
    const database = await open();
    return { store: new SqlLogStore(database, { node: 'rec01' }), database };
  }

  test('walks a recording through its states and gives back what was written', async () => {
    const { store } = await empty();
    expect(await store.recording('r1')).toBeUndefined();
    await store.write((log) => log.openRecording(opening('r1')));
    expect(await store.recording('r1')).toEqual({ ...opening('r1'), state: 'recording' });
    await store.write((log) => log.endRecording('r1', end));
    expect(await store.recordingsInState('ended')).toEqual([
      { ...opening('r1'), state: 'ended', endedAt: 10, endReason: 'bye', status: 'complete', capture },
    ]);
    await store.write((log) => log.sealRecording('r1', seal));
    expect(await store.recording('r1')).toMatchObject({
      state: 'sealed',
      sealedAt: 20.5,
      fileName: 'rec-1',
      entryIndex: 7,
    });
    expect(await store.files('r1')).toEqual(seal.files);
    await store.write((log) => log.setState('r1', 'delivered'));
    expect(await store.recordingsInState('sealed')).toEqual([]);
    expect(await store.recordingsInState('delivered')).toHaveLength(1);
  });

  test('seals twice without doing anything twice, and never takes a state back', async () => {
    const { store } = await empty();
    await store.write(async (log) => {
      await log.openRecording(opening('r1'));
      await log.endRecording('r1', end);
      await log.sealRecording('r1', seal);
      await log.setDelivery({
        recording: 'r1',
        destination: 'archive',
        state: 'delivered',
        attempts: 1,
        updatedAt: 30,
        permanent: false,
        location: '/archive',
      });
      await log.setState('r1', 'delivered');
      await log.sealRecording('r1', { ...seal, destinations: ['archive', 'cloud', 'third'] });
    });
    expect((await store.recording('r1'))?.state).toBe('delivered');
    expect((await store.deliveries('r1')).map(({ destination, state }) => [destination, state])).toEqual([
      ['archive', 'delivered'],
      ['cloud', 'waiting'],
      ['third', 'waiting'],
    ]);
    await expect(
      store.write((log) => log.sealRecording('r1', { ...seal, entryIndex: 8 })),
    ).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  test('knows of a stop from the order on, so that a start after a crash can cut there', async () => {
    const { store } = await empty();
    const stopped = { at: 11, how: 'tones', actor: 'user 4711' } as const;
    await store.write(async (log) => {
      await log.openRecording(opening('r1'));
      await log.stopRecording('r1', stopped);
    });
    expect(await store.recording('r1')).toMatchObject({ state: 'recording', stopped });
    await store.write((log) => log.endRecording('r1', end));
    expect(await store.recording('r1')).toMatchObject({ state: 'ended', stopped });
  });

  test('fails a recording, keeping the time it ended', async () => {
    const { store } = await empty();
    await store.write(async (log) => {
      await log.openRecording(opening('r1'));
      await log.failRecording('r1', { at: 12, reason: 'no-rtp', entryIndex: 4 });
    });
    expect(await store.recording('r1')).toMatchObject({
      state: 'failed',
      failReason: 'no-rtp',
      entryIndex: 4,
      endedAt: 12,
    });
    await expect(store.write((log) => log.endRecording('r1', end))).rejects.toMatchObject({
      code: 'CONFLICT',
    });
  });

  test.each([
    ['endRecording', (store: SqlLogStore) => store.write((log) => log.endRecording('none', end)), 'MISSING'],
    [
      'describe',
      (store: SqlLogStore) => store.write((log) => log.describeRecording('none', description())),
      'MISSING',
    ],
    ['setState', (store: SqlLogStore) => store.write((log) => log.setState('none', 'sealed')), 'MISSING'],
    ['openIndexOf', (store: SqlLogStore) => store.write((log) => log.openIndexOf('none')), 'MISSING'],
    [
      'sealRecording',
      (store: SqlLogStore) => store.write((log) => log.sealRecording('none', seal)),
      'MISSING',
    ],
  ])('says that there is no such recording: %s', async (_name, act, code) => {
    const { store } = await empty();
    await expect(act(store)).rejects.toMatchObject({ name: 'StoreError', code });
  });

  test('refuses the same recording, and the same file name, twice', async () => {
    const { store } = await empty();
    await store.write((log) => log.openRecording(opening('r1')));
    await expect(store.write((log) => log.openRecording(opening('r1')))).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    await store.write(async (log) => {
      await log.openRecording(opening('r2'));
      for (const id of ['r1', 'r2']) await log.endRecording(id, end);
      await log.sealRecording('r1', seal);
    });
    await expect(store.write((log) => log.sealRecording('r2', seal))).rejects.toMatchObject({
      code: 'CONFLICT',
    });
  });

  test('reads the open index inside the transaction that writes it', async () => {
    const { store } = await empty();
    const index = await store.write(async (log) => {
      await log.openRecording(opening('r1', { openIndex: 42 }));
      return log.openIndexOf('r1');
    });
    expect(index).toBe(42);
  });

  test('writes many entries, recordings and steps of one transaction, in order', async () => {
    const { store, database } = await empty();
    const ids = Array.from({ length: 250 }, (_, index) => `r${index}`);
    await store.write(async (log) => {
      let head = emptyHead;
      for (const id of ids) {
        const { entry, after } = following(head, 'open', id);
        await log.openRecording(opening(id));
        await log.appendEntry(entry, after);
        await log.addStep({ recording: id, at: 1, step: 'opened', outcome: 'ok' });
        head = after;
      }
    });
    expect((await store.entries(ORIGIN, 0, 1000)).map(({ recording }) => recording)).toEqual(ids);
    expect((await store.head(ORIGIN))?.size).toBe(250);
    expect(await store.recordingsInState('recording')).toHaveLength(250);
    const steps = await database.knex('steps').orderBy('id').pluck<string[]>('recording');
    expect(steps).toEqual(ids);
  });

  test('writes nothing of a transaction in which an entry does not follow the one before', async () => {
    const { store, database } = await empty();
    const first = following(emptyHead);
    const gap = following({ ...first.after, size: 2 });
    const writing = store.write(async (log) => {
      await log.openRecording(opening('r1'));
      await log.addStep({ recording: 'r1', at: 1, step: 'opened', outcome: 'ok' });
      await log.appendEntry(first.entry, first.after);
      await log.appendEntry(gap.entry, gap.after);
    });
    await expect(writing).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await store.head(ORIGIN)).toBeUndefined();
    expect(await store.recording('r1')).toBeUndefined();
    expect(await database.knex('steps')).toEqual([]);
  });

  test('keeps participants in step with the description', async () => {
    const { store, database } = await empty();
    const many = Array.from({ length: 250 }, (_, index) => ({ id: `p${index}`, sends: [] }));
    await store.write((log) =>
      log.openRecording(opening('r1', { description: description({ participants: many }) })),
    );
    expect(await database.knex('participants').where({ recording: 'r1' })).toHaveLength(250);
    const changed = description({
      direction: 'out',
      callee: { number: '200', source: 'x', confidence: 'low' },
    });
    await store.write((log) => log.describeRecording('r1', changed));
    expect((await store.recording('r1'))?.description).toEqual(changed);
    expect(await database.knex('participants').where({ recording: 'r1' })).toHaveLength(2);
    expect(await database.knex('recordings').first('direction', 'callee_number')).toEqual({
      direction: 'out',
      callee_number: '200',
    });
  });

  test('takes what a hostile client writes into names', async () => {
    const { store, database } = await empty();
    const name = "a\u0000b\ud800'); DROP TABLE recordings; --";
    const hostile = description({ caller: { name, source: 'x', confidence: 'low' } });
    await store.write(async (log) => {
      await log.openRecording(opening('r1', { description: hostile }));
      await log.addStep({ recording: 'r1', at: 1, step: 'noted', outcome: 'ok', detail: name });
    });
    expect((await store.recording('r1'))?.description.caller.name).toBe(name);
    const row = await database.knex('recordings').first<{ caller_name: string }>('caller_name');
    expect(row.caller_name).toMatch(/^a\ufffdb\ufffd'\); DROP/);
  });

  test('writes all of a transaction or nothing', async () => {
    const { store } = await empty();
    const mine = new Error('mine');
    await expect(
      store.write(async (log) => {
        await log.openRecording(opening('r1'));
        await log.setCursor(9);
        throw mine;
      }),
    ).rejects.toBe(mine);
    expect(await store.recording('r1')).toBeUndefined();
    expect(await store.cursor()).toBe(0);
  });

  test('chains entries and moves the head with them', async () => {
    const { store } = await empty();
    expect(await store.head(ORIGIN)).toBeUndefined();
    const first = following(emptyHead, 'genesis');
    const second = following(first.after, 'open', 'r1');
    const third = following({ ...second.after, lastRecording: { fileName: 'f', index: 1, signature: 's' } });
    await store.write((log) => log.appendEntry(first.entry, first.after));
    await store.write(async (log) => {
      await log.appendEntry(second.entry, second.after);
      await log.appendEntry(third.entry, third.after);
    });
    expect(await store.head(ORIGIN)).toEqual(third.after);
    expect(await store.entries(ORIGIN, 1, 10)).toEqual([second.entry, third.entry]);
    expect(await store.entries(ORIGIN, 0, 1)).toEqual([first.entry]);
    expect(await store.entries('other', 0, 10)).toEqual([]);
  });

  test('lets no second entry into a place that is taken, whoever writes it', async () => {
    const { store, database } = await empty();
    const other = new SqlLogStore(database, { node: 'rec02' });
    const first = following(emptyHead, 'genesis');
    await store.write((log) => log.appendEntry(first.entry, first.after));
    const rival = following(emptyHead, 'open');
    await expect(other.write((log) => log.appendEntry(rival.entry, rival.after))).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    const second = following(first.after);
    const results = await Promise.allSettled(
      [store, other].map((writer) => writer.write((log) => log.appendEntry(second.entry, second.after))),
    );
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const ahead = following({ ...second.after, size: 5 });
    await expect(store.write((log) => log.appendEntry(ahead.entry, ahead.after))).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    expect(await store.head(ORIGIN)).toEqual(second.after);
    expect(await store.entries(ORIGIN, 0, 10)).toHaveLength(2);
  });

  test('gives intents back to the last bit, and lets none be replaced', async () => {
    const { store } = await empty();
    const intent = intentOf('r1');
    await store.write((log) => log.putIntent(intent));
    await store.write((log) => log.putIntent(intent));
    await expect(store.write((log) => log.putIntent(intentOf('r1', 6)))).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    expect(await store.intents()).toEqual([intent]);
    await store.write((log) => log.dropIntent('r1'));
    expect(await store.intents()).toEqual([]);
  });

  test('states each size of the log once', async () => {
    const { store } = await empty();
    const row = (size: number, text = 'text') => ({
      origin: ORIGIN,
      size,
      root: 'cm9vdA==',
      text: Buffer.from(text),
      signature: Buffer.from([1, 0, 255]),
      exported: true,
      at: 3,
    });
    for (const size of [2, 10, 9]) await store.write((log) => log.putCheckpoint(row(size)));
    await store.write((log) => log.putCheckpoint(row(9)));
    await expect(store.write((log) => log.putCheckpoint(row(9, 'other')))).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    expect(await store.newestCheckpoint(ORIGIN)).toEqual(row(10));
    expect(await store.checkpoints(ORIGIN, 2)).toEqual([row(9), row(10)]);
    expect(await store.newestCheckpoint('other')).toBeUndefined();
  });

  test('lists open deliveries oldest first until they are done', async () => {
    const { store } = await empty();
    const delivery = {
      recording: 'r1',
      destination: 'cloud',
      attempts: 2,
      updatedAt: 99,
      permanent: true,
    } as const;
    await store.write(async (log) => {
      for (const [id, at] of [
        ['r1', 40],
        ['r2', 30],
      ] as const) {
        await log.openRecording(opening(id));
        await log.endRecording(id, end);
        await log.sealRecording(id, { ...seal, files: [], fileName: id, at });
      }
      await log.setDelivery({ ...delivery, state: 'failed', error: 'quota' });
      await log.setDelivery({
        ...delivery,
        destination: 'archive',
        permanent: false,
        state: 'delivered',
        location: '/x',
      });
    });
    expect(
      (await store.openDeliveries()).map(({ recording, destination }) => `${recording} ${destination}`),
    ).toEqual(['r2 archive', 'r2 cloud', 'r1 cloud']);
    expect(await store.deliveries('r1')).toEqual([
      { ...delivery, destination: 'archive', permanent: false, state: 'delivered', location: '/x' },
      { ...delivery, state: 'failed', error: 'quota' },
    ]);
  });

  test('knows every copy of a recording, and brings it up to date', async () => {
    const { store } = await empty();
    await store.write((log) => log.openRecording(opening('r1')));
    const copy = {
      recording: 'r1',
      destination: 'cloud',
      name: 'rec-1.wav',
      path: '2026/rec-1.wav',
      location: 's3://bucket/2026/rec-1.wav',
      checksum: 'sha256:aa',
      version: 'v1',
      retention: { until: 1_950_000_000_000, mode: 'compliance' },
    } as const;
    await store.write((log) => log.putCopies([copy, { ...copy, name: 'rec-1_info.txt' }]));
    await store.write((log) => log.putCopies([]));
    await store.write((log) => log.putCopies([{ ...copy, removedAt: 12.5 }]));
    expect(await store.copies('r1')).toEqual([
      { ...copy, removedAt: 12.5 },
      { ...copy, name: 'rec-1_info.txt' },
    ]);
    expect(await store.copies('r2')).toEqual([]);
  });

  test('remembers how far exports have come', async () => {
    const { store } = await empty();
    expect(await store.exportState('archive', ORIGIN)).toEqual({ entries: 0, checkpoint: 0, files: 0 });
    await store.write((log) => log.setExport('archive', ORIGIN, { entries: 300, checkpoint: 256, files: 1 }));
    await store.write((log) => log.setExport('archive', ORIGIN, { entries: 400, checkpoint: 300, files: 2 }));
    expect(await store.exportState('archive', ORIGIN)).toEqual({ entries: 400, checkpoint: 300, files: 2 });
  });

  test('keeps the recorders that share it apart', async () => {
    const { store, database } = await empty();
    const other = new SqlLogStore(database, { node: 'rec02' });
    await store.write(async (log) => {
      await log.setCursor(5);
      await log.openRecording(opening('r1'));
      await log.putIntent(intentOf('r1'));
    });
    await store.write((log) => log.setCursor(6));
    expect(await store.cursor()).toBe(6);
    expect(await other.cursor()).toBe(0);
    expect(await other.recordingsInState('recording')).toEqual([]);
    expect(await other.intents()).toEqual([]);
    expect((await other.recording('r1'))?.id).toBe('r1');
  });

  test('migrates twice without harm', async () => {
    const { database } = await empty();
    expect(await database.migrate()).toEqual([]);
  });
});
