import { parseArgs } from 'node:util';

export interface Arguments {
  readonly path: string;
  /** Files with the certificates that the person who verifies trusts. */
  readonly certificates?: readonly string[];
  /** Files with a genesis, or its SHA-256 fingerprint, that the person expects. */
  readonly genesis?: readonly string[];
  /** Files with checkpoints that were kept elsewhere. */
  readonly since?: readonly string[];
  /** Files with certificates of time-stamp authorities. */
  readonly authorities?: readonly string[];
}

/** Arguments that say where the result goes. */
export interface Output {
  readonly json: boolean;
  /** File for the HTML report. */
  readonly html: string | undefined;
  /** Private key, PEM, that signs it. */
  readonly reportKey: string | undefined;
}

export const USAGE = `Usage: sealtape-verify PATH [OPTIONS]

  PATH              a file of a recording, a folder, an archive's root, or an evidence log

What you know from elsewhere:
  --cert FILE       the certificate that was handed over on paper or by another safe way, or that of the authority which issued it;
                    may be given for each recorder
  --genesis FILE    the genesis that was handed over, or its SHA-256 fingerprint; may be given for each recorder
  --since FILE      a checkpoint that you kept: the log must continue it; may be given several times
  --tsa-ca FILE     certificates (PEM) of the time-stamp authorities that you trust; may be given several times

Where the result goes:
  --json            print it as JSON
  --html FILE       write it as a page too; its SHA-256 is printed
  --report-key FILE sign that page with this private key (PEM): the signature goes to FILE.sig

Exit: 0 intact, 1 altered or incomplete, 2 unreadable or wrongly called
`;

/** The command line, or undefined when it cannot be understood. */
export function readArguments(words: readonly string[]): (Arguments & Output) | undefined {
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        cert: { type: 'string', multiple: true },
        genesis: { type: 'string', multiple: true },
        since: { type: 'string', multiple: true },
        'tsa-ca': { type: 'string', multiple: true },
        json: { type: 'boolean' },
        html: { type: 'string' },
        'report-key': { type: 'string' },
      },
    });
    const [path, ...more] = positionals;
    if (path === undefined || path === '' || more.length > 0) return undefined;
    if (values['report-key'] !== undefined && values.html === undefined) return undefined;
    return {
      path,
      certificates: values.cert ?? [],
      genesis: values.genesis ?? [],
      since: values.since ?? [],
      authorities: values['tsa-ca'] ?? [],
      json: values.json ?? false,
      html: values.html,
      reportKey: values['report-key'],
    };
  } catch {
    return undefined;
  }
}
