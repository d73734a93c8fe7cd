import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { globalId, sessionIdHalves } from '../../src/siprec/identifier.ts';
import { decodeUcid } from '../../src/siprec/ucid.ts';

const HEX = '003918F5615DEFC4';
const DECIMAL = '00057063891633546180';

describe('a UCID (siprec-interop 5.4)', () => {
  test.each([
    ['User-to-User', `04FA08${HEX}C8143030;encoding=hex`],
    ['a session id', `00FA08${HEX}`],
    ['without the leading zeros (AudioCodes)', `FA08${HEX}`],
    ['lower case', `00fa08${HEX.toLowerCase()}`],
    ['16 hex digits', HEX],
    ['20 decimal digits', DECIMAL],
  ])('is read from %s', (_title, text) => {
    expect(decodeUcid(text)).toEqual({ hex: HEX, decimal: DECIMAL });
  });

  test.each(['', 'hello', 'FA08', '04FA0800', '99999999999999999999', `0FA08${HEX}`])(
    'is not in %p',
    (text) => {
      expect(decodeUcid(text)).toBeUndefined();
    },
  );

  test('has two spellings of the same thing', () => {
    const digits = fc.stringMatching(/^[0-9A-F]{16}$/);
    fc.assert(
      fc.property(digits, (hex) => {
        const ucid = decodeUcid(hex);
        expect(decodeUcid(ucid?.decimal ?? '')).toEqual(ucid);
      }),
    );
  });
});

describe('an id is known beyond its dialog when it is a UUID (siprec-interop 2.3)', () => {
  const uuid = '855a5ded-8420-456d-a70f-6da1eeaeb425';

  test.each([
    ['base64 of 16 octets (RFC 7865)', 'hVpd7YQgRW2nD22h7q60JQ==', uuid],
    ['urn:uuid', `urn:uuid:${uuid.toUpperCase()}`, uuid],
    ['a plain UUID', uuid, uuid],
    ['base64 of 16 characters (Ribbon)', 'AAAAADU1MDFzZXMxAAAAAQ==', undefined],
    ['a number', '5550122', undefined],
    ['nothing', '', undefined],
  ])('%s', (_title, id, known) => {
    expect(globalId(id)).toBe(known);
  });
});

test.each([
  [
    'ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2',
    ['ab30317f1a784dc48ff824d0d3715d86', '47755a9de7794ba387653f2099600ef2'],
  ],
  [
    'ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000',
    ['ab30317f1a784dc48ff824d0d3715d86'],
  ],
  ['1-32326@127.0.0.1', []],
])('the halves of %s (RFC 7989)', (text, halves) => {
  expect(sessionIdHalves(text)).toEqual(halves);
});
