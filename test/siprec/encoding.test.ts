import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SiprecError } from '../../src/siprec/errors.ts';
import { parseMetadata } from '../../src/siprec/metadata.ts';

const NAME = 'Zoë Müller';
const text = (declaration = ''): string =>
  `${declaration}<recording><participant participant_id="p"><nameID aor="sip:1@x"><name>${NAME}</name></nameID></participant></recording>`;

const bigEndian = (value: string): Buffer => Buffer.from(value, 'utf16le').swap16();

const nameIn = (octets: Uint8Array, charset?: string): string | undefined =>
  parseMetadata(octets, charset).participants[0]?.names[0]?.name;

describe('metadata given as octets (META-1)', () => {
  test.each<[string, Buffer, string | undefined]>([
    ['UTF-8 that nobody declares', Buffer.from(text()), undefined],
    ['UTF-8 with a byte order mark', Buffer.from(`\uFEFF${text()}`), undefined],
    ['UTF-16 with a mark, little-endian', Buffer.from(`\uFEFF${text()}`, 'utf16le'), undefined],
    ['UTF-16 with a mark, big-endian', bigEndian(`\uFEFF${text()}`), undefined],
    ['UTF-16 with a mark and a wrong charset', Buffer.from(`\uFEFF${text()}`, 'utf16le'), 'utf-8'],
    ['UTF-16 without a mark', Buffer.from(text(), 'utf16le'), undefined],
    ['UTF-16 by charset', bigEndian(text()), 'UTF-16'],
    [
      'declared ISO-8859-1',
      Buffer.from(text("<?xml version='1.0' encoding='ISO-8859-1'?>"), 'latin1'),
      undefined,
    ],
    [
      'ISO-8859-1 by charset, against the declaration',
      Buffer.from(text('<?xml version="1.0" encoding="UTF-8"?>'), 'latin1'),
      '"iso-8859-1"',
    ],
    ['UTF-8 that declares UTF-16', Buffer.from(text('<?xml version="1.0" encoding="UTF-16"?>')), undefined],
  ])('%s', (_title, octets, charset) => {
    expect(nameIn(octets, charset)).toBe(NAME);
    expect(parseMetadata(octets, charset).warnings).toEqual([]);
  });

  test.each([
    ['ISO-8859-1 that nobody declares', undefined, 'metadata is not valid UTF-8, read as ISO-8859-1'],
    ['a charset that does not exist', 'klingon', 'metadata is not valid KLINGON, read as ISO-8859-1'],
  ])('%s is read and flagged', (_title, charset, warning) => {
    const octets = Buffer.from(text(), 'latin1');
    expect(nameIn(octets, charset)).toBe(NAME);
    expect(parseMetadata(octets, charset).warnings).toEqual([warning]);
  });

  test('of more than 256 KB is refused before it is decoded (META-16)', () => {
    expect(() => parseMetadata(Buffer.alloc(300_000, 0x20))).toThrow(
      expect.objectContaining({ code: 'TOO_LARGE' }),
    );
  });

  test('a document type hidden in UTF-16 is refused (META-16)', () => {
    const octets = Buffer.from('\uFEFF<!DOCTYPE r [<!ENTITY a "x">]><recording>&a;</recording>', 'utf16le');
    expect(() => parseMetadata(octets)).toThrow(expect.objectContaining({ code: 'BAD_XML' }));
  });

  test('throws only SiprecError', () => {
    const charset = fc.option(fc.oneof(fc.constantFrom('utf-16', 'utf-16le', ''), fc.string()), {
      nil: undefined,
    });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), charset, (octets, name) => {
        try {
          parseMetadata(octets, name);
        } catch (error) {
          expect(error).toBeInstanceOf(SiprecError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
