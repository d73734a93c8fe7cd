import { expect, test } from '@jest/globals';
import { SqlLogStore } from '../../src/store/log-store.ts';
import { RecordingQueries } from '../../src/store/recording-queries.ts';
import { describeOnBoth } from './databases.ts';
import { capture, description, opening } from './records.ts';

describeOnBoth('queries of the pages', (open) => {
  test('list the newest recordings first, page by page, also where starts are equal', async () => {
    const database = await open();
    await new SqlLogStore(database, { node: 'a' }).write(async (log) => {
      for (const [id, startedAt] of [
        ['r1', 10.5],
        ['r2', 30],
        ['r3', 20],
        ['r4', 20],
      ] as const)
        await log.openRecording(opening(id, { startedAt }));
    });
    const queries = new RecordingQueries(database);
    const first = await queries.listNewest(2);
    expect(first.map(({ id }) => id)).toEqual(['r2', 'r4']);
    const rest = await queries.listNewest(10, first[1]);
    expect(rest.map(({ id }) => id)).toEqual(['r3', 'r1']);
    expect(rest[1]).toEqual({ ...opening('r1', { startedAt: 10.5 }), state: 'recording' });
    expect(await queries.listNewest(10, rest[1])).toEqual([]);
  });

  test('search by time, numbers, names, direction, trunk, state and any id, all together', async () => {
    const database = await open();
    const call = (
      id: string,
      startedAt: number,
      caller: string,
      more: { callee?: string; name?: string } = {},
    ) => {
      const described = description();
      const side = { source: 'test', confidence: 'high' } as const;
      return opening(id, {
        startedAt,
        description: {
          ...described,
          direction: 'out',
          caller: { ...side, number: caller, name: more.name ?? 'Bob' },
          callee: { ...side, number: more.callee ?? '4711' },
        },
      });
    };
    await new SqlLogStore(database, { node: 'a' }).write(async (log) => {
      await log.openRecording(call('r1', 10, '+4930111'));
      await log.openRecording(call('r2', 20, '+4930222', { name: '100%_Müller' }));
      await log.openRecording(call('r3', 30, '+4989333', { callee: '+4930999' }));
      await log.failRecording('r3', { at: 31, reason: 'disk', entryIndex: 1 });
    });
    const queries = new RecordingQueries(database);
    const found = async (filter: Parameters<typeof queries.search>[0]): Promise<readonly string[]> =>
      (await queries.search(filter, 10)).map(({ id }) => id);
    expect(await found({})).toEqual(['r3', 'r2', 'r1']);
    expect(await found({ from: 10, to: 30 })).toEqual(['r2', 'r1']);
    expect(await found({ number: '+4930*' })).toEqual(['r3', 'r2', 'r1']);
    expect(await found({ caller: '+4930*' })).toEqual(['r2', 'r1']);
    expect(await found({ number: '+4930' })).toEqual([]);
    expect(await found({ callee: '4711', caller: '+4930111' })).toEqual(['r1']);
    expect(await found({ name: '100%_m' })).toEqual(['r2']);
    expect(await found({ name: '%' })).toEqual(['r2']);
    expect(await found({ caller: '+49__*' })).toEqual([]);
    expect(await found({ state: 'failed', direction: 'out' })).toEqual(['r3']);
    expect(await found({ direction: 'in' })).toEqual([]);
    expect(await found({ id: 'r2' })).toEqual(['r2']);
    const [newest] = await queries.search({ number: '+4930*' }, 1);
    expect((await queries.search({ number: '+4930*' }, 10, newest)).map(({ id }) => id)).toEqual([
      'r2',
      'r1',
    ]);
  });

  test('find one recording with all that belongs to it', async () => {
    const database = await open();
    const file = { recording: 'r1', name: 'f.wav', kind: 'audio', bytes: 1, sha256: 'a' } as const;
    await new SqlLogStore(database, { node: 'a' }).write(async (log) => {
      await log.openRecording(opening('r1'));
      await log.addStep({ recording: 'r1', at: 2, step: 'opened', outcome: 'ok' });
      await log.addStep({ recording: 'other', at: 2, step: 'opened', outcome: 'ok' });
      await log.addStep({ recording: 'r1', at: 1, step: 'noted', outcome: 'warning', detail: 'late' });
      await log.endRecording('r1', { at: 3, reason: 'bye', status: 'complete', capture });
      await log.sealRecording('r1', {
        at: 4,
        fileName: 'f',
        entryIndex: 2,
        files: [file],
        destinations: ['archive'],
      });
    });
    const queries = new RecordingQueries(database);
    expect(await queries.findRecording('none')).toBeUndefined();
    expect(await queries.findRecording('r1')).toMatchObject({
      recording: { id: 'r1', state: 'sealed', capture },
      participants: description().participants,
      files: [file],
      deliveries: [
        { recording: 'r1', destination: 'archive', state: 'waiting', attempts: 0, permanent: false },
      ],
      steps: [
        { recording: 'r1', at: 2, step: 'opened', outcome: 'ok' },
        { recording: 'r1', at: 1, step: 'noted', outcome: 'warning', detail: 'late' },
      ],
    });
  });

  test('count recordings by state', async () => {
    const database = await open();
    await new SqlLogStore(database, { node: 'a' }).write(async (log) => {
      for (const id of ['r1', 'r2', 'r3']) await log.openRecording(opening(id));
      await log.failRecording('r3', { at: 1, reason: 'disk', entryIndex: 1 });
    });
    expect(await new RecordingQueries(database).countByState()).toEqual({
      recording: 2,
      ended: 0,
      sealed: 0,
      delivered: 0,
      expired: 0,
      failed: 1,
    });
  });

  test('link recordings that share an id of the call, and only those', async () => {
    const database = await open();
    const related = (...values: string[]) => ({
      description: { ...description(), related: values.map((value) => ({ kind: 'ucid', value })) },
    });
    const store = new SqlLogStore(database, { node: 'a' });
    await store.write(async (log) => {
      await log.openRecording(opening('r1', { startedAt: 1, ...related('A', 'B', 'A') }));
      await log.openRecording(opening('r2', { startedAt: 2, ...related('B', 'A') }));
      await log.openRecording(opening('r3', { startedAt: 3, ...related('C') }));
      await log.openRecording(opening('r4', { startedAt: 4 }));
    });
    const queries = new RecordingQueries(database);
    expect((await queries.findRecording('r1'))?.related).toEqual([
      { id: 'r2', startedAt: 2, sharedId: expect.stringMatching(/^ucid [AB]$/) },
    ]);
    expect((await queries.findRecording('r4'))?.related).toEqual([]);
    // What the metadata says later counts.
    await store.write((log) =>
      log.describeRecording('r1', { ...description(), related: [{ kind: 'ucid', value: 'C' }] }),
    );
    expect((await queries.findRecording('r1'))?.related.map(({ id }) => id)).toEqual(['r3']);
  });
});
