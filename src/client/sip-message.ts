import { ClientError } from './client-error.ts';

/** A SIP request or response (RFC 3261 §7). Header names as received; values unfolded and trimmed. */
export interface SipMessage {
  readonly startLine: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
}

const COMPACT: Readonly<Record<string, string>> = {
  v: 'via',
  f: 'from',
  t: 'to',
  i: 'call-id',
  m: 'contact',
  l: 'content-length',
  c: 'content-type',
  k: 'supported',
};

const fullName = (name: string): string => {
  const lower = name.toLowerCase();
  return COMPACT[lower] ?? lower;
};

/** First value of a header, by its full name in any case. */
export function headerOf(message: SipMessage, name: string): string | undefined {
  return message.headers.find(([key]) => fullName(key) === name.toLowerCase())?.[1];
}

/** All values of a header, in order. */
export function headersOf(message: SipMessage, name: string): readonly string[] {
  return message.headers.filter(([key]) => fullName(key) === name.toLowerCase()).map(([, value]) => value);
}

/** Status of a response, undefined for a request. */
export function statusOf(message: SipMessage): number | undefined {
  const match = /^SIP\/2\.0 ([1-6]\d\d)(?: |$)/.exec(message.startLine);
  return match === null ? undefined : Number(match[1]);
}

/** Method of a request, undefined for a response. */
export function methodOf(message: SipMessage): string | undefined {
  return /^([A-Z]+) \S+ SIP\/2\.0$/.exec(message.startLine)?.[1];
}

/** Writes a message with its Content-Length. */
export function serialize(message: SipMessage): Buffer {
  const lines = [
    message.startLine,
    ...message.headers.map(([name, value]) => `${name}: ${value}`),
    `Content-Length: ${message.body.length}`,
  ];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), message.body]);
}

/** Reads start line and headers. Throws ClientError BAD_MESSAGE. */
function parseHead(text: string): Omit<SipMessage, 'body'> {
  const [startLine = '', ...lines] = text.replace(/\r?\n[ \t]+/g, ' ').split(/\r?\n/);
  const headers = lines.map((line): readonly [string, string] => {
    const colon = line.indexOf(':');
    if (colon < 1) throw new ClientError('BAD_MESSAGE', `SIP header without a colon: ${line.slice(0, 80)}`);
    return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
  });
  const head = { startLine, headers };
  const probe = { ...head, body: Buffer.alloc(0) };
  if (statusOf(probe) === undefined && methodOf(probe) === undefined)
    throw new ClientError('BAD_MESSAGE', `not a SIP message: ${startLine.slice(0, 80)}`);
  return head;
}

function contentLength(head: Omit<SipMessage, 'body'>): number | undefined {
  const text = headerOf({ ...head, body: Buffer.alloc(0) }, 'content-length');
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new ClientError('BAD_MESSAGE', `Content-Length ${text.slice(0, 40)}`);
  return Number(text);
}

const HEAD_END = Buffer.from('\r\n\r\n');

/** One datagram (RFC 3261 §18.3): octets beyond Content-Length are dropped. Throws ClientError BAD_MESSAGE. */
export function parseDatagram(datagram: Buffer): SipMessage {
  const end = datagram.indexOf(HEAD_END);
  if (end < 0) throw new ClientError('BAD_MESSAGE', 'SIP message without an empty line');
  const head = parseHead(datagram.toString('utf8', 0, end));
  const rest = datagram.subarray(end + HEAD_END.length);
  const length = contentLength(head) ?? rest.length;
  if (length > rest.length)
    throw new ClientError('BAD_MESSAGE', `SIP body cut: ${rest.length} of ${length} octets`);
  return { ...head, body: rest.subarray(0, length) };
}

/** Cuts a TCP stream into messages by Content-Length; empty lines between messages are keep-alives. */
export class MessageFramer {
  #pending: Buffer = Buffer.alloc(0);

  /** Takes octets as they come and returns the messages they complete. Throws ClientError BAD_MESSAGE. */
  push(chunk: Buffer): readonly SipMessage[] {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    const messages: SipMessage[] = [];
    for (let message = this.#take(); message !== undefined; message = this.#take()) messages.push(message);
    return messages;
  }

  #take(): SipMessage | undefined {
    let start = 0;
    while (this.#pending[start] === 0x0d || this.#pending[start] === 0x0a) start++;
    this.#pending = this.#pending.subarray(start);
    const end = this.#pending.indexOf(HEAD_END);
    if (end < 0) return undefined;
    const head = parseHead(this.#pending.toString('utf8', 0, end));
    const bodyStart = end + HEAD_END.length;
    const bodyEnd = bodyStart + (contentLength(head) ?? 0);
    if (this.#pending.length < bodyEnd) return undefined;
    const body = Buffer.from(this.#pending.subarray(bodyStart, bodyEnd));
    this.#pending = this.#pending.subarray(bodyEnd);
    return { ...head, body };
  }
}
