import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { openDialogBook } from '../../src/store/dialog-book.ts';
import { eventually } from '../support/recorder-process.ts';

let folder: string;
const log = (): void => undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sealtape-dialogs-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const file = (): string => join(folder, 'dialogs.jsonl');

test('the newest state of every dialog is there for the next process, and none of those that are over (DLG-11)', async () => {
  const { book, left } = await openDialogBook(folder, { log });
  expect(left.size).toBe(0);
  book.keep('one', () => '{"n":1}');
  book.keep('two', () => '{"n":2}');
  book.keep('two', () => '{"n":3}');
  book.keep('three', () => '{"n":4}');
  book.forget('three');
  await book.close();
  expect(readFileSync(file(), 'utf8')).not.toContain('three');
  expect(statSync(file()).mode & 0o077).toBe(0);

  const second = await openDialogBook(folder, { log });
  expect([...second.left]).toEqual([
    ['one', { n: 1 }],
    ['two', { n: 3 }],
  ]);
  second.book.forget('one');
  await second.book.close();
  expect([...(await openDialogBook(folder, { log })).left.keys()]).toEqual(['two']);
});

test('a state that nobody said anything about stays until it is forgotten: a second crash may come at once', async () => {
  const first = await openDialogBook(folder, { log });
  first.book.keep('one', () => '{"n":1}');
  await first.book.close();
  const second = await openDialogBook(folder, { log });
  second.book.keep('new', () => '{"n":2}');
  await second.book.close();
  expect([...(await openDialogBook(folder, { log })).left.keys()]).toEqual(['one', 'new']);
});

test('a line that a crash tore is passed over, those before it are not', async () => {
  const first = await openDialogBook(folder, { log });
  first.book.keep('one', () => '{"n":1}');
  await first.book.close();
  appendFileSync(file(), '{"id":"two","state":{"n"');
  expect([...(await openDialogBook(folder, { log })).left.keys()]).toEqual(['one']);
});

test('a file that has grown over what is in it is written anew', async () => {
  const { book } = await openDialogBook(folder, { within: 1, log });
  for (let round = 0; round < 12; round++) {
    book.keep('one', () => JSON.stringify({ round, fill: 'x'.repeat(120_000) }));
    const deadline = Date.now() + 20_000;
    const written = (): boolean =>
      round === 0 ? statSync(file(), { throwIfNoEntry: false }) !== undefined : true;
    do await new Promise((resolve) => setTimeout(resolve, 5));
    while (!written() && Date.now() < deadline);
  }
  await book.close();
  expect(statSync(file()).size).toBeLessThan(1_300_000);
  expect([...(await openDialogBook(folder, { log })).left]).toEqual([
    ['one', { round: 11, fill: 'x'.repeat(120_000) }],
  ]);
});

test('a dialog that cannot be composed harms no other one', async () => {
  const { book } = await openDialogBook(folder, { log });
  book.keep('bad', () => {
    throw new Error('no');
  });
  book.keep('good', () => '{}');
  await book.close();
  expect([...(await openDialogBook(folder, { log })).left.keys()]).toEqual(['good']);
});

test('a dialog that is written again is written as it is by then, until the book is frozen', async () => {
  const { book } = await openDialogBook(folder, { within: 1, rest: 50, log });
  const told = (): string => (existsSync(file()) ? readFileSync(file(), 'utf8') : '');
  let state = 'first';
  book.keep('one', () => JSON.stringify({ state }));
  book.keep('other', () => '{"caller":"Anna"}');
  await eventually(() => told().includes('first') || undefined, 5000);
  state = 'second';
  book.forget('other');
  await eventually(() => told().includes('second') || undefined, 5000);
  expect(told()).not.toContain('Anna');
  book.keep('one', () => JSON.stringify({ state }));
  await book.freeze();
  state = 'ended';
  await book.close();
  expect([...(await openDialogBook(folder, { log })).left]).toEqual([['one', { state: 'second' }]]);
});

test('has no text of the dialogs in memory once they are written', async () => {
  const { book } = await openDialogBook(folder, { within: 1, log });
  const fill = (index: number): string =>
    JSON.stringify({ fill: `${index}`.repeat(100_000).slice(0, 100_000) });
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let index = 0; index < 200; index++) book.keep(`call ${index}`, () => fill(index));
  await eventually(() => (existsSync(file()) && statSync(file()).size > 20_000_000) || undefined, 20_000);
  await new Promise((resolve) => setTimeout(resolve, 50));
  collect();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(5_000_000);
  await book.close();
});

test('what a dialog said is gone from the disk soon after its end, and at the end of the process', async () => {
  const { book } = await openDialogBook(folder, { within: 1, rest: 50, log });
  const told = (): string => (existsSync(file()) ? readFileSync(file(), 'utf8') : '');
  book.keep('private', () => '{"caller":"Anna"}');
  book.keep('other', () => '{"caller":"Bert"}');
  await eventually(() => told().includes('Anna') || undefined, 5000);
  book.forget('private');
  await eventually(() => !told().includes('Anna') || undefined, 5000);
  expect(told()).toContain('Bert');
  book.forget('other');
  await book.close();
  expect(told()).toBe('');
});
