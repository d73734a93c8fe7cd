import { readFileSync } from 'node:fs';

/** A stored SIP message: headers by lower-case name, repeated ones joined with a comma. */
export interface SipFixture {
  readonly startLine: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

const folder = new URL('../../fixtures/siprec/', import.meta.url);

export function loadMessage(name: string): SipFixture {
  const text = readFileSync(new URL(`${name}.sip`, folder), 'utf8');
  const end = text.indexOf('\r\n\r\n');
  const [startLine = '', ...lines] = text.slice(0, end).split('\r\n');
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, key = '', value = ''] = /^([^:]+):(.*)$/.exec(line) ?? [];
    const before = headers.get(key.toLowerCase());
    headers.set(key.toLowerCase(), before === undefined ? value.trim() : `${before},${value.trim()}`);
  }
  return { startLine, headers, body: text.slice(end + 4) };
}

export function loadExpected(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8')) as Record<string, unknown>;
}
