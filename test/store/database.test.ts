import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { openDatabase, type Database } from '../../src/store/database.ts';
import { SqlLogStore } from '../../src/store/log-store.ts';
import { toStoreError } from '../../src/store/sql-error.ts';
import { startPostgres } from '../support/postgres.ts';
import { MIGRATIONS } from './databases.ts';

let folder: string;
let opened: Database[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'database-'));
});

afterEach(async () => {
  for (const database of opened) await database.close();
  opened = [];
  await rm(folder, { recursive: true });
});

async function open(config: Parameters<typeof openDatabase>[0]): Promise<Database> {
  const database = await openDatabase(config, MIGRATIONS);
  opened.push(database);
  return database;
}

const sqlite = (): Promise<Database> => open({ kind: 'sqlite', file: join(folder, 'deep', 'log.sqlite') });

describe('SQLite', () => {
  test('keeps every commit on disk and enforces references', async () => {
    const { knex } = await sqlite();
    const pragma = async (name: string): Promise<unknown> =>
      Object.values((await knex.raw<Record<string, unknown>[]>(`PRAGMA ${name}`))[0] ?? {})[0];
    expect(await pragma('journal_mode')).toBe('wal');
    expect(await pragma('synchronous')).toBe(2);
    expect(await pragma('foreign_keys')).toBe(1);
    expect(await pragma('busy_timeout')).toBeGreaterThan(1000);
  });

  test('keeps its compiled statements through faults and changes of the tables, many more than it keeps, and closes', async () => {
    const database = await sqlite();
    const { knex } = database;
    await knex.raw('CREATE TABLE kept (id INTEGER PRIMARY KEY, name TEXT NOT NULL)');
    const insert = (id: number, name: string | null): Promise<unknown> =>
      knex.transaction((transaction) => transaction.raw('INSERT INTO kept VALUES (?, ?)', [id, name]));
    await insert(1, 'one');
    await expect(insert(1, 'again')).rejects.toMatchObject({ code: 'SQLITE_CONSTRAINT' });
    await expect(insert(2, null)).rejects.toMatchObject({ code: 'SQLITE_CONSTRAINT' });
    await insert(2, 'two');
    const all = (): Promise<unknown> => knex.raw('SELECT * FROM kept ORDER BY id');
    expect(await all()).toEqual([
      { id: 1, name: 'one' },
      { id: 2, name: 'two' },
    ]);
    await knex.raw("ALTER TABLE kept ADD COLUMN more TEXT DEFAULT 'x'");
    expect(await Promise.all([all(), all()])).toEqual([
      [
        { id: 1, name: 'one', more: 'x' },
        { id: 2, name: 'two', more: 'x' },
      ],
      expect.anything(),
    ]);
    for (const times of [1, 2])
      for (let n = 0; n < 400; n++)
        expect(await knex.raw(`SELECT ${n} AS n, ? AS times`, [times])).toEqual([{ n, times }]);
    for (let time = 0; time < 2; time++)
      await expect(knex.raw('SELECT nothing FROM nowhere')).rejects.toMatchObject({ code: 'SQLITE_ERROR' });
    expect(await knex('kept').where({ id: 2 }).update({ name: 'zwei' })).toBe(1);
    expect(await knex('kept').where({ id: 3 }).update({ name: 'zwei' })).toBe(0);
    await knex.raw('DROP TABLE kept');
    await database.close();
  });

  test('has the log again after closing and opening', async () => {
    const first = await sqlite();
    await first.migrate();
    await new SqlLogStore(first, { node: 'a' }).write((log) => log.setCursor(7));
    await first.close();
    await first.close();
    expect(await new SqlLogStore(await sqlite(), { node: 'a' }).cursor()).toBe(7);
  });

  test('migrates although an earlier migration was killed', async () => {
    const database = await sqlite();
    await database.migrate();
    await database.knex('knex_migrations_lock').update({ is_locked: 1 });
    expect(await database.migrate()).toEqual([]);
  });

  test('rejects with UNAVAILABLE while another process holds the file, and writes once it lets go', async () => {
    const database = await sqlite();
    await database.migrate();
    await database.knex.raw('PRAGMA busy_timeout = 20');
    const other = await sqlite();
    await other.knex.raw('BEGIN IMMEDIATE');
    const store = new SqlLogStore(database, { node: 'a' });
    await expect(store.write((log) => log.setCursor(1))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await other.knex.raw('ROLLBACK');
    await store.write((log) => log.setCursor(2));
    expect(await store.cursor()).toBe(2);
  });

  test('says CORRUPT when the file is no database', async () => {
    const file = join(folder, 'log.sqlite');
    await writeFile(file, 'this was a database once, but then the disk went bad'.repeat(50));
    const database = await open({ kind: 'sqlite', file });
    await expect(database.migrate()).rejects.toMatchObject({ code: 'CORRUPT' });
    expect((await stat(file)).size).toBe(52 * 50);
  });
});

describe('PostgreSQL', () => {
  test('going away rejects with UNAVAILABLE; coming back needs no restart of ours', async () => {
    const postgres = await startPostgres();
    try {
      const database = await open({ kind: 'pg', connection: await postgres.createDatabase('log') });
      await database.migrate();
      const store = new SqlLogStore(database, { node: 'a' });
      await store.write((log) => log.setCursor(1));
      await postgres.stop();
      await expect(store.cursor()).rejects.toMatchObject({ name: 'StoreError', code: 'UNAVAILABLE' });
      await expect(store.write((log) => log.setCursor(2))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      await postgres.start();
      await store.write((log) => log.setCursor(3));
      expect(await store.cursor()).toBe(3);
      expect((await database.knex.raw<{ rows: unknown[] }>('SHOW synchronous_commit')).rows).toEqual([
        { synchronous_commit: 'on' },
      ]);
    } finally {
      for (const database of opened) await database.close();
      await postgres.remove();
    }
  });

  test('is migrated once by recorders that begin it together, and again after one died in mid-migration', async () => {
    const postgres = await startPostgres();
    try {
      const connection = await postgres.createDatabase('log');
      const recorders = await Promise.all([1, 2, 3, 4].map(() => open({ kind: 'pg', connection })));
      const ran = await Promise.all(recorders.map((database) => database.migrate()));
      expect(ran.flat().sort()).toEqual((await readdir(MIGRATIONS)).sort());
      await recorders[0]?.knex('knex_migrations_lock').update({ is_locked: 1 });
      expect(await recorders[1]?.migrate()).toEqual([]);
    } finally {
      for (const database of opened) await database.close();
      await postgres.remove();
    }
  });

  test('that is not there does not keep the database from being opened', async () => {
    const database = await open({
      kind: 'pg',
      connection: `postgresql://nobody@localhost/none?host=${folder}`,
    });
    await expect(new SqlLogStore(database, { node: 'a' }).cursor()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
  });
});

describe('toStoreError', () => {
  test.each([
    ['SQLITE_CONSTRAINT', 'CONFLICT'],
    ['SQLITE_BUSY', 'UNAVAILABLE'],
    ['SQLITE_FULL', 'UNAVAILABLE'],
    ['SQLITE_NOTADB', 'CORRUPT'],
    ['SQLITE_ERROR', 'INVALID'],
    ['23505', 'CONFLICT'],
    ['53100', 'UNAVAILABLE'],
    ['57P01', 'UNAVAILABLE'],
    ['40001', 'UNAVAILABLE'],
    ['XX001', 'CORRUPT'],
    ['42P01', 'DENIED'],
    ['42501', 'DENIED'],
    ['22001', 'INVALID'],
    ['EPIPE', 'UNAVAILABLE'],
    ['ECONNREFUSED', 'UNAVAILABLE'],
  ])('knows %s as %s', (code, expected) => {
    const error = toStoreError(Object.assign(new Error('text'), { code }));
    expect(error.code).toBe(expected);
    expect(error.message).toContain('text');
    expect(toStoreError(error)).toBe(error);
  });

  test.each([
    ['Connection terminated unexpectedly', 'UNAVAILABLE'],
    ['Knex: Timeout acquiring a connection. The pool is probably full.', 'UNAVAILABLE'],
    ['something else', 'INVALID'],
  ])('reads drivers that give no code: %s', (message, code) => {
    expect(toStoreError(new Error(message)).code).toBe(code);
  });
});
