import { expect, test } from '@jest/globals';
import type { AnnouncedEvent } from '../../src/recorder/events.ts';
import type { Database } from '../../src/store/database.ts';
import { SqlLogStore } from '../../src/store/log-store.ts';
import { RecordingQueries } from '../../src/store/recording-queries.ts';
import { describeOnBoth } from './databases.ts';
import { capture, description, opening } from './records.ts';

const START = 1_790_000_000_000;
const MINUTE = 60_000;

const heard = (id: string, changes: Partial<AnnouncedEvent> = {}): AnnouncedEvent => ({
  type: 'announced',
  at: START - 5000,
  id,
  name: 'inbound',
  locale: 'de',
  sha256: 'ab'.repeat(32),
  milliseconds: 4000,
  whole: true,
  trunk: 'loopback',
  callId: `annc-${id}`,
  numbers: [],
  callIds: [`annc-${id}`],
  keepUntil: START + 1.9 * MINUTE,
  ...changes,
});

/** What is linked with a recording, and how. */
const linksOf = async (database: Database, id: string): Promise<readonly string[]> => {
  const details = await new RecordingQueries(database).findRecording(id);
  return (details?.announcements ?? []).map((each) => `${each.id} ${each.linkedBy}`);
};

/** `r1` from +49301234567 to 100, `r2` of the same caller two minutes later. */
async function twoCalls(database: Database): Promise<SqlLogStore> {
  const store = new SqlLogStore(database, { node: 'a' });
  await store.write(async (log) => {
    await log.openRecording(opening('r1', { startedAt: START }));
    const other = description({ pbxCallId: { value: 'pbx-8', source: 'header' } });
    await log.openRecording(opening('r2', { startedAt: START + 2 * MINUTE, description: other }));
    const end = { reason: 'bye', status: 'complete', capture } as const;
    await log.endRecording('r1', { ...end, at: START + MINUTE });
  });
  return store;
}

describeOnBoth('announcements', (open) => {
  test('belong to the recording that carries an id of their call, whatever the numbers say', async () => {
    const database = await open();
    const store = await twoCalls(database);
    await store.write(async (log) => {
      await log.addAnnounced(heard('a1', { callIds: ['x', 'pbx-8'], numbers: ['+49301234567'] }));
      await log.addAnnounced(heard('a2', { callIds: ['call-r1'] }));
    });
    expect(await linksOf(database, 'r2')).toEqual(['a1 call-id']);
    expect(await linksOf(database, 'r1')).toContain('a2 call-id');
  });

  test('belong by number and time to the nearest recording, in either spelling, and to none that is too far', async () => {
    const database = await open();
    const store = await twoCalls(database);
    await store.write(async (log) => {
      await log.addAnnounced(heard('a1', { numbers: ['030 1234567'] }));
      await log.addAnnounced(heard('a2', { numbers: ['+49301234567'], at: START + 1.5 * MINUTE }));
      await log.addAnnounced(heard('a3', { numbers: ['+49301234567'], at: START - 6 * MINUTE }));
      await log.addAnnounced(heard('a4', { numbers: ['+43301234567'] }));
      await log.addAnnounced(heard('a5', { numbers: ['+49301234567'], at: START + MINUTE / 2 }));
    });
    expect(await linksOf(database, 'r1')).toEqual(['a1 number-and-time', 'a5 number-and-time']);
    expect(await linksOf(database, 'r2')).toEqual(['a2 number-and-time']);
  });

  test('stay with the recording they were sealed with, go with it, and otherwise when their time is over', async () => {
    const database = await open();
    const store = await twoCalls(database);
    await store.write(async (log) => {
      await log.addAnnounced(heard('a1', { numbers: ['+49301234567'] }));
      await log.addAnnounced(heard('a2', { numbers: ['200'] }));
    });
    await store.write((log) =>
      log.sealRecording('r1', {
        at: START + 2 * MINUTE,
        fileName: 'r1',
        entryIndex: 3,
        files: [],
        destinations: [],
        announced: [{ id: 'a1', linkedBy: 'number-and-time' }],
      }),
    );
    // Something heard later: what nobody needs any more goes.
    await store.write((log) =>
      log.addAnnounced(heard('a3', { at: START + 2 * MINUTE, keepUntil: START + 9 * MINUTE })),
    );
    const ids = async (): Promise<unknown[]> => database.knex('announced').orderBy('id').pluck('id');
    expect(await ids()).toEqual(['a1', 'a3']);
    expect(await linksOf(database, 'r1')).toEqual(['a1 number-and-time']);
    await store.write((log) => log.retention.expireRecording('r1', START + 3 * MINUTE));
    expect(await ids()).toEqual(['a3']);
    expect(await database.knex('announced_keys').distinct('announced').pluck('announced')).toEqual(['a3']);
  });
});
