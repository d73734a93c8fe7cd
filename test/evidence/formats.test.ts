import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { formatCheckpoint, parseCheckpoint } from '../../src/evidence/checkpoint.ts';
import { formatHashFile, parseHashFile } from '../../src/evidence/hash-file.ts';
import { formatInfo, parseInfo, type InfoField } from '../../src/evidence/info.ts';
import { entryFilePath, formatEntryFile, parseEntryFile } from '../../src/evidence/layout.ts';
import { appendLeaf, frontierRoot, leafHash, nodeHash } from '../../src/evidence/merkle.ts';
import { formatOrigin, parseOrigin, slugOf } from '../../src/evidence/origin.ts';
import { recordingOf } from '../../src/evidence/recording-files.ts';
import { parseNameTemplate } from '../../src/evidence/name-template.ts';
import { recordingName } from '../../src/evidence/recording-name.ts';

const origin = 'bank.example/siprec/fra1/rec01/e1';
const root = Buffer.alloc(32, 7).toString('base64');
const failing = (code: string): RegExp => new RegExp(`^${code}: `);

/** Every parser: only its own error, and what it reads it writes the same. */
function canonical(parse: (bytes: Uint8Array) => Uint8Array, codes: readonly string[], like: string): void {
  const near = fc
    .tuple(fc.nat(like.length), fc.string({ maxLength: 3 }), fc.nat(3))
    .map(([at, text, cut]) => Buffer.from(like.slice(0, at) + text + like.slice(at + cut)));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), near), (bytes) => {
      try {
        expect(Buffer.from(parse(bytes)).equals(bytes)).toBe(true);
      } catch (error) {
        expect(codes).toContain((error as { code: string }).code);
      }
    }),
    { numRuns: 500 },
  );
}

describe('a checkpoint', () => {
  const text = `${origin}\n1043\n${root}\n`;

  test('is three lines', () => {
    expect(formatCheckpoint(origin, 1043, root).toString()).toBe(text);
    expect(parseCheckpoint(Buffer.from(text))).toEqual({ origin, size: 1043, root });
  });

  test.each([
    ['size 0', text.replace('1043', '0')],
    ['a leading zero', text.replace('1043', '01043')],
    ['an exponent', text.replace('1043', '1e3')],
    ['stray bits in the root', text.replace('c=\n', 'd=\n')],
    ['a root too short', text.replace(root, 'AAAA')],
    ['an extension line', `${text}extra\n`],
    ['no final line feed', text.slice(0, -1)],
    ['carriage returns', text.replaceAll('\n', '\r\n')],
  ])('with %s is refused', (_, altered) => {
    expect(altered).not.toBe(text);
    expect(() => parseCheckpoint(Buffer.from(altered))).toThrow(/BAD_(CHECKPOINT|ORIGIN)/);
  });

  test('is read only in its canonical form', () => {
    canonical(
      (bytes) => {
        const { origin: of, size, root: hash } = parseCheckpoint(bytes);
        return formatCheckpoint(of, size, hash);
      },
      ['BAD_CHECKPOINT', 'BAD_ORIGIN'],
      text,
    );
  });
});

describe('a hash list', () => {
  const files = [
    { name: 'a.wav', sha256: 'ab'.repeat(32) },
    { name: 'a_info.txt', sha256: 'cd'.repeat(32) },
  ];
  const text = `${'ab'.repeat(32)}  a.wav\n${'cd'.repeat(32)}  a_info.txt\n`;

  test('is what shasum reads', () => {
    expect(formatHashFile(files).toString()).toBe(text);
    expect(parseHashFile(Buffer.from(text))).toEqual(files);
  });

  test.each([
    ['a path upwards', text.replace('a.wav', '../a.wav')],
    ['an absolute path', text.replace('a.wav', '/a.wav')],
    ['two dots', text.replace('a.wav', '..')],
    ['an option', text.replace('a.wav', '-a.wav')],
    ['a name twice', text.replace('a_info.txt', 'a.wav')],
    ['upper-case hex', text.replace('ab', 'AB')],
    ['the binary mark', text.replace('  a.wav', ' *a.wav')],
    ['carriage returns', text.replaceAll('\n', '\r\n')],
    ['a byte order mark', `\ufeff${text}`],
    ['a line of something else', `${text}hello\n`],
    ['an empty line', text.replace('\n', '\n\n')],
    ['no final line feed', text.slice(0, -1)],
    ['nothing', ''],
    ['a blank in a name', text.replace('a.wav', 'a b.wav')],
  ])('with %s is refused', (_, altered) => {
    expect(() => parseHashFile(Buffer.from(altered))).toThrow(failing('BAD_HASH_FILE'));
  });

  test('is read only in its canonical form', () => {
    canonical((bytes) => formatHashFile(parseHashFile(bytes)), ['BAD_HASH_FILE'], text);
  });
});

describe('an info file', () => {
  test('keeps what people wrote, and one line a field', () => {
    const fields: readonly InfoField[] = [
      ['Caller-Name', 'Zoe\u0308 "50 % off"\nStatus: complete'],
      ['Note', 'right\u202eleft'],
    ];
    const bytes = formatInfo(fields);
    expect(bytes.toString()).toBe(
      'Caller-Name: Zoë "50 %25 off"%0AStatus: complete\nNote: right%E2%80%AEleft\n',
    );
    expect(parseInfo(bytes)).toEqual([
      ['Caller-Name', 'Zoë "50 % off"\nStatus: complete'],
      ['Note', 'right\u202eleft'],
    ]);
  });

  test('gives back every text in normal form', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' })), fc.string({ unit: 'binary' }), (names, text) => {
        const fields: readonly InfoField[] = [...names, text].map((value, at) => [`Key-${at}`, value]);
        const read = parseInfo(formatInfo(fields));
        expect(read).toEqual(
          fields.map(([key, value]) => [key, Buffer.from(value).toString().normalize('NFC')]),
        );
      }),
    );
  });

  test.each([
    ['a byte order mark', Buffer.from('\ufeffKey: value\n')],
    ['carriage returns', Buffer.from('Key: value\r\n')],
    ['decomposed characters', Buffer.from('Key: e\u0301\n')],
    ['octets that are not UTF-8', Buffer.from([0x4b, 0x3a, 0x20, 0xff, 0x0a])],
    ['a key twice', Buffer.from('Key: a\nKey: b\n')],
    ['a line without a key', Buffer.from('value\n')],
    ['an escape that need not be', Buffer.from('Key: %41\n')],
    ['a lower-case escape', Buffer.from('Key: %0a\n')],
    ['no final line feed', Buffer.from('Key: a')],
  ])('with %s is refused', (_, bytes) => {
    expect(() => parseInfo(bytes)).toThrow(failing('BAD_INFO'));
  });

  test('is read only in its canonical form', () => {
    canonical(
      (bytes) => formatInfo(parseInfo(bytes)),
      ['BAD_INFO'],
      'Caller-Name: Zoë%0A\nStatus: complete\n',
    );
  });
});

describe('the tree', () => {
  // RFC 6962 §2.1 by its definition: the left subtree is the largest power of two smaller than n.
  const definition = (leaves: readonly string[]): string => {
    if (leaves.length === 0) return createHash('sha256').digest('hex');
    if (leaves.length === 1) return leaves[0] ?? '';
    const split = 2 ** Math.ceil(Math.log2(leaves.length) - 1);
    return nodeHash(definition(leaves.slice(0, split)), definition(leaves.slice(split)));
  };

  test('grown leaf by leaf has the root of the definition at every size', () => {
    const leaves: string[] = [];
    let frontier: readonly string[] = [];
    for (let size = 0; size < 70; size += 1) {
      expect(frontierRoot(frontier)).toBe(definition(leaves));
      const leaf = leafHash(Buffer.from(`entry ${size}`));
      frontier = appendLeaf(frontier, size, leaf);
      leaves.push(leaf);
    }
  });

  test('has the known root of RFC 6962 implementations over the leaves "", 00, 10', () => {
    const leaves = ['', '00', '10'].map((hex) => leafHash(Buffer.from(hex, 'hex')));
    const frontier = leaves.reduce<readonly string[]>(
      (before, leaf, size) => appendLeaf(before, size, leaf),
      [],
    );
    expect(leaves[0]).toBe('6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d');
    expect(frontierRoot(frontier)).toBe('aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77');
  });

  test('refuses a frontier that cannot be of its size', () => {
    expect(() => appendLeaf([], 1, 'ab')).toThrow(failing('BAD_FRONTIER'));
    expect(() => appendLeaf([], -1, 'ab')).toThrow(failing('BAD_FRONTIER'));
  });
});

describe('the layout', () => {
  test.each([
    [0, '000/000000.txt'],
    [255, '000/000000.txt'],
    [256, '000/000001.txt'],
    [256_000, '001/001000.txt'],
  ])('puts entry %i into %s', (index, path) => {
    expect(entryFilePath(origin, index)).toBe(`evidence/bank.example_siprec_fra1_rec01_e1/entries/${path}`);
  });

  test('keeps entries byte for byte with a blank line between them', () => {
    const entries = [Buffer.from('a 1\nb 2\n'), Buffer.from('c 3\n')];
    expect(formatEntryFile(entries).toString()).toBe('a 1\nb 2\n\nc 3\n');
    expect(parseEntryFile(formatEntryFile(entries))).toEqual(entries);
  });

  test.each(['', 'a 1', '\na 1\n', 'a 1\n\n', 'a 1\n\n\nb 2\n', 'a\n\n'.repeat(256) + 'a\n'])(
    'refuses %j as an entry file',
    (text) => {
      expect(() => parseEntryFile(Buffer.from(text))).toThrow(failing('BAD_ENTRY_FILE'));
    },
  );

  test('reads an origin and makes a folder name of it that no other origin has', () => {
    const parts = { domain: 'bank.example', installation: 'fra1', node: 'rec01', epoch: 1 };
    expect(formatOrigin(parts)).toBe(origin);
    expect(parseOrigin(origin)).toEqual(parts);
    expect(slugOf(origin)).toBe('bank.example_siprec_fra1_rec01_e1');
  });

  test.each([
    '',
    'a/b',
    `${origin}/x`,
    origin.replace('e1', 'e0'),
    origin.replace('e1', 'e01'),
    origin.toUpperCase(),
    origin.replace('siprec', 'other'),
    origin.replace('fra1', 'fra_1'),
    origin.replace('fra1', 'fra 1'),
    origin.replace('fra1', '..'),
  ])('refuses %j as an origin', (text) => {
    expect(() => parseOrigin(text)).toThrow(failing('BAD_ORIGIN'));
  });
});

describe('the name of a recording', () => {
  const call = {
    startedAt: Date.UTC(2026, 10, 23, 18, 45, 30, 123),
    timeZone: 'UTC',
    direction: 'in',
    caller: '+49301234567',
    callee: '+4989555010',
    id: '0193f0c2-7a10-7cde-b5c1-0d5f0193f0c2',
  };

  test.each([
    ['UTC', {}, '20261123T184530.123Z_in_+49301234567_+4989555010_0193f0c2'],
    [
      'a zone',
      { timeZone: 'Europe/Berlin' },
      '20261123T194530.123+0100_in_+49301234567_+4989555010_0193f0c2',
    ],
    [
      'a zone west',
      { timeZone: 'America/St_Johns' },
      '20261123T151530.123-0330_in_+49301234567_+4989555010_0193f0c2',
    ],
    ['nobody known', { caller: '', callee: undefined }, '20261123T184530.123Z_in_unknown_unknown_0193f0c2'],
    [
      'foreign characters',
      { caller: '*21#/Zoë_x' },
      '20261123T184530.123Z_in_-21--Zo--x_+4989555010_0193f0c2',
    ],
    [
      'a long party',
      { caller: '9'.repeat(40) },
      `20261123T184530.123Z_in_${'9'.repeat(32)}_+4989555010_0193f0c2`,
    ],
  ])('with %s', (_, change, name) => {
    expect(recordingName({ ...call, ...change })).toBe(name);
    expect(recordingOf(`${name}.wav`)).toBe(name);
    expect(recordingOf(`${name}_hash.SHA256withRSA.sig`)).toBe(name);
  });

  test.each(['2026-03-29T00:00:00Z', '2026-10-25T00:00:00Z'])(
    'in UTC sorts as time does over the change of summer time of %s',
    (change) => {
      const names = Array.from({ length: 12 }, (_, quarter) =>
        recordingName({ ...call, timeZone: 'UTC', startedAt: Date.parse(change) + quarter * 900_000 }),
      );
      expect(names.toSorted()).toEqual(names);
    },
  );

  test.each<[string, string, string]>([
    ['{user}_{group}_{trunk}', 'anna-bank.example_Desk-1_sbc1', 'anna@bank.example'],
    ['desk-{direction}_{caller}_{installation}', 'desk-in_+49301234567_fra1', 'anna'],
    ['{user}{user}_a_vti', `${'x'.repeat(32)}${'x'.repeat(8)}_a_vti-`, 'x'.repeat(50)],
    ['{user}_{group}_{user}', 'unknown_Desk-1_unknown', ''],
  ])('with the middle %s is found by both verifiers, and sorts by time', (template, middle, user) => {
    const facts = { ...call, user, group: 'Desk 1', trunk: 'sbc1', installation: 'fra1' };
    const name = recordingName(facts, parseNameTemplate(template));
    expect(name).toBe(`20261123T184530.123Z_${middle}_0193f0c2`);
    expect(recordingOf(`${name}_hash.SHA256withRSA.sig`)).toBe(name);
    // As verify.sh has it.
    expect(`${name}.wav`).toMatch(
      /^[0-9]+T[0-9]+\.[0-9]+(Z|[+-][0-9]+)_[A-Za-z0-9.+-]+_[A-Za-z0-9.+-]+_[A-Za-z0-9.+-]+_[0-9a-f]+[._]/,
    );
    expect(Buffer.byteLength(`${name}_hash.SHA256withRSA.sig`)).toBeLessThanOrEqual(200);
  });

  test.each(['{caller}', '{a}_b_c', 'a_b_c_d', '__', 'a b_c_d', '{caller_b_c', '{yyyy}_b_c'])(
    'cannot have the middle %j',
    (template) => {
      expect(() => parseNameTemplate(template)).toThrow(failing('BAD_NAME'));
    },
  );

  test('has no _vti_, which SharePoint refuses anywhere in a name', () => {
    expect(recordingName({ ...call, caller: 'vti', callee: 'VTI' })).toMatch(/_vti-_VTI-_/);
  });

  test('differs in its offset in the hour that autumn repeats', () => {
    const names = [0, 1].map((hour) =>
      recordingName({ ...call, timeZone: 'Europe/Berlin', startedAt: Date.UTC(2026, 9, 25, hour, 30) }),
    );
    expect(names.map((name) => name.slice(0, 24))).toEqual([
      '20261025T023000.000+0200',
      '20261025T023000.000+0100',
    ]);
  });

  test.each([
    ['an unknown zone', { timeZone: 'Mars/Base' }],
    ['no time', { startedAt: Number.NaN }],
    ['an id without digits', { id: 'x' }],
  ])('cannot be made with %s', (_, change) => {
    expect(() => recordingName({ ...call, ...change })).toThrow(failing('BAD_NAME'));
  });
});
