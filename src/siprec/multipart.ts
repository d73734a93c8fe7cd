import { parseHeaderValue, type HeaderValue } from './content-type.ts';
import { SiprecError } from './errors.ts';

/** One leaf of a MIME tree. Types and dispositions are in lower case without parameters. */
export interface BodyPart {
  /** '' when the part names no type. */
  readonly type: string;
  readonly disposition: string;
  /** The parameter of the media type. */
  readonly charset?: string | undefined;
  /** RFC 3261 §20.11: absent means required. */
  readonly optional: boolean;
  readonly content: string;
}

const LF = 0x0a;
const MAX_PARTS = 32;
const MAX_NESTING = 4;

/**
 * The leaves of a multipart body in order, nested ones included (RFC 5621 §4.2). Tolerates bare LF, blanks after a
 * delimiter, a missing last delimiter and a missing preamble line (siprec-interop.md 2.1). Throws SiprecError
 * BAD_MULTIPART, TOO_LARGE.
 */
export function splitMultipart(contentType: HeaderValue, body: string): readonly BodyPart[] {
  const leaves: BodyPart[] = [];
  collect(contentType, body, { leaves, depth: 1 });
  return leaves;
}

function collect(
  contentType: HeaderValue,
  body: string,
  into: { readonly leaves: BodyPart[]; readonly depth: number },
): void {
  if (into.depth > MAX_NESTING) throw new SiprecError('TOO_LARGE', 'multipart body is nested too deeply');
  const boundary = contentType.parameters.get('boundary')?.trimEnd();
  if (boundary === undefined || boundary === '')
    throw new SiprecError('BAD_MULTIPART', 'multipart body without a boundary parameter');
  for (const text of between(body, boundary)) {
    const part = parsePart(text);
    if (part.type.value.startsWith('multipart/'))
      collect(part.type, part.content, { leaves: into.leaves, depth: into.depth + 1 });
    else into.leaves.push(leafOf(part));
    if (into.leaves.length > MAX_PARTS)
      throw new SiprecError('TOO_LARGE', 'multipart body has too many parts');
  }
}

/** The texts between the delimiter lines of one level. */
function between(body: string, boundary: string): readonly string[] {
  const parts: string[] = [];
  const delimiter = `--${boundary}`;
  let from = -1;
  // Only a line that begins with the delimiter can be one.
  for (let at = lineWith(body, delimiter, 0); at !== -1;) {
    const newline = body.indexOf('\n', at);
    const next = newline === -1 ? body.length : newline + 1;
    const line = body.slice(at, next).trimEnd();
    if (line === delimiter || line === `${delimiter}--`) {
      if (from !== -1) parts.push(withoutLastBreak(body.slice(from, at)));
      from = next;
      if (line !== delimiter) return parts;
    }
    at = lineWith(body, delimiter, next);
  }
  if (from === -1) throw new SiprecError('BAD_MULTIPART', 'the boundary does not occur in the body');
  parts.push(body.slice(from));
  return parts.filter((part) => part.trim() !== '');
}

/** Where the next line begins that begins with `text`; `from` is the beginning of a line. -1 when there is none. */
function lineWith(body: string, text: string, from: number): number {
  let at = body.indexOf(text, from);
  while (at > from && body.charCodeAt(at - 1) !== LF) at = body.indexOf(text, at + 1);
  return at;
}

// The line break before a delimiter belongs to the delimiter (RFC 2046 §5.1.1).
const withoutLastBreak = (text: string): string => text.replace(/\r?\n$/, '');

interface RawPart {
  readonly type: HeaderValue;
  readonly disposition: HeaderValue;
  readonly content: string;
}

/** Headers up to the blank line. Clients forget that line, so a line that can only be content ends them too. */
function parsePart(text: string): RawPart {
  const headers = new Map<string, string>();
  let last = '';
  let at = 0;
  while (at < text.length) {
    const newline = text.indexOf('\n', at);
    const next = newline === -1 ? text.length : newline + 1;
    const line = text.slice(at, next).trimEnd();
    const header = parseHeader(line, last);
    if (header === undefined) {
      at = line === '' ? next : at;
      break;
    }
    last = header.name;
    headers.set(last, `${headers.get(last) ?? ''} ${header.value}`.trim());
    at = next;
  }
  return {
    type: parseHeaderValue(headers.get('content-type') ?? headers.get('c') ?? ''),
    disposition: parseHeaderValue(headers.get('content-disposition') ?? ''),
    content: text.slice(at),
  };
}

/** A folded line goes on with the header before it (RFC 5322 §2.2.3); anything else is no header. */
function parseHeader(
  line: string,
  last: string,
): { readonly name: string; readonly value: string } | undefined {
  const [, name, value] = /^([A-Za-z0-9-]+)[ \t]*:(.*)$/.exec(line) ?? [];
  if (name !== undefined && value !== undefined) return { name: name.toLowerCase(), value: value.trim() };
  return last !== '' && /^[ \t]+\S/.test(line) ? { name: last, value: line.trim() } : undefined;
}

const leafOf = (part: RawPart): BodyPart => ({
  type: part.type.value,
  disposition: part.disposition.value,
  charset: part.type.parameters.get('charset'),
  optional: part.disposition.parameters.get('handling')?.toLowerCase() === 'optional',
  content: part.content,
});
