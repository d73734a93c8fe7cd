import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Knex } from 'knex';

/** The frozen `*.js` files of a folder as knex reads migrations; each is an ES module with `up` and `down`. */
export class MigrationFiles implements Knex.MigrationSource<string> {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async getMigrations(): Promise<string[]> {
    return (await readdir(this.#folder)).filter((name) => name.endsWith('.js')).sort();
  }

  getMigrationName(migration: string): string {
    return migration;
  }

  async getMigration(migration: string): Promise<Knex.Migration> {
    return (await import(pathToFileURL(join(this.#folder, migration)).href)) as Knex.Migration;
  }
}
