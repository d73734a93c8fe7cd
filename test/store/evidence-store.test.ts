import { expect, test } from '@jest/globals';
import { SqlLogStore } from '../../src/store/log-store.ts';
import { describeOnBoth } from './databases.ts';
import { ORIGIN } from './records.ts';

describeOnBoth('the evidence tables', (open) => {
  const empty = async (): Promise<{ readonly store: SqlLogStore }> => ({
    store: new SqlLogStore(await open(), { node: 'rec01' }),
  });

  test('tells the checkpoints that leave from those that only prove recordings', async () => {
    const { store } = await empty();
    const row = {
      origin: ORIGIN,
      size: 5,
      root: 'cm9vdA==',
      text: Buffer.from('text'),
      signature: Buffer.from([1]),
      nextSignature: Buffer.from([2]),
      exported: false,
      at: 3,
    };
    await store.write((log) => log.putCheckpoint(row));
    expect(await store.checkpoints(ORIGIN, 0)).toEqual([]);
    expect(await store.newestCheckpoint(ORIGIN)).toEqual(row);
    await store.write((log) => log.putCheckpoint({ ...row, exported: true }));
    expect(await store.checkpoints(ORIGIN, 0)).toEqual([{ ...row, exported: true }]);
  });

  test('keeps further files of a log in their order, each once', async () => {
    const { store } = await empty();
    await store.write(async (log) => {
      await log.evidence.putFile(ORIGIN, 'evidence/x/b', Buffer.from('b'));
      await log.evidence.putFile(ORIGIN, 'evidence/x/a', Buffer.from('a'));
      await log.evidence.putFile(ORIGIN, 'evidence/x/b', Buffer.from('b'));
      await log.evidence.putFile('other', 'evidence/y/c', Buffer.from('c'));
    });
    const files = await store.evidence.files(ORIGIN, 0, 10);
    expect(files.map(({ path, bytes }) => `${path} ${bytes.toString()}`)).toEqual([
      'evidence/x/b b',
      'evidence/x/a a',
    ]);
    expect(await store.evidence.files(ORIGIN, files[0]?.id ?? 0, 10)).toEqual(files.slice(1));
    await expect(
      store.write((log) => log.evidence.putFile(ORIGIN, 'evidence/x/b', Buffer.from('other'))),
    ).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  test('remembers what was seen of another log, and lets nobody go back behind it', async () => {
    const { store } = await empty();
    const seen = (size: number) => ({ origin: 'peer', size, root: 'cm9vdA==', at: size });
    await store.write((log) => log.evidence.setWitnessed(seen(3), 0));
    await expect(store.write((log) => log.evidence.setWitnessed(seen(4), 0))).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    await store.write((log) => log.evidence.setWitnessed(seen(9), 3));
    await expect(store.write((log) => log.evidence.setWitnessed(seen(5), 3))).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    expect(await store.evidence.witnessed('peer')).toEqual(seen(9));
  });

  test('knows which time stamps are still to be fetched', async () => {
    const { store } = await empty();
    const stamp = (size: number) => ({ origin: ORIGIN, size, authority: 'tsa1', dueAt: size });
    for (const size of [9, 5]) await store.write((log) => log.evidence.putStamp(stamp(size)));
    expect(await store.evidence.waitingStamps()).toEqual([stamp(5), stamp(9)]);
    await store.write((log) => log.evidence.finishStamp(stamp(5), 77));
    await store.write((log) => log.evidence.putStamp(stamp(5)));
    expect(await store.evidence.waitingStamps()).toEqual([stamp(9)]);
    expect(await store.evidence.newestStamp('tsa1')).toEqual(stamp(9));
    expect(await store.evidence.newestStamp('tsa2')).toBeUndefined();
  });
});
