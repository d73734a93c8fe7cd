import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import knex, { type Knex } from 'knex';
import { keepStatements, type SqliteConnection } from './kept-statements.ts';
import { MigrationFiles } from './migration-files.ts';
import { toStoreError } from './sql-error.ts';

export type DatabaseConfig =
  | { readonly kind: 'sqlite'; readonly file: string }
  | { readonly kind: 'pg'; readonly connection: string | object };

/** An open database. Whoever opened it closes it. */
export interface Database {
  readonly kind: 'sqlite' | 'pg';
  readonly knex: Knex;
  /** Brings the tables to the newest version; does nothing when they are. Returns the names of the files that ran. */
  migrate(): Promise<readonly string[]>;
  /** May be called twice. */
  close(): Promise<void>;
}

/** knex would print what it also rejects with; whoever gets the rejection logs it. */
const SILENT: Knex.Logger = {
  warn: () => undefined,
  error: () => undefined,
  deprecate: () => undefined,
  debug: () => undefined,
};

/** Milliseconds to wait for a connection, and for a lock that another process holds on a SQLite file. */
const PATIENCE = 5000;

/** The advisory lock that migrations take; any number that nothing else in this database uses. */
const MIGRATION_LOCK = 0x5ea17a9e;

/**
 * Opens the log's database (evidence.md 1.7: what is committed is on disk). SQLite is created when absent; PostgreSQL is not
 * contacted before the first use, so a server that is away does not stop the start.
 */
export async function openDatabase(config: DatabaseConfig, migrationsDir: string): Promise<Database> {
  if (config.kind === 'sqlite') await mkdir(dirname(config.file), { recursive: true });
  const connection = knex(config.kind === 'sqlite' ? sqliteConfig(config.file) : pgConfig(config.connection));
  const migrationSource = new MigrationFiles(migrationsDir);
  let closed: Promise<void> | undefined;
  return {
    kind: config.kind,
    knex: connection,
    migrate: async () => {
      try {
        return await alone(config.kind, connection, async () => {
          // A crash in mid-migration leaves knex's own lock behind; whoever holds ours knows that nobody is migrating.
          await connection.migrate.forceFreeMigrationsLock({ migrationSource });
          const [, names] = (await connection.migrate.latest({ migrationSource })) as [number, string[]];
          return names;
        });
      } catch (error) {
        throw toStoreError(error);
      }
    },
    close: () => (closed ??= connection.destroy()),
  };
}

/**
 * One process migrates, the others wait. knex makes the table of its own lock without one, so two recorders that begin an empty
 * PostgreSQL together would both make it. The lock goes with its transaction, also when the process dies. On SQLite the data
 * directory belongs to one process (data-dir-lock.ts).
 */
function alone<T>(kind: DatabaseConfig['kind'], connection: Knex, work: () => Promise<T>): Promise<T> {
  if (kind === 'sqlite') return work();
  return connection.transaction(async (transaction) => {
    await transaction.raw('SELECT pg_advisory_xact_lock(?)', [MIGRATION_LOCK]);
    return work();
  });
}

function sqliteConfig(filename: string): Knex.Config {
  return {
    client: 'sqlite3',
    log: SILENT,
    connection: { filename },
    useNullAsDefault: true,
    // One connection: writers queue here, fairly, and never meet SQLITE_BUSY of their own making.
    pool: {
      min: 1,
      max: 1,
      afterCreate: (connection: SqliteConnection, done: (error: Error | null) => void) => {
        keepStatements(connection);
        connection.exec(
          `PRAGMA busy_timeout = ${PATIENCE}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;`,
          done,
        );
      },
    },
  };
}

function pgConfig(connection: string | object): Knex.Config {
  const base = typeof connection === 'string' ? { connectionString: connection } : connection;
  return {
    client: 'pg',
    log: SILENT,
    connection: { connectionTimeoutMillis: PATIENCE, keepAlive: true, ...base },
    acquireConnectionTimeout: PATIENCE * 2,
    pool: {
      min: 0,
      max: 4,
      afterCreate: (client: PgConnection, done: (error: Error | null) => void) => {
        client.query('SET synchronous_commit = on', done);
      },
    },
  };
}

interface PgConnection {
  query(sql: string, done: (error: Error | null) => void): void;
}
