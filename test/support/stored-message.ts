import { readFileSync } from 'node:fs';

/** A SIP message as octets on disk: its headers by lower-case name, repeated ones joined with a comma. */
export interface StoredMessage {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The octets after the blank line, untouched. */
  readonly octets: Buffer;
  /** The same read as UTF-8. */
  readonly body: string;
}

/** Reads a `.sip` file; tolerates what the clients do to header lines (SIG-9). */
export function readStoredMessage(file: URL): StoredMessage {
  const bytes = readFileSync(file);
  const end = bytes.indexOf('\r\n\r\n');
  const [startLine = '', ...lines] = bytes.subarray(0, end).toString('utf8').split('\r\n');
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const [, name = '', value = ''] = /^([^:]+?)\s*:\s*(.*?)\s*$/.exec(line) ?? [];
    const before = headers[name.toLowerCase()];
    headers[name.toLowerCase()] = before === undefined ? value : `${before},${value}`;
  }
  const octets = bytes.subarray(end + 4);
  return { method: startLine.split(' ')[0] ?? '', headers, octets, body: octets.toString('utf8') };
}
