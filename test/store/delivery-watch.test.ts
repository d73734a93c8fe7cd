import { expect, test } from '@jest/globals';
import { SqlDeliveryWatch } from '../../src/store/delivery-watch.ts';
import { SqlLogStore } from '../../src/store/log-store.ts';
import { describeOnBoth } from './databases.ts';
import { capture, opening } from './records.ts';

describeOnBoth('the watch over deliveries', (open) => {
  test('counts what is open by destination, for its own recorder only, with the newest error', async () => {
    const database = await open();
    for (const [node, id] of [
      ['a', 'r1'],
      ['a', 'r2'],
      ['b', 'r3'],
    ] as const)
      await seal(new SqlLogStore(database, { node }), id);
    const store = new SqlLogStore(database, { node: 'a' });
    const fail = (recording: string, updatedAt: number, permanent: boolean): Promise<void> =>
      store.write((log) =>
        log.setDelivery({
          recording,
          destination: 'nas',
          state: 'failed',
          attempts: 1,
          updatedAt,
          permanent,
          error: `error at ${updatedAt}`,
        }),
      );
    await fail('r1', 200, true);
    await fail('r2', 100, false);
    const watch = new SqlDeliveryWatch(database, { node: 'a' });
    const standings = [...(await watch.standings())].sort((one, other) =>
      one.destination.localeCompare(other.destination),
    );
    expect(standings).toEqual([
      { destination: 'cloud', waiting: 2, failed: 0, permanent: 0, oldestSince: 20 },
      {
        destination: 'nas',
        waiting: 0,
        failed: 2,
        permanent: 1,
        oldestSince: 20,
        lastError: 'error at 200',
        lastFailureAt: 200,
      },
    ]);
    expect(await watch.deliveredSince('nas', 0)).toBe(0);
    await store.write((log) =>
      log.setDelivery({
        recording: 'r1',
        destination: 'nas',
        state: 'delivered',
        attempts: 2,
        updatedAt: 300,
        permanent: false,
      }),
    );
    expect(await watch.deliveredSince('nas', 300)).toBe(1);
    expect(await watch.deliveredSince('nas', 301)).toBe(0);
  });

  test('takes failed deliveries as untried when a person says so', async () => {
    const database = await open();
    const store = new SqlLogStore(database, { node: 'a' });
    for (const id of ['r1', 'r2']) await seal(store, id);
    await seal(new SqlLogStore(database, { node: 'b' }), 'r3');
    for (const recording of ['r1', 'r2', 'r3'])
      await store.write((log) =>
        log.setDelivery({
          recording,
          destination: 'nas',
          state: 'failed',
          attempts: 12,
          updatedAt: recording === 'r1' ? 100 : 200,
          permanent: recording === 'r2',
          ...(recording === 'r2' && { dueAt: 5000 }),
          error: 'x',
        }),
      );
    const watch = new SqlDeliveryWatch(database, { node: 'a' });
    expect(await store.dueDeliveries('nas', 4999, 10)).toMatchObject([{ recording: 'r1' }]);
    expect(await store.dueDeliveries('nas', 5000, 10)).toHaveLength(2);
    expect(await watch.askAnew({ destination: 'cloud' })).toBe(0);
    expect(await watch.askAnew({ recording: 'r2' })).toBe(1);
    expect(await store.dueDeliveries('nas', 4999, 10)).toHaveLength(2);
    expect(await watch.askAnew({})).toBe(1);
    const [, again] = await store.deliveries('r2');
    expect(again).toMatchObject({ state: 'waiting', permanent: false });
    expect(again).not.toHaveProperty('dueAt');
    expect(await store.deliveries('r3')).toMatchObject([{}, { state: 'failed' }]);
  });

  test('remembers who fails and who was told', async () => {
    const watch = new SqlDeliveryWatch(await open(), { node: 'a' });
    await watch.putTrouble({ destination: 'nas', since: 5.5 });
    expect(await watch.troubles()).toEqual([{ destination: 'nas', since: 5.5 }]);
    await watch.putTrouble({ destination: 'nas', since: 5.5, toldAt: 9 });
    expect(await watch.troubles()).toEqual([{ destination: 'nas', since: 5.5, toldAt: 9 }]);
    await watch.dropTrouble('nas');
    expect(await watch.troubles()).toEqual([]);
  });
});

async function seal(store: SqlLogStore, id: string): Promise<void> {
  await store.write((log) => log.openRecording(opening(id)));
  await store.write((log) => log.endRecording(id, { at: 10, reason: 'bye', status: 'complete', capture }));
  await store.write((log) =>
    log.sealRecording(id, {
      at: 20,
      fileName: `name-${id}`,
      entryIndex: 1,
      files: [],
      destinations: ['nas', 'cloud'],
    }),
  );
}
