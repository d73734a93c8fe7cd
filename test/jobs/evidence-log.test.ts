import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { parseEntry } from '../../src/evidence/entry.ts';
import { EvidenceLog } from '../../src/jobs/evidence-log.ts';
import { endRun } from '../../src/jobs/run-log.ts';
import { newRecordingId } from '../../src/recorder/recording-id.ts';
import { ORIGIN, SealingRoom } from '../support/sealing-room.ts';

let room: SealingRoom;
let evidence: EvidenceLog;

beforeEach(async () => {
  room = await SealingRoom.open();
  evidence = new EvidenceLog({
    chain: room.chain,
    store: room.store,
    actorSecret: Buffer.alloc(32, 1),
    now: () => 5000,
  });
});

afterEach(() => room.dispose());

const entries = async (): Promise<readonly object[]> =>
  (await room.store.entries(ORIGIN, 0, 1000)).map((entry) => parseEntry(entry.bytes).body);

test('entries appended at the same time stand one behind the other, with their step in the same transaction', async () => {
  const rec = newRecordingId(1);
  await Promise.all(
    ['play', 'export', 'verify'].map((kind) =>
      evidence.append(
        { type: 'access', rec, kind, actor: evidence.actor('anna'), purpose: 'unstated' },
        { recording: rec, step: { step: kind, outcome: 'ok' } },
      ),
    ),
  );
  expect(await entries()).toMatchObject([
    { type: 'genesis' },
    { type: 'access', kind: 'play' },
    { type: 'access', kind: 'export' },
    { type: 'access', kind: 'verify' },
  ]);
  const steps = await room.database
    .knex<Record<string, unknown>>('steps')
    .where({ recording: rec })
    .orderBy('id');
  expect(steps.map(({ step, at }) => [step, at])).toEqual([
    ['play', 5000],
    ['export', 5000],
    ['verify', 5000],
  ]);
});

test('a change that fails takes its entry back, and the next entry has its place', async () => {
  const pause = { type: 'pause', rec: newRecordingId(1), cause: 'operator' } as const;
  await expect(
    evidence.append(pause, { change: () => Promise.reject(new Error('no such recording')) }),
  ).rejects.toThrow('no such recording');
  expect(await evidence.append(pause)).toMatchObject({ index: 1, type: 'pause' });
  expect(await entries()).toMatchObject([{ type: 'genesis' }, { type: 'pause', cause: 'operator' }]);
});

test('what an entry cannot hold is refused and leaves nothing behind', async () => {
  await expect(evidence.append({ type: 'pause', rec: 'Anna', cause: 'src' })).rejects.toMatchObject({
    code: 'BAD_ENTRY',
  });
  expect(room.chain.head.size).toBe(1);
});

test('nothing stands behind the closing entry, also not what waited for its turn meanwhile', async () => {
  const pause = { type: 'pause', rec: newRecordingId(1), cause: 'operator' } as const;
  const before = evidence.append(pause);
  const closing = endRun({ store: room.store, chain: room.chain });
  const waiting = evidence.append(pause);
  await expect(waiting).rejects.toMatchObject({ code: 'STOPPING' });
  await Promise.all([before, closing]);
  await expect(evidence.append(pause)).rejects.toMatchObject({ code: 'STOPPING' });
  expect(await entries()).toMatchObject([{ type: 'genesis' }, { type: 'pause' }, { type: 'close' }]);
  await room.reopen();
  evidence = room.evidence;
  expect(await evidence.append(pause)).toMatchObject({ index: 3 });
});
