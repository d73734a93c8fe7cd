import { header, isToken, trimmed, valueOf, valuesOf, type Header } from './headers.ts';
import { SipServerError } from './sip-server-error.ts';

/*
 * All SIP text in this folder is a byte string: one character per octet (latin1). So bodies and odd header octets
 * go through unchanged, lengths are lengths, and nothing is decoded twice.
 */

interface Message {
  readonly headers: readonly Header[];
  readonly body: string;
}

export interface SipRequest extends Message {
  readonly kind: 'request';
  readonly method: string;
  readonly uri: string;
}

export interface SipResponse extends Message {
  readonly kind: 'response';
  readonly status: number;
  readonly reason: string;
}

export type SipMessage = SipRequest | SipResponse;

const EMPTY_LINE = /\r?\n\r?\n/;
// The URI is visible ASCII: anything else would make drachtio-srf drop the message without an answer. Brackets and quotes are none of it.
const REQUEST_LINE = /^([A-Za-z0-9\-.!%*_+`'~]+)[ \t]+([\x21\x23-\x3b\x3d\x3f-\x7e]+)[ \t]+SIP\/2\.0[ \t]*$/i;
const STATUS_LINE = /^SIP\/2\.0[ \t]+([1-6]\d\d)(?:[ \t]+(.*))?$/i;

/**
 * Reads one whole message: tolerates bare LF, folded lines, missing spaces; header lines that are none are left out
 * (siprec-interop.md SIG-7, SIG-9). The body is everything behind the empty line. Throws BAD_MESSAGE.
 */
export function parseMessage(text: string, maxHeaders: number): SipMessage {
  const gap = EMPTY_LINE.exec(text);
  const head = gap === null ? text : text.slice(0, gap.index);
  const body = gap === null ? '' : text.slice(gap.index + gap[0].length);
  const [start = '', ...lines] = unfold(head);
  const headers = readHeaders(lines, maxHeaders);

  const request = REQUEST_LINE.exec(start);
  if (request !== null)
    return { kind: 'request', method: request[1] ?? '', uri: request[2] ?? '', headers, body };
  const status = STATUS_LINE.exec(start);
  if (status !== null)
    return { kind: 'response', status: Number(status[1]), reason: trimmed(status[2] ?? ''), headers, body };
  throw new SipServerError('BAD_MESSAGE', `not a SIP start line: ${start.slice(0, 80)}`);
}

/** Lines of a message head; continuation lines are joined with one space (RFC 3261 §7.3.1). */
export function unfold(head: string): string[] {
  const lines: string[] = [];
  for (let at = 0; at <= head.length;) {
    const found = head.indexOf('\n', at);
    const lineEnd = found === -1 ? head.length : found;
    const line = head.slice(at, found !== -1 && head[found - 1] === '\r' && found > at ? found - 1 : lineEnd);
    const last = lines.length - 1;
    if (last > 0 && (line.startsWith(' ') || line.startsWith('\t')))
      lines[last] = `${lines[last] ?? ''} ${trimmed(line)}`;
    else lines.push(line);
    at = lineEnd + 1;
  }
  return lines;
}

function readHeaders(lines: readonly string[], maxHeaders: number): Header[] {
  if (lines.length > maxHeaders)
    throw new SipServerError('BAD_MESSAGE', `more than ${maxHeaders} header lines`);
  const headers: Header[] = [];
  for (const line of lines) {
    const read = readHeader(line);
    if (read !== undefined) headers.push(read);
  }
  return headers;
}

/** One header line, or undefined when it is not `name: value`. */
export function readHeader(line: string): Header | undefined {
  const colon = line.indexOf(':');
  if (colon < 1) return undefined;
  const name = trimmed(line.slice(0, colon));
  return isToken(name) ? header(name, trimmed(line.slice(colon + 1))) : undefined;
}

/**
 * The body a message on its transport really has (RFC 3261 §18.3): cut at Content-Length; without one it runs to the
 * end of the datagram. Throws BAD_MESSAGE when it is shorter than announced or the lengths contradict each other.
 */
export function withBodyOfLength<M extends SipMessage>(message: M): M {
  const [length, ...more] = valuesOf(message.headers, 'content-length');
  if (length === undefined) return message;
  if (more.some((other) => other !== length) || !/^\d{1,9}$/.test(length))
    throw new SipServerError('BAD_MESSAGE', 'unreadable Content-Length');
  const size = Number(length);
  if (size > message.body.length)
    throw new SipServerError(
      'BAD_MESSAGE',
      `body of ${message.body.length} bytes, Content-Length says ${size}`,
    );
  return size === message.body.length ? message : { ...message, body: message.body.slice(0, size) };
}

/** The message as text, with the Content-Length its body really has. */
export function serialise(message: SipMessage): string {
  const start =
    message.kind === 'request'
      ? `${message.method} ${message.uri} SIP/2.0\r\n`
      : `SIP/2.0 ${message.status} ${message.reason}\r\n`;
  let text = start;
  for (const each of message.headers)
    if (each.key !== 'content-length') text += `${each.name}: ${each.value}\r\n`;
  return `${text}Content-Length: ${message.body.length}\r\n\r\n${message.body}`;
}

/** The value of a header that must be there. Throws BAD_MESSAGE. */
export function mandatory(message: SipMessage, key: string): string {
  const value = valueOf(message.headers, key);
  if (value === undefined || value === '') throw new SipServerError('BAD_MESSAGE', `no ${key} header`);
  return value;
}
