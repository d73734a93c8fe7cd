import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ControlFramer, controlFrame } from '../../src/sip-server/control-framer.ts';
import { StreamFramer, type Framed } from '../../src/sip-server/stream-framer.ts';

const message = (method: string, body = ''): string =>
  `${method} sip:a@b SIP/2.0\r\nCSeq: 1 ${method}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

/** Cuts octets at the given places. */
function segments(text: string, cuts: readonly number[]): Buffer[] {
  const octets = Buffer.from(text, 'latin1');
  const places = [...new Set(cuts.map((cut) => cut % (octets.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((start, index) => octets.subarray(start, places[index] ?? octets.length));
}

function framedOf(framer: StreamFramer, chunks: readonly Buffer[]): Framed[] {
  const all: Framed[] = [];
  for (const chunk of chunks) {
    framer.push(chunk);
    for (let next = framer.next(); next !== undefined; next = framer.next()) all.push(next);
  }
  return all;
}

const stream = (text: string, limit = 10_000): Framed[] =>
  framedOf(new StreamFramer(limit), [Buffer.from(text, 'latin1')]);
const messagesIn = (framed: readonly Framed[]): string[] =>
  framed.flatMap((each) => (each.type === 'message' ? [each.text] : []));

describe('a SIP stream', () => {
  test('gives several messages of one segment', () => {
    const all = [message('INVITE', 'v=0\r\n\r\n'), message('BYE'), message('OPTIONS', 'xyz')];
    expect(messagesIn(stream(all.join('')))).toEqual(all);
  });

  test('gives the same messages however it is cut (SIG-4)', () => {
    const parts = fc.array(
      fc.tuple(fc.constantFrom('INVITE', 'BYE', 'INFO'), fc.string({ unit: 'binary-ascii' })),
      {
        minLength: 1,
        maxLength: 6,
      },
    );
    fc.assert(
      fc.property(parts, fc.array(fc.nat(2_000), { maxLength: 30 }), (some, cuts) => {
        const all = some.map(([method, body]) => message(method, body));
        const framed = framedOf(new StreamFramer(10_000), segments(all.join('\r\n'), cuts));
        expect(framed.filter((each) => each.type !== 'message')).toEqual([]);
        expect(messagesIn(framed)).toEqual(all);
      }),
    );
  });

  test('never throws and never invents octets', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 }), (chunks) => {
        const framed = framedOf(
          new StreamFramer(400),
          chunks.map((chunk) => Buffer.from(chunk)),
        );
        const out = framed.reduce((sum, each) => sum + (each.type === 'message' ? each.text.length : 0), 0);
        expect(out).toBeLessThanOrEqual(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
      }),
    );
  });

  test.each([
    ['one message octet by octet', 1],
    ['a double CRLF cut in two', 3],
  ])('%s', (_name, size) => {
    const text = `\r\n\r\n${message('BYE')}\r\n\r\n`;
    const chunks = Array.from({ length: Math.ceil(text.length / size) }, (_each, index) =>
      Buffer.from(text.slice(index * size, (index + 1) * size)),
    );
    expect(framedOf(new StreamFramer(1_000), chunks).map((each) => each.type)).toEqual([
      'keep-alive',
      'message',
      'keep-alive',
    ]);
  });

  test('a single CRLF between messages is no keep-alive', () => {
    expect(stream(`\r\n${message('BYE')}\r\n${message('BYE')}`).map((each) => each.type)).toEqual([
      'message',
      'message',
    ]);
  });

  test('takes bare line feeds', () => {
    const text = message('INFO', 'abc').replaceAll('\r\n', '\n');
    expect(messagesIn(stream(`${text}${message('BYE')}`))).toEqual([text, message('BYE')]);
  });

  test.each([
    [
      'a broken start line that tells its length',
      'FOO\r\nContent-Length: 4\r\n\r\nabcd',
      ['message', 'message'],
    ],
    [
      'a body without Content-Length',
      'INFO sip:a@b SIP/2.0\r\n\r\nv=0\r\nx\r\n\r\n',
      ['message', 'garbage', 'message'],
    ],
    ['plain garbage', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', ['garbage', 'message']],
    ['garbage right before a start line', 'lost body\r\n', ['garbage', 'message']],
  ])('goes on behind %s', (_name, text, types) => {
    const framed = stream(`${text}${message('BYE')}`);
    expect(framed.map((each) => each.type)).toEqual(types);
    expect(messagesIn(framed).at(-1)).toBe(message('BYE'));
  });

  test.each([
    ['a head without end', `INVITE sip:a@b SIP/2.0\r\nX: ${'x'.repeat(500)}`],
    ['a body over the limit', 'INVITE sip:a@b SIP/2.0\r\nContent-Length: 999999\r\n\r\n'],
  ])('is lost with %s', (_name, text) => {
    const framer = new StreamFramer(400);
    const framed = framedOf(framer, [Buffer.from(text), Buffer.from(message('BYE'))]);
    expect(framed).toHaveLength(1);
    expect(framed[0]).toMatchObject({ type: 'lost', head: expect.stringMatching(/^INVITE/) });
  });
});

function framesOf(framer: ControlFramer, chunks: readonly Buffer[]): string[] {
  const all: string[] = [];
  for (const chunk of chunks) {
    framer.push(chunk);
    for (let next = framer.next(); next !== undefined; next = framer.next()) all.push(next);
  }
  return all;
}

describe('a control connection', () => {
  test('gives the same frames however it is cut', () => {
    const octets = fc.uint8Array({ maxLength: 300 }).map((some) => Buffer.from(some).toString('latin1'));
    fc.assert(
      fc.property(fc.array(octets), fc.array(fc.nat(3_000), { maxLength: 30 }), (frames, cuts) => {
        const text = frames.map(controlFrame).join('');
        expect(framesOf(new ControlFramer(1_000), segments(text, cuts))).toEqual(frames);
      }),
    );
  });

  test('throws only its own errors', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (chunks) => {
        try {
          framesOf(
            new ControlFramer(20),
            chunks.map((chunk) => Buffer.from(chunk)),
          );
        } catch (error) {
          expect(error).toMatchObject({ name: 'SipServerError' });
        }
      }),
    );
  });

  test('takes a frame of 1 MiB', () => {
    const frame = 'x'.repeat(1_048_576);
    expect(
      framesOf(new ControlFramer(1_048_576), segments(controlFrame(frame), [5, 70_000, 800_000])),
    ).toEqual([frame]);
  });

  test.each([
    ['a letter before the hash', '1x#', 'BAD_FRAME'],
    ['no length', '#abc', 'BAD_FRAME'],
    ['a length over the limit', '101#', 'FRAME_TOO_LARGE'],
    ['a length without end', '0'.repeat(12), 'BAD_FRAME'],
  ])('refuses %s', (_name, text, code) => {
    expect(() => framesOf(new ControlFramer(100), [Buffer.from(text)])).toThrow(
      expect.objectContaining({ code }),
    );
  });
});
