import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { forApplication } from '../../src/sip-server/for-application.ts';
import { valueOf } from '../../src/sip-server/headers.ts';
import { parseMessage, serialise, withBodyOfLength } from '../../src/sip-server/message.ts';
import {
  closeUnterminatedBracket,
  parseNameAddr,
  quoteDisplayName,
  tagOf,
} from '../../src/sip-server/name-addr.ts';
import { readFacts } from '../../src/sip-server/request-facts.ts';
import { parseSipUri } from '../../src/sip-server/uri.ts';
import { completeVia, parseVia } from '../../src/sip-server/via.ts';

const INVITE = [
  'INVITE sip:srs@192.0.2.1 SIP/2.0',
  'v: SIP/2.0/UDP 192.0.2.7:5062;branch=z9hG4bKabc',
  'f: "Alice, Bob" <sip:+4930@pbx.example>;tag=a1',
  't:<sip:srs@192.0.2.1>',
  'i: call-1@pbx',
  'CSeq: 7 INVITE',
  'Subject: one',
  '  line folded',
  'm: <sip:src@192.0.2.7:5062;+sip.src',
  'l: 4',
  '',
  'body',
].join('\r\n');

describe('reading a message', () => {
  test('expands compact names, joins folded lines and needs no space after the colon', () => {
    const message = parseMessage(INVITE, 100);
    expect(message.headers.map((each) => each.name)).toEqual(
      ['Via', 'From', 'To', 'Call-ID', 'CSeq', 'Subject', 'Contact', 'Content-Length'], // prettier-ignore
    );
    expect(valueOf(message.headers, 'to')).toBe('<sip:srs@192.0.2.1>');
    expect(valueOf(message.headers, 'subject')).toBe('one line folded');
    expect(message.body).toBe('body');
  });

  test('takes bare line feeds for line ends', () => {
    expect(parseMessage(INVITE.replaceAll('\r\n', '\n'), 100)).toEqual(parseMessage(INVITE, 100));
  });

  test.each([
    ['a line that is no header', 'CSeq: 7 INVITE', 'this is no header\r\nCSeq: 7 INVITE'],
    ['a name that is no token', 'CSeq: 7 INVITE', 'X(y): z\r\nCSeq: 7 INVITE'],
  ])('leaves out %s', (_name, from, to) => {
    expect(parseMessage(INVITE.replace(from, to), 100)).toEqual(parseMessage(INVITE, 100));
  });

  test('keeps every octet of header values and bodies', () => {
    const text = INVITE.replace('one', 'M\u00c3\u00bcller \u00a0').replace('body', '\u00ff\u0000\u0085x');
    const message = parseMessage(text, 100);
    expect(valueOf(message.headers, 'subject')).toBe('M\u00c3\u00bcller \u00a0 line folded');
    expect(message.body).toBe('\u00ff\u0000\u0085x');
  });

  test.each([
    ['nothing', ''],
    ['a start line without URI', INVITE.replace('sip:srs@192.0.2.1 ', '')],
    ['another version', INVITE.replace('SIP/2.0\r\n', 'SIP/3.0\r\n')],
    ['a URI with an octet beyond ASCII', INVITE.replace('sip:srs@', 'sip:\u00a0srs@')],
    ['a status line without status', 'SIP/2.0 OK\r\n\r\n'],
  ])('refuses %s', (_name, text) => {
    expect(() => parseMessage(text, 100)).toThrow(expect.objectContaining({ code: 'BAD_MESSAGE' }));
  });

  test('refuses more header lines than allowed', () => {
    expect(() => parseMessage(INVITE, 7)).toThrow(expect.objectContaining({ code: 'BAD_MESSAGE' }));
    expect(parseMessage(INVITE, 8).headers).toHaveLength(8);
  });

  test.each([
    ['cuts the body at Content-Length', 'l: 2', 'bo'],
    ['takes the whole datagram without one', 'x-l: 2', 'body'],
    ['believes two that agree', 'l: 3\r\nContent-Length: 3', 'bod'],
  ])('%s (SIG-5)', (_name, line, body) => {
    expect(withBodyOfLength(parseMessage(INVITE.replace('l: 4', line), 100)).body).toBe(body);
  });

  test.each([['l: 5'], ['l: -1'], ['l: four'], ['l: 2\r\nl: 4']])(
    'refuses a body of 4 octets with "%s" (SIG-5)',
    (line) => {
      const message = parseMessage(INVITE.replace('l: 4', line), 100);
      expect(() => withBodyOfLength(message)).toThrow(expect.objectContaining({ code: 'BAD_MESSAGE' }));
    },
  );

  test.each([
    ['no Via', 'v: ', 'x-v: '],
    ['no Call-ID', 'i: ', 'x-i: '],
    ['two Call-IDs', 'i: ', 'i: other\r\ni: '],
    ['a From without URI', 'f: "Alice, Bob" <sip:+4930@pbx.example>', 'f: '],
    ['a bar in the Call-ID', 'call-1', 'call|1'],
    ['a bar in the From tag', 'tag=a1', 'tag=a|1'],
    ['a space in the Call-ID', 'call-1', 'call 1'],
    ['a CSeq without method', '7 INVITE', '7'],
    ['a CSeq beyond 31 bits', '7 INVITE', '2147483648 INVITE'],
    ['a Via of another protocol', 'SIP/2.0/UDP', 'HTTP/1.1'],
  ])('refuses a request with %s', (_name, from, to) => {
    const message = parseMessage(INVITE.replace(from, to), 100);
    expect(message.kind).toBe('request');
    if (message.kind === 'request')
      expect(() => readFacts(message)).toThrow(expect.objectContaining({ code: 'BAD_MESSAGE' }));
  });

  test('throws only its own errors, whatever comes in', () => {
    const lines = fc.array(
      fc.constantFrom(...INVITE.split('\r\n'), 'l: x', ': y', '\u0000', 'SIP/2.0 200', '<', 'm: *'),
    );
    const arbitrary = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((octets) => Buffer.from(octets).toString('latin1')),
      lines.map((some) => some.join('\r\n')),
    );
    fc.assert(
      fc.property(arbitrary, (text) => {
        try {
          const message = withBodyOfLength(parseMessage(text, 50));
          if (message.kind === 'request') readFacts(message);
          forApplication(message);
        } catch (error) {
          expect(error).toMatchObject({ name: 'SipServerError', code: 'BAD_MESSAGE' });
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test('what was written reads the same', () => {
    const once = serialise(withBodyOfLength(parseMessage(INVITE, 100)));
    expect(serialise(withBodyOfLength(parseMessage(once, 100)))).toBe(once);
  });
});

describe('the message for drachtio-srf', () => {
  test.each([
    ['<sip:n@192.0.2.9:5060;+sip.src', '<sip:n@192.0.2.9:5060>;+sip.src'],
    ['<sip:n@192.0.2.9;transport=tcp;+sip.src="x"', '<sip:n@192.0.2.9;transport=tcp>;+sip.src="x"'],
    ['"a<b" <sip:n@192.0.2.9', '"a<b" <sip:n@192.0.2.9>'],
    ['sip:x@y;+sip.src', 'sip:x@y;+sip.src'],
    ['<sip:x@y;+sip.src>', '<sip:x@y;+sip.src>'],
  ])('closes the bracket of %s', (value, closed) => {
    expect(closeUnterminatedBracket(value)).toBe(closed);
  });

  test.each([
    ['M\u00c3\u00bcller <sip:a@b>;tag=1', '"M\u00c3\u00bcller" <sip:a@b>;tag=1'],
    ['Bob B. <sip:a@b>', 'Bob B. <sip:a@b>'],
    ['"M\u00c3" <sip:a@b>', '"M\u00c3" <sip:a@b>'],
    ['<sip:a@b>', '<sip:a@b>'],
    ['sip:a@b', 'sip:a@b'],
  ])('quotes the display name of %s where needed', (value, quoted) => {
    expect(quoteDisplayName(value)).toBe(quoted);
  });

  test('has a Content-Length when the datagram had none, and no empty Contact element', () => {
    const text = INVITE.replace('l: 4\r\n', '').replace(';+sip.src', '>,').replace('body', 'a\r\n\r\nb');
    const forSrf = forApplication(parseMessage(text, 100));
    expect(forSrf).toContain('Content-Length: 6\r\n\r\na\r\n\r\nb');
    expect(forSrf).toContain('Contact: <sip:src@192.0.2.7:5062>\r\n');
  });
});

test.each([
  ['"A;tag=x" <sip:a@b;tag=y>;tag=z', 'z'],
  ['sip:a@b;tag=q', 'q'],
  ['<sip:a@b;tag=r', 'r'],
  ['<sip:a@b>', undefined],
  ['<sip:a@b>;tag=', undefined],
])('the tag of %s is %s', (value, tag) => {
  expect(tagOf(value)).toBe(tag);
});

test.each([
  ['sip:src@192.0.2.1:5070;transport=TCP', { host: '192.0.2.1', port: 5070, transport: 'tcp' }],
  ['sip:[2001:db8::1]:5070', { host: '2001:db8::1', port: 5070 }],
  ['sips:u:pw@host.example;tranport=tcp;lr', { scheme: 'sips', host: 'host.example', looseRouting: true }],
  ['sip:host?Replaces=x', { host: 'host', port: undefined }],
])('reads the URI %s', (text, expected) => {
  expect(parseSipUri(text)).toMatchObject(expected);
});

test.each([
  ['*'],
  [''],
  ['sip:'],
  ['sip:u@'],
  ['tel:+4930'],
  ['sip:h:0'],
  ['sip:h:99999'],
  ['sip:a b'],
  ['sip:h:port'],
])('takes "%s" for no SIP URI', (text) => {
  expect(parseSipUri(text)).toBeUndefined();
});

describe('Via', () => {
  const source = { address: '198.51.100.4', port: 4711 };
  test.each([
    ['SIP/2.0/UDP 198.51.100.4:5060;branch=b', 'SIP/2.0/UDP 198.51.100.4:5060;branch=b;rport=4711'],
    [
      'SIP/2.0/UDP 198.51.100.4;rport;branch=b',
      'SIP/2.0/UDP 198.51.100.4;branch=b;rport=4711;received=198.51.100.4',
    ],
    ['SIP/2.0/UDP 10.0.0.1;branch=b', 'SIP/2.0/UDP 10.0.0.1;branch=b;rport=4711;received=198.51.100.4'],
    [
      'SIP/2.0/UDP 10.0.0.1;received=1.2.3.4;rport=1',
      'SIP/2.0/UDP 10.0.0.1;rport=4711;received=198.51.100.4',
    ],
    [
      'SIP/2.0/UDP pbx;branch=b, SIP/2.0/TCP x',
      'SIP/2.0/UDP pbx;branch=b;rport=4711;received=198.51.100.4, SIP/2.0/TCP x',
    ],
  ])('%s is completed with the source (SIG-6)', (value, completed) => {
    expect(completeVia(value, source)).toBe(completed);
  });

  test('reads IPv6 and odd spacing', () => {
    expect(parseVia('SIP / 2.0 / TCP [2001:db8::1]:5061 ; branch = z9hG4bKx')).toEqual({
      host: '[2001:db8::1]',
      port: 5061,
      branch: 'z9hG4bKx',
    });
  });
});

test('an address is read to its end, whatever stands there', () => {
  fc.assert(
    fc.property(fc.string(), (value) => {
      expect(typeof parseNameAddr(value).uri).toBe('string');
      expect(quoteDisplayName(closeUnterminatedBracket(value)).length).toBeGreaterThanOrEqual(0);
    }),
  );
});
