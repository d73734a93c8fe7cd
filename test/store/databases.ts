import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe } from '@jest/globals';
import { openDatabase, type Database } from '../../src/store/database.ts';
import { startPostgres, type Postgres } from '../support/postgres.ts';

export const MIGRATIONS = resolve('migrations');

/** Runs one suite on SQLite and on PostgreSQL. `open` gives an empty, migrated database; the suite does not close it. */
export function describeOnBoth(name: string, suite: (open: () => Promise<Database>) => void): void {
  describe.each(['sqlite', 'pg'] as const)(`${name} on %s`, (kind) => {
    const opened: Database[] = [];
    let folder: string;
    let postgres: Postgres | undefined;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'store-'));
      if (kind === 'pg') postgres = await startPostgres();
    });
    afterAll(async () => {
      for (const database of opened) await database.close();
      await postgres?.remove();
      await rm(folder, { recursive: true });
    });
    suite(async () => {
      const label = `log${opened.length}`;
      const database = await openDatabase(
        postgres === undefined
          ? { kind: 'sqlite', file: join(folder, `${label}.sqlite`) }
          : { kind: 'pg', connection: await postgres.createDatabase(label) },
        MIGRATIONS,
      );
      opened.push(database);
      await database.migrate();
      return database;
    });
  });
}
