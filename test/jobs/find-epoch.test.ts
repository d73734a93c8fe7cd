import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openPathDestination } from '../../src/delivery/path.ts';
import { parseEntry } from '../../src/evidence/entry.ts';
import { nextEpoch } from '../../src/evidence/origin.ts';
import { Chain, emptyHead } from '../../src/jobs/chain.ts';
import { checkpoint } from '../../src/jobs/checkpoint.ts';
import type { Destination } from '../../src/jobs/destination.ts';
import { exportEvidence } from '../../src/jobs/export-evidence.ts';
import { findEpoch, isKnown, type Epoch } from '../../src/jobs/find-epoch.ts';
import { beginRun } from '../../src/jobs/run-log.ts';
import { ORIGIN, SealingRoom } from '../support/sealing-room.ts';

let folder: string;
let archive: Destination;
/** The recorder, and the same one as a backup brings it back: it knows only the beginning. */
let room: SealingRoom;
let restored: SealingRoom;
const { signal } = new AbortController();

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sealtape-epoch-'));
  mkdirSync(join(folder, 'archive'));
  archive = openPathDestination({ name: 'archive', root: join(folder, 'archive') });
  room = await SealingRoom.open();
  restored = await SealingRoom.open();
});

afterEach(async () => {
  await room.dispose();
  await restored.dispose();
  rmSync(folder, { recursive: true });
});

const refuse = async (of: SealingRoom, count: number): Promise<void> => {
  for (let n = 0; n < count; n++)
    await of.journal.append({
      type: 'refused',
      at: n,
      reason: '403',
      detail: '',
      count: 1,
      windowSeconds: 0,
    });
  await of.applier.settled();
};
const leave = async (): Promise<void> => {
  await checkpoint(room.deps, { exported: true });
  const { store, signer } = room;
  await exportEvidence(
    archive,
    {
      store,
      origins: () => [ORIGIN],
      certificates: () => signer.certificates,
      issuers: () => signer.issuers,
    },
    signal,
  );
};
const depsOf = ({ store, signer }: SealingRoom) => ({
  store,
  signer,
  destinations: [archive],
  log: () => undefined,
});
const epochOf = (of: SealingRoom): Promise<Epoch> => findEpoch(ORIGIN, depsOf(of));

describe('at the start', () => {
  test('a log that has everything that left it goes on, also with more', async () => {
    await refuse(room, 3);
    await leave();
    expect(await epochOf(room)).toEqual({ origin: ORIGIN, unchecked: [] });
    await refuse(room, 2);
    expect(await epochOf(room)).toEqual({ origin: ORIGIN, unchecked: [] });
  });

  test.each([
    ['shorter than what left it', 0],
    ['as long, but with other entries', 3],
    ['longer, but with other entries', 9],
  ])('a log that is %s is followed by another epoch', async (_, entries) => {
    await refuse(room, 3);
    await leave();
    await refuse(restored, entries);
    expect(await epochOf(restored)).toMatchObject({
      origin: nextEpoch(ORIGIN),
      predecessor: { origin: ORIGIN, size: 4 },
    });
    expect(await isKnown(archive, ORIGIN, depsOf(restored))).toBe(false);
    expect(await isKnown(archive, ORIGIN, depsOf(room))).toBe(true);
  });

  test('a destination that does not answer is named, and so asked later', async () => {
    renameSync(join(folder, 'archive'), join(folder, 'unplugged'));
    expect(await epochOf(room)).toEqual({ origin: ORIGIN, unchecked: ['archive'] });
    await expect(isKnown(archive, ORIGIN, depsOf(room))).rejects.toThrow();
  });

  test('a checkpoint that our key has not signed ends no log', async () => {
    await refuse(room, 1);
    await leave();
    const [slug = ''] = readdirSync(join(folder, 'archive', 'evidence'));
    const at = join(folder, 'archive', 'evidence', slug, 'checkpoint');
    const root = Buffer.alloc(32, 7).toString('base64');
    writeFileSync(join(at, '99.txt'), `${ORIGIN}\n99\n${root}\n`);
    writeFileSync(join(at, '99.sig'), Buffer.alloc(384, 1));
    expect(await epochOf(room)).toEqual({ origin: ORIGIN, unchecked: [] });
  });
});

test('the new epoch names what came before, and calls that still run are open in it', async () => {
  await refuse(room, 3);
  await leave();
  const id = await restored.recordCall();
  const { origin, predecessor } = await epochOf(restored);
  const clock = () => ({ time: new Date().toISOString(), mono: '7f3a9c21:1', clock: 'unsynced' });
  const resume = () => Promise.resolve(emptyHead(origin));
  const chain = new Chain(emptyHead(origin), { key: restored.signer.key, clock, resume });
  await beginRun({
    store: restored.store,
    chain,
    signer: restored.signer,
    installation: 'test',
    productVersion: '0.0.0',
    policyHash: '0'.repeat(64),
    lastAlive: 1000,
    now: () => 5000,
    predecessor,
  });
  const bodies = (await restored.store.entries(origin, 0, 10)).map((entry) => parseEntry(entry.bytes).body);
  expect(bodies).toMatchObject([
    { type: 'genesis', reason: 'recovery', predecessor: `${ORIGIN} 4 ${predecessor?.root ?? '?'}` },
    { type: 'outage', cause: 'restore', clean: false },
    { type: 'open', rec: id },
  ]);
  expect((await restored.store.recording(id))?.openIndex).toBe(2);
  expect(await epochOf(restored)).toMatchObject({ origin });
});
