/**
 * One word after `sealtape`. A command prints what was asked for with `say` and what went wrong with `complain`, so that `$(…)` and `> FILE` get
 * nothing else; it reads files and databases, and never ends the process.
 */
export interface Command {
  /** For the list of commands: its arguments as a person types them, without `sealtape`. */
  readonly usage: string;
  /** What it does, in a few words. */
  readonly summary: string;
  /** Set where it answers `--help` itself; the others are explained by `usage` and `summary`. */
  readonly helps?: true;
  /** Resolves with the exit status: 0 done, 1 it could not be done, 2 it was not understood. Without `complain` faults are said too. */
  run(
    args: readonly string[],
    say: (line: string) => void,
    complain?: (line: string) => void,
  ): Promise<number>;
}
