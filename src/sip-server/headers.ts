/** One header field. `key` is the full name in lower case, `value` is unfolded and trimmed. */
export interface Header {
  readonly name: string;
  readonly key: string;
  readonly value: string;
}

/** RFC 3261 §7.3.3 and the IANA registry. drachtio-srf knows only half of these, and one of them wrongly. */
const COMPACT: Readonly<Record<string, string>> = {
  a: 'Accept-Contact',
  b: 'Referred-By',
  c: 'Content-Type',
  d: 'Request-Disposition',
  e: 'Content-Encoding',
  f: 'From',
  i: 'Call-ID',
  j: 'Reject-Contact',
  k: 'Supported',
  l: 'Content-Length',
  m: 'Contact',
  n: 'Identity-Info',
  o: 'Event',
  r: 'Refer-To',
  s: 'Subject',
  t: 'To',
  u: 'Allow-Events',
  v: 'Via',
  x: 'Session-Expires',
  y: 'Identity',
};

/** Names whose usual spelling is not "capital after each dash". */
const SPELLING: Readonly<Record<string, string>> = {
  'call-id': 'Call-ID',
  cseq: 'CSeq',
  'www-authenticate': 'WWW-Authenticate',
  'mime-version': 'MIME-Version',
  'min-se': 'Min-SE',
  rack: 'RAck',
  rseq: 'RSeq',
  'sip-etag': 'SIP-ETag',
  'sip-if-match': 'SIP-If-Match',
  'alert-info': 'Alert-Info',
};

const TOKEN = /^[A-Za-z0-9\-.!%*_+`'~]+$/;

/** True for a header name the grammar allows (RFC 3261 §25.1 token). */
export const isToken = (text: string): boolean => TOKEN.test(text);

/** Makes a header of the name as written: compact names are expanded, others keep their spelling. */
export function header(name: string, value: string): Header {
  const full = name.length === 1 ? (COMPACT[name.toLowerCase()] ?? name) : name;
  return { name: full, key: full.toLowerCase(), value };
}

/** More different names than these nobody uses but to fill our memory. */
const NAMES_REMEMBERED = 500;
const wireNames = new Map<string, string>();

/** The spelling a header of the application gets on the wire (drachtio-protocol.md section 2). */
export function wireName(name: string): string {
  const known = wireNames.get(name);
  if (known !== undefined) return known;
  const spelt = spell(name);
  if (wireNames.size < NAMES_REMEMBERED) wireNames.set(name, spelt);
  return spelt;
}

function spell(name: string): string {
  if (/^x-/i.test(name)) return name;
  const key = name.toLowerCase();
  return (
    SPELLING[key] ??
    key.replace(/(^|-)([a-z])/g, (_all, dash: string, letter: string) => dash + letter.toUpperCase())
  );
}

/** The first value of a header, by its lower-case full name. */
export function valueOf(headers: readonly Header[], key: string): string | undefined {
  for (const each of headers) if (each.key === key) return each.value;
  return undefined;
}

/** All values of a header in their order, one per line as they came. */
export function valuesOf(headers: readonly Header[], key: string): string[] {
  return headers.filter((each) => each.key === key).map((each) => each.value);
}

/** Removes white space at both ends. Not `trim()`, which would also take octet 0xA0, the tail of a UTF-8 letter. */
export function trimmed(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && isBlank(text.charCodeAt(from))) from += 1;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to -= 1;
  return text.slice(from, to);
}

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09;

/** Splits a comma list, leaving commas inside quotes and angle brackets alone (RFC 3261 §7.3.1). */
export function splitList(value: string): string[] {
  const items: string[] = [];
  let start = 0;
  let quoted = false;
  let angle = false;
  for (let at = 0; at < value.length; at += 1) {
    const char = value[at];
    if (quoted && char === '\\') at += 1;
    else if (char === '"') quoted = !quoted;
    else if (!quoted && char === '<') angle = true;
    else if (!quoted && char === '>') angle = false;
    else if (char === ',' && !quoted && !angle) {
      items.push(trimmed(value.slice(start, at)));
      start = at + 1;
    }
  }
  items.push(trimmed(value.slice(start)));
  return items.filter((item) => item !== '');
}
