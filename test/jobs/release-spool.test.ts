import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { deleteRecording } from '../../src/jobs/delete-recording.ts';
import { fetchFile } from '../../src/jobs/fetch-file.ts';
import { SpoolKeep } from '../../src/jobs/release-spool.ts';
import { seal } from '../../src/jobs/seal.ts';
import { RetentionRoom, SIGNAL } from '../support/retention-room.ts';

const HOUR = 3_600_000;

let room: RetentionRoom;
let now: number;
/** The disk of the spool, as a test wants it. */
let disk: { fullness: number; free: number };

beforeEach(async () => {
  room = await RetentionRoom.open();
  now = Date.now();
  disk = { fullness: 0.1, free: 1e9 };
});
afterEach(() => room.dispose());

const open = (hours: number): SpoolKeep => {
  const { spool, store } = room.sealing;
  return new SpoolKeep({
    store,
    files: {
      discard: (id) => spool.discard(id),
      list: () => spool.list(),
      freeBytes: () => disk.free,
      fullness: () => disk.fullness,
    },
    keep: hours * HOUR,
    now: () => now,
  });
};
const delivered = (keep: SpoolKeep): Promise<string> =>
  room.keep(undefined, 'none', (recording) => keep.release(recording));
const spool = (): string[] => readdirSync(join(room.sealing.folder, 'spool'));

describe('files of delivered recordings in the spool', () => {
  test('go at once when nothing is to be kept', async () => {
    await delivered(open(0));
    expect(spool()).toEqual([]);
  });

  test('stay for their time, are played from there, and then go', async () => {
    const keep = open(24);
    const id = await delivered(keep);
    const info = (await room.sealing.store.files(id)).find(({ kind }) => kind === 'info');
    if (info === undefined) throw new Error('there is no info file');
    room.away = true;
    const found = await fetchFile(
      info,
      { store: room.sealing.store, files: room.sealing.spool, destinations: new Map() },
      { signal: SIGNAL },
    );
    expect(found?.from).toBe('spool');
    expect(found && (await text(found.stream))).toContain('Nonce');
    now += 23 * HOUR;
    await keep.sweep();
    expect(spool()).toEqual([id]);
    now += 2 * HOUR;
    await keep.sweep();
    expect(spool()).toEqual([]);
    expect(keep.size).toBe(0);
  });

  test('are known again after a restart, with the time that has passed', async () => {
    const id = await delivered(open(24));
    const again = open(24);
    await again.recall(SIGNAL);
    now += 23 * HOUR;
    await again.sweep();
    expect(spool()).toEqual([id]);
    now += 2 * HOUR;
    await again.sweep();
    expect(spool()).toEqual([]);
  });

  test('that a crash left behind go when nothing is to be kept, and their recording is delivered', async () => {
    const id = await delivered(open(24));
    // Killed between the last delivery and the state, as far as the database knows.
    await room.sealing.store.write((log) => log.setState(id, 'sealed'));
    const keep = open(0);
    await keep.recall(SIGNAL);
    await keep.sweep();
    expect(spool()).toEqual([]);
    expect((await room.sealing.store.recording(id))?.state).toBe('delivered');
  });

  test('that are not delivered everywhere stay whatever the disk says', async () => {
    const id = await room.sealing.recordCall();
    await seal(id, room.sealing.deps);
    const keep = open(24);
    await keep.recall(SIGNAL);
    disk = { fullness: 1, free: 0 };
    now += 100 * HOUR;
    await keep.sweep();
    expect(spool()).toEqual([id]);
  });

  test('make room when the disk fills, the oldest first and no more than needed', async () => {
    const keep = open(24);
    const ids: string[] = [];
    for (let n = 0; n < 3; n++) {
      ids.push(await delivered(keep));
      now += 1000;
    }
    const files = await room.sealing.store.files(ids[0] ?? '');
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    // One recording and a half too much, on a disk of a thousand.
    disk = { fullness: 0.8 + 0.0015, free: (0.2 - 0.0015) * bytes * 1000 };
    await keep.sweep();
    expect(spool()).toEqual(ids.slice(2));
    disk = { fullness: 0.79, free: 1e6 };
    await keep.sweep();
    expect(spool()).toEqual(ids.slice(2));
    disk = { fullness: 1, free: 0 };
    await keep.sweep();
    expect(spool()).toEqual([]);
  });

  test('go with the recording when it is deleted, also while an archive refuses', async () => {
    const id = await delivered(open(24));
    room.away = true;
    const order = { reason: 'erasure', policy: 'private-call', actor: 'system' } as const;
    expect(await deleteRecording(id, order, room.deps, SIGNAL)).toMatchObject({ state: 'pending' });
    expect(spool()).toEqual([]);
  });
});
