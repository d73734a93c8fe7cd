import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';

/*
 * Shorter ways for what drachtio-srf 5 does with every message, with the same outcome (test/sip/library-shortcuts.test.ts compares both). The
 * library looks for a header by writing every name in small letters, cuts a message into three lists, copies an answer before it is sent, and
 * writes JSON for debugging at each step, whether somebody reads it or not. What is not of the usual form goes the library's own way.
 */

type Headers = Record<string, string>;

/** A message as the library has it. */
interface LibraryMessage {
  readonly headers: Headers;
  readonly method?: string;
  readonly status?: number;
  readonly reason?: string;
  readonly version?: string;
  body?: string;
}

interface Parser {
  parseSipMessage: (text: string, lazy: boolean) => object | undefined;
  getHeaderName: (name: string) => string;
}

interface SendOptions {
  readonly stackTxnId?: string;
  readonly stackDialogId?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

interface MessagePrototype {
  getHeaderName(this: LibraryMessage, name: string): string | undefined;
  get(this: LibraryMessage, name: string): string | undefined;
  has(this: LibraryMessage, name: string): boolean;
  set: (this: LibraryMessage, name: string | Headers, value?: string) => LibraryMessage;
  toJSON?: () => unknown;
}

interface RequestMeta {
  readonly source: string;
  readonly address: string;
  readonly port?: string;
  readonly protocol: string;
  readonly time: string;
  readonly transactionId: string;
  readonly dialogId: string;
  readonly server?: object;
  readonly receivedOn?: string;
  readonly sessionToken?: string;
}

interface AgentPrototype {
  sendMessage: (this: Agent, socket: Socket, message: LibraryMessage, options?: SendOptions) => string;
}

interface Wire {
  readonly _logger: (line: string) => void;
  host: string;
  port: number;
  reconnectOpts: object;
  reconnectVars: object;
  initializeRetryVars(): void;
  installListeners(socket: Socket): void;
  connect: (this: Wire, options: ConnectOptions) => void;
  send(socket: Pick<Socket, 'write'>, text: string): string;
}

interface ConnectOptions {
  readonly host: string;
  readonly port: number;
  readonly reconnect?: object;
  readonly within?: (() => Socket) | undefined;
}

interface Agent {
  readonly wp: Wire;
}

interface Class<P> {
  readonly prototype: P;
}

const NAMES_REMEMBERED = 500;
const REQUEST_LINE = /^([A-Z]+) (\S+) SIP\/(\d\.\d)$/;
const STATUS_LINE = /^SIP\/(\d\.\d) (\d{3}) (\S.*)$/;
const SPELLED: Readonly<Record<string, string>> = {
  'call-id': 'Call-ID',
  'content-length': 'Content-Length',
};

let taken = false;

/** From now on the library takes them, unless somebody reads what it writes for debugging. May be called twice. */
export function takeShortcuts(): void {
  if (taken) return;
  taken = true;
  const from = createRequire(createRequire(import.meta.url).resolve('drachtio-srf'));
  if ((from('debug') as { enabled(name: string): boolean }).enabled('drachtio:agent')) return;
  const parser = from('./sip-parser/parser.js') as Parser;
  const message = from('./sip-parser/message.js') as Class<MessagePrototype>;
  const request = from('./request.js') as Class<object>;
  const response = from('./response.js') as Class<object>;
  const agent = from('./drachtio-agent.js') as Class<AgentPrototype>;
  const wire = from('./wire-protocol.js') as Class<Wire>;
  wire.prototype.send = sendFrame;
  connectWithin(wire.prototype);
  const fullName = remembered(parser.getHeaderName);
  parser.getHeaderName = fullName;
  shortenParsing(parser, fullName);
  shortenMessages(message.prototype, fullName);
  shortenRequests(request.prototype);
  shortenResponses(response.prototype);
  shortenSending(agent.prototype, fullName);
}

/** Clients use the same few names in all their messages. */
function remembered(nameOf: (name: string) => string): (name: string) => string {
  const known = new Map<string, string>();
  return (name) => {
    const before = known.get(name);
    if (before !== undefined) return before;
    const full = nameOf(name);
    if (known.size < NAMES_REMEMBERED) known.set(name, full);
    return full;
  };
}

function shortenParsing(parser: Parser, fullName: (name: string) => string): void {
  const usual = parser.parseSipMessage;
  parser.parseSipMessage = (text, lazy) =>
    lazy ? (parseUsual(text, fullName) ?? usual(text, lazy)) : usual(text, lazy);
}

/** Undefined for a message with anything unusual in its head. Its parts (`payload`) are left out: nothing here reads them (trap 6). */
function parseUsual(text: string, fullName: (name: string) => string): object | undefined {
  const gap = text.indexOf('\r\n\r\n');
  if (gap === -1) return undefined;
  const lineEnd = text.indexOf('\r\n');
  const start = readStart(text.slice(0, lineEnd));
  if (start === undefined) return undefined;
  const headers: Headers = {};
  for (let at = lineEnd + 2; at < gap;) {
    const next = text.indexOf('\r\n', at);
    if (!readHeader(text.slice(at, next), headers, fullName)) return undefined;
    at = next + 2;
  }
  const length = headers['content-length'];
  if (length === undefined || !/^\d{1,9}$/.test(length)) return undefined;
  const body = text.slice(gap + 4);
  // The library counts characters where octets were meant; a body is never cut by that, as both are there whole.
  return { headers, body: body.length <= Number(length) ? body : body.slice(0, Number(length)), ...start };
}

function readStart(line: string): object | undefined {
  const request = REQUEST_LINE.exec(line);
  if (request !== null) return { method: request[1], uri: request[2], version: request[3] };
  const response = STATUS_LINE.exec(line);
  if (response === null) return undefined;
  return { version: response[1], status: Number(response[2]), reason: response[3] };
}

const COLON = 0x3a;
const SPACE = 0x20;
const DELETE = 0x7f;
const DASH = 0x2d;

/** `Name: value`, and the value begins with a visible letter. False for any other line. */
function readHeader(line: string, headers: Headers, fullName: (name: string) => string): boolean {
  let at = 0;
  for (let code = line.charCodeAt(0); code !== COLON; code = line.charCodeAt(++at))
    if (!(code > SPACE && code < DELETE)) return false;
  const first = line.charCodeAt(at + 2);
  if (at === 0 || line.charCodeAt(at + 1) !== SPACE || !(first > SPACE && first < DELETE)) return false;
  const name = fullName(line.slice(0, at));
  const value = line.slice(at + 2);
  const before = headers[name];
  headers[name] = before === undefined || !Object.hasOwn(headers, name) ? value : `${before},${value}`;
  return Object.hasOwn(headers, name);
}

function shortenMessages(prototype: MessagePrototype, fullName: (name: string) => string): void {
  prototype.getHeaderName = function (name) {
    return nameIn(this.headers, name);
  };
  prototype.get = function (name) {
    const there = nameIn(this.headers, fullName(name));
    return there === undefined ? undefined : this.headers[there];
  };
  prototype.has = function (name) {
    return nameIn(this.headers, name) !== undefined;
  };
  const usual = prototype.set;
  prototype.set = function (name, value) {
    if (typeof name !== 'string') return usual.call(this, name, value);
    add(this.headers, fullName(name), value);
    return this;
  };
  prototype.toJSON = () => undefined;
}

/** `X-`, `P-` and Diversion stay as they were written, so a message may have one of them in two spellings. */
const keepsSpelling = (small: string): boolean => small.charCodeAt(1) === DASH || small === 'diversion';

/** How a header is spelt in a message; undefined when it has none of that name. */
function nameIn(headers: Headers, name: string): string | undefined {
  const small = name.toLowerCase();
  if (!keepsSpelling(small) && Object.hasOwn(headers, small)) return small;
  for (const each in headers) if (each.length === small.length && each.toLowerCase() === small) return each;
  return undefined;
}

function add(headers: Headers, name: string, value: string | undefined): void {
  headers[name] = name in headers ? `${headers[name] ?? ''},${String(value)}` : String(value);
}

function shortenRequests(prototype: object): void {
  Object.defineProperty(prototype, 'meta', {
    ...Object.getOwnPropertyDescriptor(prototype, 'meta'),
    set(this: Record<string, unknown>, meta: RequestMeta) {
      this['source'] = meta.source;
      this['source_address'] = meta.address;
      this['source_port'] = meta.port === undefined || meta.port === '' ? 5060 : parseInt(meta.port, 10);
      this['protocol'] = meta.protocol;
      this['stackTime'] = meta.time;
      this['stackTxnId'] = meta.transactionId;
      this['stackDialogId'] = meta.dialogId;
      if (meta.server) this['server'] = meta.server;
      if (meta.receivedOn) this['receivedOn'] = meta.receivedOn;
      if (meta.sessionToken) this['sessionToken'] = meta.sessionToken;
    },
  });
}

/** What a response repeats of its request. */
const REPEATED = ['call-id', 'cseq', 'from', 'to'];

function shortenResponses(prototype: object): void {
  Object.defineProperty(prototype, 'req', {
    ...Object.getOwnPropertyDescriptor(prototype, 'req'),
    set(this: { _req: unknown; readonly msg: LibraryMessage }, request: { readonly msg?: LibraryMessage }) {
      this._req = request;
      const given = request.msg?.headers;
      if (given === undefined) return;
      for (const name of REPEATED) {
        const there = nameIn(given, name);
        if (there !== undefined && nameIn(this.msg.headers, name) === undefined)
          this.msg.headers[name] = given[there] ?? '';
      }
    },
  });
  Object.defineProperty(prototype, 'toJSON', { configurable: true, value: () => undefined });
}

/** Where the server is in the same process the connection is one that the server makes; the library makes it anew, through the kernel, when it is lost. */
function connectWithin(prototype: Wire): void {
  const usual = prototype.connect;
  prototype.connect = function (options) {
    if (options.within === undefined) {
      usual.call(this, options);
      return;
    }
    this.host = options.host;
    this.port = options.port;
    this.reconnectOpts = options.reconnect ?? {};
    this.reconnectVars = {};
    this.initializeRetryVars();
    this.installListeners(options.within());
  };
}

/** One frame (drachtio-protocol.md section 1); returns its id. Whoever listens on the wire (wire-tap.ts) hears it as the library says it. */
function sendFrame(this: Wire, socket: Pick<Socket, 'write'>, text: string): string {
  const id = randomUUID();
  const whole = `${id}|${text}`;
  const frame = `${Buffer.byteLength(whole)}#${whole}`;
  socket.write(frame);
  this._logger(`===>\r\n${frame}\r\n`);
  return id;
}

/** A response and its own headers and body in one text, without a message made of both before. */
function shortenSending(prototype: AgentPrototype, fullName: (name: string) => string): void {
  const usual = prototype.sendMessage;
  prototype.sendMessage = function (socket, message, options) {
    if (message.status === undefined || message.reason === undefined)
      return usual.call(this, socket, message, options);
    const { stackTxnId = '', stackDialogId = '', headers = {}, body = '' } = options ?? {};
    const whole = responseText(
      message,
      { headers, body: body === '' ? (message.body ?? '') : body },
      fullName,
    );
    return this.wp.send(socket, `sip|${stackTxnId}|${stackDialogId}\r\n${whole}`);
  };
}

function responseText(
  { headers: own, status, reason, version }: LibraryMessage,
  more: { readonly headers: Readonly<Record<string, string>>; readonly body: string },
  fullName: (name: string) => string,
): string {
  const headers: Headers = Object.assign({}, own);
  headers['content-length'] = String(more.body.length);
  for (const name in more.headers) add(headers, fullName(name), more.headers[name]);
  let text = `SIP/${version ?? '2.0'} ${status ?? ''} ${reason ?? ''}\r\n`;
  for (const name in headers) text += `${SPELLED[name] ?? name}: ${headers[name] ?? ''}\r\n`;
  return `${text}\r\n${more.body}`;
}
