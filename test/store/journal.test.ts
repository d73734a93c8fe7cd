import { appendFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { NotedEvent } from '../../src/recorder/events.ts';
import { nodeDisk, type JournalDisk } from '../../src/store/journal-disk.ts';
import { encodeLine } from '../../src/store/journal-line.ts';
import { openJournal, type Journal } from '../../src/store/journal.ts';

let folder: string;
const opened: Journal[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'journal-'));
});

afterEach(async () => {
  for (const journal of opened.splice(0)) await journal.close();
  await rm(folder, { recursive: true });
});

const note = (step: string): NotedEvent => ({ type: 'noted', at: 1, recording: 'r1', step });

async function open(options?: Parameters<typeof openJournal>[1]): Promise<Journal> {
  const journal = await openJournal(folder, options);
  opened.push(journal);
  return journal;
}

async function contents(journal: Journal, after = 0): Promise<readonly [number, string][]> {
  return (await journal.after(after, 1000)).map(({ sequence, event }) => [
    sequence,
    (event as NotedEvent).step,
  ]);
}

const logFiles = async (): Promise<string[]> =>
  (await readdir(folder)).filter((name) => name.endsWith('.log')).sort();
const logFile = async (position = 0): Promise<string> => join(folder, (await logFiles())[position] ?? 'none');

type Failure = 'nothing' | 'write' | 'half-write' | 'sync' | 'sync-and-truncate' | 'create';

interface FailingDisk extends JournalDisk {
  fail: Failure;
  syncs: number;
  /** Holds every sync until it resolves. */
  hold: Promise<void> | undefined;
}

/** The real disk, whose writes or syncs fail while `fail` says so. */
function failingDisk(): FailingDisk {
  const disk: FailingDisk = { ...nodeDisk, fail: 'nothing', syncs: 0, hold: undefined };
  disk.open = async (path, how) => {
    if (disk.fail === 'create' && how === 'create') throw refusal('ENOSPC');
    const file = await nodeDisk.open(path, how);
    return {
      ...file,
      write: async (bytes, position) => {
        if (disk.fail === 'write') throw refusal('ENOSPC');
        if (disk.fail !== 'half-write') return file.write(bytes, position);
        if (bytes.length < 20) throw refusal('ENOSPC');
        return file.write(bytes.subarray(0, bytes.length - 10), position);
      },
      datasync: async () => {
        await disk.hold;
        if (disk.fail.startsWith('sync')) throw refusal('EIO');
        disk.syncs += 1;
        await file.datasync();
      },
      truncate: async (length) => {
        if (disk.fail === 'sync-and-truncate') throw refusal('EIO');
        await file.truncate(length);
      },
    };
  };
  return disk;
}

const refusal = (code: string): Error => Object.assign(new Error(code), { code });

describe('openJournal', () => {
  test('reads back what was appended, in order and numbered from 1', async () => {
    const journal = await open();
    await journal.append(note('a'));
    await Promise.all([journal.append(note('b')), journal.append(note('c'))]);
    expect(await journal.after(0, 10)).toEqual([
      { sequence: 1, event: note('a') },
      { sequence: 2, event: note('b') },
      { sequence: 3, event: note('c') },
    ]);
    expect(await contents(journal, 2)).toEqual([[3, 'c']]);
    expect(await journal.after(0, 2)).toHaveLength(2);
  });

  test('goes on numbering after a restart, in the same file', async () => {
    const first = await open();
    await first.append(note('a'));
    await first.close();
    const second = await open();
    await second.append(note('b'));
    expect(second.damage).toEqual([]);
    expect(await contents(second)).toEqual([
      [1, 'a'],
      [2, 'b'],
    ]);
    expect(await logFiles()).toHaveLength(1);
  });

  test('has the event as it was when append was called', async () => {
    const journal = await open();
    const event = { ...note('before') } as { step: string } & NotedEvent;
    const appended = journal.append(event);
    (event as { step: string }).step = 'after';
    await appended;
    expect(await contents(journal)).toEqual([[1, 'before']]);
  });

  test('writes appends that arrive during a sync together, with one sync', async () => {
    const disk = failingDisk();
    const journal = await open({ disk });
    let release = (): void => undefined;
    disk.hold = new Promise((resolve) => (release = resolve));
    const first = journal.append(note('first'));
    await new Promise((resolve) => setImmediate(resolve));
    const others = Array.from({ length: 50 }, (_, index) => journal.append(note(`other ${index}`)));
    release();
    disk.hold = undefined;
    await Promise.all([first, ...others]);
    expect(disk.syncs).toBeLessThanOrEqual(3);
    expect(await journal.after(0, 100)).toHaveLength(51);
  });

  test('tells its listeners once the events can be read', async () => {
    const journal = await open();
    const seen: Promise<readonly [number, string][]>[] = [];
    journal.onAppend(() => seen.push(contents(journal)));
    await journal.append(note('a'));
    expect(await Promise.all(seen)).toEqual([[[1, 'a']]]);
  });

  test('never loses an append that is made as an earlier one resolves', async () => {
    const journal = await open();
    for (let round = 0; round < 50; round += 1) await journal.append(note(String(round)));
    await journal.append(note('x')).then(() => journal.append(note('y')));
    expect((await journal.after(0, 100)).map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: 52 }, (_, index) => index + 1),
    );
  });

  test('rejects appends after close, and closes twice', async () => {
    const journal = await open();
    const last = journal.append(note('last'));
    await journal.close();
    await last;
    await journal.close();
    await expect(journal.append(note('late'))).rejects.toMatchObject({ code: 'CLOSED' });
  });
});

describe('rotation and forgetting', () => {
  test('begins a new file at the size given and reads across files', async () => {
    const journal = await open({ rotateAt: 200 });
    for (let round = 1; round <= 10; round += 1) await journal.append(note(`step ${round}`));
    expect((await logFiles()).length).toBeGreaterThan(2);
    expect((await contents(journal)).map(([sequence]) => sequence)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    await journal.close();
    expect((await contents(await open())).length).toBe(10);
  });

  test('removes files that are applied whole, keeps the newest, and never gives a number twice', async () => {
    const journal = await open({ rotateAt: 200 });
    for (let round = 1; round <= 10; round += 1) await journal.append(note(`step ${round}`));
    const before = await logFiles();
    await journal.forget(4);
    expect((await contents(journal)).map(([sequence]) => sequence)).toContain(5);
    expect((await logFiles()).length).toBeLessThan(before.length);
    await journal.forget(10);
    expect(await logFiles()).toHaveLength(1);
    await journal.close();
    const again = await open({ rotateAt: 200 });
    await again.append(note('next'));
    expect((await contents(again)).at(-1)).toEqual([11, 'next']);
  });

  test('passes over numbers the database has seen when its folder was lost', async () => {
    const journal = await open();
    journal.reserve(500);
    await journal.append(note('new'));
    expect(await contents(journal, 500)).toEqual([[501, 'new']]);
    expect(journal.damage).toHaveLength(1);
    journal.reserve(500);
    expect(journal.damage).toHaveLength(1);
  });
});

test('numbers reserved during a write leave the events of that write readable', async () => {
  const disk = failingDisk();
  const journal = await open({ disk });
  let release = (): void => undefined;
  disk.hold = new Promise((resolve) => (release = resolve));
  const appended = journal.append(note('in between'));
  await new Promise((resolve) => setImmediate(resolve));
  journal.reserve(100);
  release();
  await appended;
  await journal.append(note('later'));
  const expected = [
    [1, 'in between'],
    [101, 'later'],
  ];
  expect(await contents(journal)).toEqual(expected);
  await journal.close();
  expect(await contents(await open())).toEqual(expected);
});

describe('damage', () => {
  test('keeps a torn last line beside the file and starts', async () => {
    const journal = await open();
    await journal.append(note('a'));
    await journal.append(note('b'));
    await journal.close();
    const path = await logFile();
    const whole = await readFile(path);
    await truncate(path, whole.length - 7);
    const again = await open();
    expect(again.damage).toEqual([expect.stringContaining('.torn')]);
    expect(await contents(again)).toEqual([[1, 'a']]);
    const torn = (await readdir(folder)).find((name) => name.endsWith('.torn')) ?? '';
    expect((await readFile(join(folder, torn))).toString()).toMatch(/^[0-9a-f]{8} 2 \{/);
    await again.append(note('c'));
    await again.close();
    const third = await open();
    expect(third.damage).toEqual([]);
    // Number 2 may have been seen by the database; it is not given again.
    expect(await contents(third)).toEqual([
      [1, 'a'],
      [3, 'c'],
    ]);
  });

  test('passes over a damaged line in the middle and says so', async () => {
    const journal = await open();
    for (const step of ['a', 'b', 'c']) await journal.append(note(step));
    await journal.close();
    const path = await logFile();
    const bytes = await readFile(path);
    bytes[bytes.indexOf('"b"') + 1] = 0x78;
    await writeFile(path, bytes);
    const again = await open();
    expect(again.damage).toEqual([expect.stringContaining('damaged')]);
    expect(await contents(again)).toEqual([
      [1, 'a'],
      [3, 'c'],
    ]);
    await again.append(note('d'));
    expect(await contents(again, 3)).toEqual([[4, 'd']]);
  });

  test('is found when it happens while running, and does not stop the reader', async () => {
    const journal = await open({ recent: 0 });
    for (const step of ['a', 'b']) await journal.append(note(step));
    const path = await logFile();
    const bytes = await readFile(path);
    bytes[bytes.indexOf('"b"') + 1] = 0x78;
    await writeFile(path, bytes);
    await journal.append(note('c'));
    expect(await contents(journal)).toEqual([
      [1, 'a'],
      [3, 'c'],
    ]);
    expect(journal.damage).toHaveLength(1);
  });

  test('of a last line that ends properly does not free its number', async () => {
    const journal = await open();
    await journal.append(note('a'));
    await journal.close();
    await appendFile(await logFile(), '00000000 2 {"type":"noted"}\n');
    const again = await open();
    await again.append(note('b'));
    expect(await contents(again)).toEqual([
      [1, 'a'],
      [3, 'b'],
    ]);
  });

  test('of a whole file in the middle leaves the others readable', async () => {
    const journal = await open({ rotateAt: 100 });
    for (const step of ['a', 'b', 'c', 'd', 'e', 'f']) await journal.append(note(step));
    await journal.close();
    await rm(await logFile(1));
    const again = await open();
    expect((await contents(again)).length).toBeGreaterThanOrEqual(3);
    expect((await contents(again)).at(-1)).toEqual([6, 'f']);
  });

  test('that keeps the newest file from being read now neither empties it nor gives its numbers again', async () => {
    const journal = await open();
    await journal.append(note('a'));
    await journal.close();
    const path = await logFile();
    const before = await readFile(path);
    const disk = failingDisk();
    disk.readWhole = () => Promise.reject(refusal('EIO'));
    const again = await open({ disk });
    expect(again.damage).toEqual([expect.stringContaining('cannot be read')]);
    await again.append(note('b'));
    await again.close();
    expect((await readFile(path)).equals(before)).toBe(true);
    expect((await contents(await open())).map(([, step]) => step)).toEqual(['a', 'b']);
  });

  test('cut at any octet, every complete earlier event is read back and appending works', async () => {
    const lines = ['a', 'bb\n', 'ü\u0000', '"}', 'e'].map((step, index) =>
      encodeLine(index + 1, JSON.stringify(note(step))),
    );
    const bytes = Buffer.concat(lines);
    const cuts = Array.from({ length: bytes.length + 1 }, (_, cut) => cut);
    for (const cut of cuts.filter((value) => value % 3 === 0 || value === bytes.length)) {
      await rm(folder, { recursive: true });
      const empty = await openJournal(folder);
      await empty.append(note('any'));
      await empty.close();
      await writeFile(await logFile(), bytes.subarray(0, cut));
      let end = 0;
      const complete = lines.filter((line) => (end += line.length) <= cut).length;
      const journal = await openJournal(folder);
      expect((await contents(journal)).map(([sequence]) => sequence)).toEqual(
        Array.from({ length: complete }, (_, index) => index + 1),
      );
      await journal.append(note('after'));
      expect((await contents(journal)).at(-1)?.[1]).toBe('after');
      await journal.close();
      expect((await openJournal(folder)).damage).toEqual([]);
    }
  });
});

describe('a disk that refuses', () => {
  test.each(['write', 'half-write', 'sync', 'sync-and-truncate'] as const)(
    'rejects the append on %s, keeps what was there, and takes the next one',
    async (fail) => {
      const disk = failingDisk();
      const journal = await open({ disk, retryEvery: 3_600_000 });
      await journal.append(note('before'));
      disk.fail = fail;
      const results = await Promise.allSettled([
        journal.append(note('lost 1')),
        journal.append(note('lost 2')),
      ]);
      expect(results.map((result) => result.status)).toEqual(['rejected', 'rejected']);
      expect(results).toMatchObject([{ reason: { code: 'DISK' } }, { reason: { code: 'DISK' } }]);
      expect(journal.writable).toBe(false);
      disk.fail = 'nothing';
      await journal.append(note('after'));
      expect(journal.writable).toBe(true);
      const expected = [
        [1, 'before'],
        [2, 'after'],
      ];
      expect(await contents(journal)).toEqual(expected);
      await journal.close();
      expect(await contents(await open())).toEqual(expected);
    },
  );

  test('rejects while no new file can be made, then goes on', async () => {
    const disk = failingDisk();
    const journal = await open({ disk, rotateAt: 10, retryEvery: 3_600_000 });
    await journal.append(note('a'));
    disk.fail = 'create';
    await expect(journal.append(note('b'))).rejects.toMatchObject({ code: 'DISK' });
    await expect(journal.append(note('c'))).rejects.toMatchObject({ code: 'DISK' });
    disk.fail = 'nothing';
    await journal.append(note('d'));
    await journal.close();
    expect(await contents(await open())).toEqual([
      [1, 'a'],
      [2, 'd'],
    ]);
  });

  test('is tried again without an append, so that calls can come back', async () => {
    const disk = failingDisk();
    const journal = await open({ disk, retryEvery: 5 });
    disk.fail = 'sync';
    await expect(journal.append(note('lost'))).rejects.toMatchObject({ code: 'DISK' });
    disk.fail = 'nothing';
    while (!journal.writable) await new Promise((resolve) => setTimeout(resolve, 5));
    await journal.append(note('kept'));
    await journal.close();
    const again = await open();
    expect(again.damage).toEqual([]);
    expect(await contents(again)).toEqual([[1, 'kept']]);
  });

  test('that cannot keep a torn tail does not stop the start', async () => {
    const journal = await open();
    await journal.append(note('a'));
    await journal.close();
    await appendFile(await logFile(), 'half a li');
    const disk = failingDisk();
    disk.keep = () => Promise.reject(refusal('ENOSPC'));
    const again = await open({ disk });
    expect(again.damage).toEqual([expect.stringContaining('could not be set aside')]);
    await again.append(note('b'));
    await again.close();
    expect((await contents(await open())).map(([, step]) => step)).toEqual(['a', 'b']);
  });
});
