type Done = (this: unknown, error: Error | null, rows?: unknown) => void;

/** A compiled statement of the SQLite driver; what is asked of it is done in order. */
interface Statement {
  all(values: unknown, done: Done): void;
  run(values: unknown, done: Done): void;
  finalize(done?: () => void): void;
}

/** A connection of the SQLite driver, as far as it is used here. */
export interface SqliteConnection {
  all(sql: string, values: unknown, done: Done): unknown;
  run(sql: string, values: unknown, done: Done): unknown;
  exec(sql: string, done: (error: Error | null) => void): void;
  prepare(sql: string, done: (error: Error | null) => void): Statement;
  close(done: (error: Error | null) => void): void;
}

/** Statements kept; lists of values of every length are statements of their own. */
const MOST = 300;

/**
 * Lets a connection keep its compiled statements. The driver compiles each anew, which sends it to a thread and back once more and costs as much
 * as most of ours do.
 */
export function keepStatements(connection: SqliteConnection): void {
  /** The one used last is the last. */
  const kept = new Map<string, Statement>();
  const close = connection.close.bind(connection);
  const by =
    (method: 'all' | 'run') =>
    (sql: string, values: unknown, done: Done): unknown => {
      const known = kept.get(sql);
      if (known === undefined) compile(sql)[method](values, done);
      else {
        kept.delete(sql);
        kept.set(sql, known);
        known[method](values, done);
      }
      return connection;

      function compile(text: string): Statement {
        const statement = connection.prepare(text, (error) => {
          // What was asked of a statement that cannot be compiled is never answered.
          if (error !== null) done.call(statement, error);
          else if (kept.has(text)) statement.finalize();
          else keep(text, statement);
        });
        return statement;
      }
    };
  connection.all = by('all');
  connection.run = by('run');
  // A connection with statements cannot be closed.
  connection.close = (done) => {
    for (const statement of kept.values()) statement.finalize();
    kept.clear();
    close(done);
  };

  function keep(sql: string, statement: Statement): void {
    kept.set(sql, statement);
    const [oldest] = kept;
    if (kept.size <= MOST || oldest === undefined) return;
    kept.delete(oldest[0]);
    oldest[1].finalize();
  }
}
