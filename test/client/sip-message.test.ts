import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ClientError } from '../../src/client/client-error.ts';
import { parseAnswer } from '../../src/client/session-description.ts';
import {
  headerOf,
  headersOf,
  MessageFramer,
  parseDatagram,
  serialize,
  statusOf,
} from '../../src/client/sip-message.ts';
import { parseTarget } from '../../src/client/target.ts';

const RESPONSE =
  'SIP/2.0 200 OK\r\nv: SIP/2.0/UDP a;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP b\r\nt: <sip:x>\r\n ;tag=1\r\nl: 3\r\n\r\nv=0';

test('compact names, repeated and folded headers are read', () => {
  const message = parseDatagram(Buffer.from(RESPONSE));
  expect(statusOf(message)).toBe(200);
  expect(headersOf(message, 'via')).toHaveLength(2);
  expect(headerOf(message, 'To')).toBe('<sip:x> ;tag=1');
  expect(message.body.toString()).toBe('v=0');
});

test('octets beyond Content-Length are dropped and a cut body is refused', () => {
  expect(parseDatagram(Buffer.from(`${RESPONSE}rest`)).body.toString()).toBe('v=0');
  expect(() => parseDatagram(Buffer.from(RESPONSE.slice(0, -1)))).toThrow(
    expect.objectContaining({ code: 'BAD_MESSAGE' }),
  );
});

test('a stream is cut into the same messages wherever its segments end', () => {
  const stream = Buffer.from(`\r\n\r\n${RESPONSE}\r\n${RESPONSE}`);
  fc.assert(
    fc.property(fc.array(fc.nat(stream.length), { maxLength: 5 }), (cuts) => {
      const framer = new MessageFramer();
      const edges = [0, ...cuts.sort((a, b) => a - b), stream.length];
      const messages = edges.flatMap((edge, index) =>
        framer.push(stream.subarray(edge, edges[index + 1] ?? edge)),
      );
      expect(messages.map(({ body }) => body.toString())).toEqual(['v=0', 'v=0']);
    }),
  );
});

test('what is written can be read', () => {
  const message = {
    startLine: 'BYE sip:a SIP/2.0',
    headers: [['To', 'x']] as const,
    body: Buffer.from('äö'),
  };
  expect(parseDatagram(serialize(message)).body.toString()).toBe('äö');
});

const sipLike = fc
  .array(
    fc.constantFrom(
      'SIP/2.0 200 OK',
      'BYE sip:a SIP/2.0',
      '\r\n',
      ':',
      'l',
      '9',
      ' ',
      'v=0',
      'm=audio ',
      'c=IN IP4 ',
    ),
  )
  .map((parts) => parts.join(''));

test.each([
  ['parseDatagram', (text: string): unknown => parseDatagram(Buffer.from(text))],
  ['MessageFramer', (text: string): unknown => new MessageFramer().push(Buffer.from(text))],
  ['parseAnswer', parseAnswer],
  ['parseTarget', (text: string): unknown => parseTarget(text)],
])('%s throws nothing but ClientError', (_name, parse) => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), sipLike), (text) => {
      try {
        parse(text);
      } catch (error) {
        expect(error).toBeInstanceOf(ClientError);
      }
    }),
  );
});

test.each([
  ['sip:127.0.0.1', 'udp', '127.0.0.1', 5060, 'sip:127.0.0.1'],
  ['sip:srs@[::1]:5070;transport=tcp', 'tcp', '::1', 5070, 'sip:srs@[::1]:5070;transport=tcp'],
] as const)('%s is a target', (text, ...[transport, host, port, uri]) => {
  expect(parseTarget(text)).toEqual({ transport, host, port, uri });
});

test.each(['127.0.0.1:5060', 'sips:a', 'sip:a:70000', 'sip:a;transport=sctp', 'sip:a b', 'sip:a:0'])(
  '%s is not',
  (text) => {
    expect(() => parseTarget(text)).toThrow(expect.objectContaining({ code: 'BAD_TARGET' }));
  },
);
