import { parseArgs } from 'node:util';

export interface Arguments {
  readonly path: string;
  /** Files with the certificates that the person who verifies trusts. */
  readonly certificates: readonly string[];
  readonly json: boolean;
}

export const USAGE = `Usage: sealtape-verify PATH [--cert FILE]... [--json]

  PATH         a file of a recording, a folder of the archive, or the archive's root
  --cert FILE  the certificate that was handed over on paper or by another safe way; may be given for each recorder
  --json       print the result as JSON

Exit: 0 intact, 1 altered or incomplete, 2 unreadable or wrongly called
`;

/** The command line, or undefined when it cannot be understood. */
export function readArguments(words: readonly string[]): Arguments | undefined {
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      allowPositionals: true,
      options: { cert: { type: 'string', multiple: true }, json: { type: 'boolean' } },
    });
    const [path, ...more] = positionals;
    if (path === undefined || path === '' || more.length > 0) return undefined;
    return { path, certificates: values.cert ?? [], json: values.json ?? false };
  } catch {
    return undefined;
  }
}
