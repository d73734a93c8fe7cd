import { expect, test } from '@jest/globals';
import { SqlLogStore } from '../../src/store/log-store.ts';
import { describeOnBoth } from './databases.ts';
import { capture, opening } from './records.ts';

const end = { at: 10, reason: 'bye', status: 'complete', capture } as const;
const seal = { at: 20.5, entryIndex: 7, destinations: ['archive', 'cloud'] } as const;

describeOnBoth('deliveries that are done', (open) => {
  test('says which deliveries are news, and which recordings have all of theirs', async () => {
    const store = new SqlLogStore(await open(), { node: 'rec01' });
    await store.write(async (log) => {
      for (const id of ['r1', 'r2', 'r3']) {
        await log.openRecording(opening(id));
        await log.endRecording(id, end);
        await log.sealRecording(id, { ...seal, files: [], fileName: id });
      }
      await log.setState('r3', 'expired');
    });
    const to = (recording: string, destination: string) =>
      ({ recording, destination, location: `/${recording}` }) as const;
    const deliver = (...deliveries: readonly ReturnType<typeof to>[]) =>
      store.write(async (log) => ({
        news: (await log.putDelivered(deliveries, 50.5))
          .map((row) => `${row.recording} ${row.destination}`)
          .sort(),
        complete: [...(await log.completeDeliveries(deliveries.map(({ recording }) => recording)))].sort(),
      }));
    expect(await deliver(to('r1', 'archive'), to('r2', 'archive'))).toEqual({
      news: ['r1 archive', 'r2 archive'],
      complete: [],
    });
    expect(
      await deliver(to('r1', 'archive'), to('r1', 'cloud'), to('r3', 'cloud'), to('none', 'cloud')),
    ).toEqual({
      news: ['r1 cloud', 'r3 cloud'],
      complete: ['r1'],
    });
    expect(await deliver()).toEqual({ news: [], complete: [] });
    expect(await store.write((log) => log.completeDeliveries(['r1', 'r2', 'r3']))).toEqual(['r1']);
    expect(await store.deliveries('r1')).toMatchObject([
      { destination: 'archive', state: 'delivered', attempts: 1, updatedAt: 50.5, location: '/r1' },
      { destination: 'cloud', state: 'delivered', attempts: 1, permanent: false },
    ]);
    const states = ['r1', 'r2', 'r3'].map(async (id) => (await store.recording(id))?.state);
    expect(await Promise.all(states)).toEqual(['delivered', 'sealed', 'expired']);
  });
});
