import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { parseEntry } from '../../src/evidence/entry.ts';
import { beginRun } from '../../src/jobs/run-log.ts';
import { SealingRoom } from '../support/sealing-room.ts';

let room: SealingRoom;

beforeEach(async () => {
  room = await SealingRoom.open();
});

afterEach(async () => {
  await room.dispose();
});

const start = (policyHash: string): Promise<void> =>
  beginRun({
    ...{ store: room.store, chain: room.chain, signer: room.signer },
    ...{ installation: 'test', productVersion: '0.0.0', policyHash, lastAlive: undefined, now: Date.now },
  });

const BEFORE = '0'.repeat(64);
const AFTER = '1'.repeat(64);

async function statedChanges(): Promise<readonly string[]> {
  const rows = await room.store.entries(room.origin, 0, 1000);
  return rows.flatMap(({ bytes }) => {
    const { body } = parseEntry(bytes);
    return body.type === 'config' ? [`${body.part} ${body.hashBefore[0]} to ${body.hashAfter[0]}`] : [];
  });
}

/** What is changed while the recorder runs has `config` entries too. */
async function changeWhileRunning(part: string, [hashBefore, hashAfter]: readonly [string, string]) {
  await room.evidence.append({ type: 'config', part, hashBefore, hashAfter, actor: 'system' });
}

test('states a changed configuration once, at the start that reads it', async () => {
  await start(BEFORE);
  expect(await statedChanges()).toEqual([]);
  await start(AFTER);
  await start(AFTER);
  expect(await statedChanges()).toEqual(['configuration 0 to 1']);
  await start(BEFORE);
  expect(await statedChanges()).toEqual(['configuration 0 to 1', 'configuration 1 to 0']);
});

test('a change of rules or announcements is no change of the configuration', async () => {
  await start(AFTER);
  // More of them than are read at once.
  for (let version = 0; version < 105; version++)
    await changeWhileRunning('policy', ['2'.repeat(64), '3'.repeat(64)]);
  await changeWhileRunning('announcements', ['a'.repeat(64), 'b'.repeat(64)]);
  await start(AFTER);
  expect((await statedChanges()).filter((each) => each.startsWith('configuration'))).toEqual([
    'configuration 0 to 1',
  ]);
});
