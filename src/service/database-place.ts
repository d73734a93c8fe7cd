import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from '../config.ts';
import type { DatabaseConfig } from '../store/database.ts';

export const MIGRATIONS = fileURLToPath(new URL('../../../migrations', import.meta.url));

/** Where the configuration wants the log. */
export function databaseOf(config: Config): DatabaseConfig {
  const { client, connection } = config.database;
  return client === 'sqlite' || connection === undefined
    ? { kind: 'sqlite', file: join(config.dataDir, 'sealtape.db') }
    : { kind: 'pg', connection };
}
