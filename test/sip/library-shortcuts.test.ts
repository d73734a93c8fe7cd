import { createRequire } from 'node:module';
import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, jest, test } from '@jest/globals';
import { takeShortcuts } from '../../src/sip/library-shortcuts.ts';

interface Message {
  readonly headers: Record<string, string>;
  get(name: string): string | undefined;
  has(name: string): boolean;
  set(name: string, value: string): unknown;
  toString(): string;
}

/** The library as the recorder has it, and as it comes. */
interface Library {
  readonly Message: new (text: string) => Message;
  readonly Request: new (message: Message, meta: object) => Record<string, unknown>;
  readonly Response: new () => {
    msg: Record<string, unknown>;
    req: unknown;
    send: (...args: unknown[]) => void;
  };
  readonly Agent: new () => {
    wp: unknown;
    mapServer: Map<object, object>;
    sendMessage(socket: object, message: object, options?: object): string;
  };
  readonly Wire: new (options: object) => { send(socket: object, text: string): string };
}

const require = createRequire(import.meta.url);

function load(): Library {
  return {
    Message: require('drachtio-srf/lib/sip-parser/message.js') as Library['Message'],
    Request: require('drachtio-srf/lib/request.js') as Library['Request'],
    Response: require('drachtio-srf/lib/response.js') as Library['Response'],
    Agent: require('drachtio-srf/lib/drachtio-agent.js') as Library['Agent'],
    Wire: require('drachtio-srf/lib/wire-protocol.js') as Library['Wire'],
  };
}

let short: Library;
let plain: Library;

beforeAll(() => {
  takeShortcuts();
  short = load();
  jest.isolateModules(() => {
    plain = load();
  });
});

const INVITE = [
  'INVITE sip:srs@127.0.0.1 SIP/2.0',
  'Via: SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bK1',
  'Record-Route: <sip:a>',
  'Record-Route: <sip:b>',
  'From: "Alice" <sip:alice@a.example>;tag=1',
  'To: <sip:srs@127.0.0.1>',
  'Call-ID: abc@d',
  'CSeq: 1 INVITE',
  'X-Cisco-Call: 7',
  'P-Asserted-Identity: <sip:x@y>',
  'P-Charging-Vector: icid-value=1',
  'Diversion: <sip:z@y>',
  'k: timer',
  'Content-Type: application/sdp',
  'Content-Length: 11',
  '',
  'v=0\r\n\r\no=1 2',
];
const text = (lines: readonly string[]): string => lines.join('\r\n');
const changed = (from: string, to: string): string => text(INVITE).replace(from, to);

const fixtures = new URL('../../fixtures/siprec/', import.meta.url);
const MESSAGES: readonly (readonly [string, string])[] = [
  ['an INVITE', text(INVITE)],
  ['a response', text(['SIP/2.0 200 OK', 'To: <sip:a>;tag=2', 'Call-ID: x', 'Content-Length: 0', '', ''])],
  ['a reason of many words', text(['SIP/2.0 481 Call Leg Does Not Exist', 'Content-Length: 0', '', ''])],
  ['no reason', text(['SIP/2.0 200 ', 'Content-Length: 0', '', ''])],
  ['a folded header', changed('Call-ID: abc@d', 'Subject: a\r\n b')],
  ['blanks before the colon', changed('Call-ID: ', 'Call-ID  : ')],
  ['no blank behind the colon', changed('Call-ID: ', 'Call-ID:')],
  ['several blanks behind it', changed('Call-ID: ', 'Call-ID:   ')],
  ['an empty header', changed('Call-ID: abc@d', 'Subject: ')],
  ['letters outside of ASCII', changed('Alice', 'Älice')],
  ['a value that begins with one', changed('timer', 'ärger')],
  ['one header in two spellings', changed('X-Cisco-Call: 7', 'X-Cisco-Call: 7\r\nx-cisco-call: 8')],
  ['a name with a per cent sign', changed('Call-ID', 'X%41')],
  ['a header called __proto__', changed('X-Cisco-Call', '__proto__')],
  ['a small method', changed('INVITE sip', 'invite sip')],
  ['a body that is longer than said', changed('11', '4')],
  ['a body that is shorter than said', changed('11', '400')],
  ['a body of more octets than characters', changed('o=1 2', 'o=äöü')],
  ['an unreadable length', changed('11', '1x')],
  ['no length', changed('Content-Length: 11\r\n', '')],
  ['no body', text(['BYE sip:a SIP/2.0', 'Call-ID: x', 'Content-Length: 0', '', ''])],
  ['no end of the head', text(['BYE sip:a SIP/2.0', 'Call-ID: x'])],
  ...readdirSync(fixtures)
    .filter((name) => name.endsWith('.sip'))
    .map((name) => [name, readFileSync(new URL(name, fixtures), 'utf8').replace(/\r?\n/g, '\r\n')] as const),
];

const NAMES = [
  ...[
    'call-id',
    'Call-ID',
    'i',
    'from',
    'to',
    'contact',
    'x-cisco-call',
    'X-Cisco-Call',
    'diversion',
    'Diversion',
  ],
  ...['p-asserted-identity', 'P-Charging-Vector', 'p-charging-vector', 'supported', 'k', 'subject', 'none'],
];

describe.each(MESSAGES)('%s', (_name, message) => {
  const read = ({ Message }: Library): unknown => {
    try {
      return { ...new Message(message), payload: undefined };
    } catch (error) {
      return String(error);
    }
  };

  test('is read alike', () => {
    expect(read(short)).toEqual(read(plain));
  });

  test('answers alike', () => {
    if (typeof read(plain) === 'string') return;
    const [ours, theirs] = [new short.Message(message), new plain.Message(message)];
    for (const name of NAMES) {
      expect([name, ours.get(name), ours.has(name)]).toEqual([name, theirs.get(name), theirs.has(name)]);
      ours.set(name, 'new');
      theirs.set(name, 'new');
    }
    expect(ours.headers).toEqual(theirs.headers);
    expect(ours.toString()).toBe(theirs.toString());
  });
});

test('what a body says beyond its length is not seen', () => {
  expect(new short.Message(changed('11', '4'))).toMatchObject({ body: 'v=0\r' });
});

const META = {
  ...{
    source: 'network',
    address: '192.0.2.1',
    port: '5060',
    protocol: 'tcp',
    time: '1',
    transactionId: 't',
  },
  ...{ dialogId: 'd', server: {}, receivedOn: '192.0.2.2:5060', sessionToken: undefined },
};

test.each([META, { ...META, port: '', receivedOn: undefined }])('a request has what came with it', (meta) => {
  const facts = ({ Request, Message }: Library): unknown => {
    const request = new Request(new Message(text(INVITE)), meta);
    return { ...request, msg: undefined, meta: request['meta'] };
  };
  expect(facts(short)).toEqual(facts(plain));
});

test.each<{ headers?: Record<string, string>; body?: string }[]>([
  [{ headers: { Contact: '<sip:a>', Server: 'x', 'X-Own': '1' }, body: 'v=0' }],
  [{ headers: { Supported: 'timer' } }],
  [{ headers: { Warning: '399 a "b"', To: '<sip:b>;tag=5' } }],
  [{}],
])('an answer is written alike', (options) => {
  const sent = ({ Response, Request, Message, Agent }: Library): unknown => {
    const written: string[] = [];
    const response = new Response();
    response.req = new Request(new Message(text(INVITE)), META);
    const agent = new Agent();
    const { Socket } = require('node:net') as { Socket: new () => object };
    const socket = new Socket();
    agent.wp = { send: (_socket: object, frame: string) => written.push(frame) };
    agent.mapServer.set(socket, { pendingNetworkInvites: new Map(), pendingRequests: new Map() });
    Object.assign(response, { socket, agent });
    response.send(200, structuredClone(options));
    return written;
  };
  expect(sent(short)).toHaveLength(1);
  expect(sent(short)).toEqual(sent(plain));
});

test.each(['as it comes', 'with shortcuts'])(
  'a frame has its length in octets and an id of its own, %s',
  (how) => {
    const { Wire } = how === 'as it comes' ? plain : short;
    const written: string[] = [];
    const heard: string[] = [];
    const wire = new Wire({ logger: (line: string) => heard.push(line) });
    const socket = { write: (frame: string) => written.push(frame) };
    const ids = [wire.send(socket, 'sip|ä'), wire.send(socket, 'sip|ä')];
    expect(written).toEqual(ids.map((id) => `${id.length + 7}#${id}|sip|ä`));
    expect(heard).toEqual(written.map((frame) => `===>\r\n${frame}\r\n`));
    expect(new Set(ids).size).toBe(2);
  },
);
