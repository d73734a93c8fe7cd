import { describe, expect, test } from '@jest/globals';
import { parseBody } from '../../src/siprec/body.ts';
import { loadMessage } from './fixture.ts';

const sdp = 'v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n';
const xml = '<recording xmlns="urn:ietf:params:xml:ns:recording:1"/>';
const sdpPart = `Content-Type: application/sdp\r\n\r\n${sdp}`;
const xmlPart = `Content-Type: application/rs-metadata+xml\r\nContent-Disposition: recording-session\r\n\r\n${xml}`;

const multipart = (boundary: string, parts: readonly string[], end = `--${boundary}--\r\n`): string =>
  `${parts.map((part) => `--${boundary}\r\n${part}\r\n`).join('')}${end}`;

const both = multipart('b', [sdpPart, xmlPart]);

describe('parseBody finds SDP and metadata', () => {
  test.each([
    ['SDP first', 'multipart/mixed;boundary=b', both],
    ['metadata first', 'multipart/mixed;boundary=b', multipart('b', [xmlPart, sdpPart])],
    ['a quoted boundary', 'multipart/mixed; boundary="b"', both],
    ['a boundary with an escaped character', 'multipart/mixed; boundary="\\b"', both],
    ['an upper-case type and name', 'Multipart/Mixed ; BOUNDARY=b', both],
    ['blanks after the boundary parameter', 'multipart/mixed;boundary=b  ', both],
    ['a parameter behind the boundary', 'multipart/mixed;boundary=b;charset=utf-8', both],
    ['the word boundary inside another parameter', 'multipart/mixed;x="boundary=no";boundary=b', both],
    ['bare LF', 'multipart/mixed;boundary=b', both.replaceAll('\r\n', '\n')],
    ['no final delimiter', 'multipart/mixed;boundary=b', multipart('b', [sdpPart, xmlPart], '')],
    [
      'blanks after the delimiters',
      'multipart/mixed;boundary=b',
      both.replace(/(--b(?:--)?)\r\n/g, '$1 \t\r\n'),
    ],
    ['a preamble and an epilogue', 'multipart/mixed;boundary=b', `preamble\r\n${both}epilogue`],
    ['an unknown subtype (UAS-7)', 'multipart/related;boundary=b', both],
    [
      'no blank after the colon and a wrong Content-Length in each part',
      'multipart/mixed;boundary=b',
      both.replaceAll(': ', ':').replaceAll('Content-Type', 'Content-Length:3\r\nContent-Type'),
    ],
    [
      'a folded part header',
      'multipart/mixed;boundary=b',
      both.replace('application/sdp\r\n', 'application/sdp;\r\n charset=utf-8\r\n'),
    ],
    [
      'no blank line before the XML',
      'multipart/mixed;boundary=b',
      both.replace('session\r\n\r\n<', 'session\r\n<'),
    ],
    [
      'metadata known by its disposition only',
      'multipart/mixed;boundary=b',
      both.replace('application/rs-metadata+xml', 'text/plain'),
    ],
    [
      'metadata known by its root element only',
      'multipart/mixed;boundary=b',
      multipart('b', [sdpPart, `Content-Type: text/xml\r\n\r\n${xml}`]),
    ],
    ['the older media type', 'multipart/mixed;boundary=b', both.replace('+xml', '')],
    [
      'a multipart inside',
      'multipart/mixed;boundary=o',
      multipart('o', [`Content-Type: multipart/mixed;boundary=b\r\n\r\n${both}`]),
    ],
  ])('with %s', (_title, contentType, body) => {
    const found = parseBody(contentType, body);
    expect(found.sdp?.replaceAll('\r\n', '\n').trim()).toBe(sdp.replaceAll('\r\n', '\n').trim());
    expect(found.metadata?.trim()).toBe(xml);
    expect(found.otherTypes).toEqual([]);
  });
});

describe('parseBody', () => {
  test('takes plain SDP, parameters and case ignored', () => {
    expect(parseBody('application/SDP; charset=utf-8', sdp)).toMatchObject({ sdp, otherTypes: [] });
  });

  test('takes metadata alone, as in UPDATE and BYE (META-15)', () => {
    expect(parseBody('application/rs-metadata', xml)).toMatchObject({
      metadata: xml,
      metadataType: 'application/rs-metadata',
    });
  });

  test('takes a body without Content-Type for SDP when it begins like one', () => {
    expect(parseBody(undefined, sdp).sdp).toBe(sdp);
  });

  test('finds nothing in an empty body', () => {
    expect(parseBody('application/sdp', '\r\n')).toEqual({ otherTypes: [], warnings: [] });
  });

  test('names the parts it ignores (UAS-6)', () => {
    const message = loadMessage('nested-multipart');
    expect(parseBody(message.headers.get('content-type'), message.body).otherTypes).toEqual([
      'application/gtd',
      'text/plain',
    ]);
  });

  test('ignores an optional body it does not know (UAS-6)', () => {
    const part = 'Content-Type: application/gtd\r\nContent-Disposition: signal;handling=optional\r\n\r\nIAM,';
    expect(parseBody('multipart/mixed;boundary=b', multipart('b', [part]))).toMatchObject({
      otherTypes: ['application/gtd'],
    });
  });

  test('reads a boundary full of odd characters and a BYE whose only part never ends', () => {
    const hold = loadMessage('rfc-hold');
    expect(parseBody(hold.headers.get('content-type'), hold.body).sdp).toContain('a=inactive');
    const bye = loadMessage('rfc-bye');
    expect(parseBody(bye.headers.get('content-type'), bye.body).metadata).toContain('stop-time');
  });

  test.each([
    ['a type nobody understands', 'application/isup', 'x', 'UNSUPPORTED_BODY'],
    ['a body without any type', undefined, 'x', 'UNSUPPORTED_BODY'],
    ['a multipart without boundary', 'multipart/mixed', both, 'BAD_MULTIPART'],
    ['a boundary that does not occur', 'multipart/mixed;boundary=c', both, 'BAD_MULTIPART'],
    [
      'too many parts',
      'multipart/mixed;boundary=b',
      multipart('b', Array<string>(40).fill(sdpPart)),
      'TOO_LARGE',
    ],
    ['a body above the limit', 'application/sdp', `v=0${' '.repeat(1024 * 1024)}x`, 'TOO_LARGE'],
    ['too deep nesting', 'multipart/mixed;boundary=b', nest(6), 'TOO_LARGE'],
  ])('refuses %s', (_title, contentType, body, code) => {
    expect(() => parseBody(contentType, body)).toThrow(
      expect.objectContaining({ name: 'SiprecError', code }),
    );
  });
});

function nest(depth: number): string {
  if (depth === 0) return both;
  const boundary = depth === 6 ? 'b' : `d${depth}`;
  const inner = depth === 1 ? 'b' : `d${depth - 1}`;
  return multipart(boundary, [`Content-Type: multipart/mixed;boundary=${inner}\r\n\r\n${nest(depth - 1)}`]);
}
