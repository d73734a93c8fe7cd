/** One word after `sealtape`. A command prints with `say`, reads files and databases, and never ends the process. */
export interface Command {
  /** For the list of commands: its arguments as a person types them, without `sealtape`. */
  readonly usage: string;
  /** What it does, in a few words. */
  readonly summary: string;
  /** Resolves with the exit status: 0 done, 1 it could not be done, 2 it was not understood. */
  run(args: readonly string[], say: (line: string) => void): Promise<number>;
}
