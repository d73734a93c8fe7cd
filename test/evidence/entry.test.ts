import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  entryHash,
  formatEntry,
  parseEntry,
  type EntryBody,
  type EntryHeader,
} from '../../src/evidence/entry.ts';

const header: EntryHeader = {
  origin: 'bank.example/siprec/fra1/rec01/e1',
  index: 1042,
  prev: '5c1f'.repeat(16),
  time: '2026-11-23T19:45:30.123Z',
  mono: '7f3a9c21:84512233',
  clock: 'synced +0.4ms',
  key: '9be0'.repeat(16),
};
const rec = '0193f0c2-7a10-7cde-b5c1-0d5f0f6a2b11';
const hash = 'ab12'.repeat(16);

const root = Buffer.alloc(32, 7).toString('base64');
const deletion = { rec, ofIndex: 1042, reason: 'retention', policy: 'wphg-5y' } as const;

const HEAD = `siprec-log-entry/v1
origin bank.example/siprec/fra1/rec01/e1
index 1042
prev sha256:${header.prev}
time 2026-11-23T19:45:30.123Z
mono 7f3a9c21:84512233
clock synced +0.4ms
key sha256:${header.key}
`;

const BODIES: readonly (readonly [EntryBody, string])[] = [
  [
    {
      type: 'genesis',
      installation: 'fra1',
      productVersion: '0.1.0',
      policyHash: hash,
      cert: hash,
      predecessor: '-',
      reason: 'new',
    },
    `installation fra1\nproduct-version 0.1.0\npolicy-hash sha256:${hash}\ncert sha256:${hash}\npredecessor -\nreason new\n`,
  ],
  [{ type: 'open', rec, policy: 'all' }, `rec ${rec}\npolicy all\n`],
  [
    { type: 'recording', rec, open: 1037, status: 'complete', hash, sig: hash, retain: 'wphg-5y 2031-11-23' },
    `rec ${rec}\nopen 1037\nstatus complete\nhash sha256:${hash}\nsig sha256:${hash}\nretain wphg-5y 2031-11-23\n`,
  ],
  [{ type: 'refused', reason: '488', count: 3, window: 60 }, 'reason 488\ncount 3\nwindow 60\n'],
  [{ type: 'failed', rec, open: 0, reason: 'no-rtp' }, `rec ${rec}\nopen 0\nreason no-rtp\n`],
  [
    { type: 'outage', from: header.time, to: header.time, cause: 'crash', clean: false },
    `from ${header.time}\nto ${header.time}\ncause crash\nclean no\n`,
  ],
  [{ type: 'recovered', rec, bytes: 8000, how: 'scan' }, `rec ${rec}\nbytes 8000\nhow scan\n`],
  [
    {
      type: 'heartbeat',
      accepted: 1,
      refused: 2,
      failed: 3,
      openNow: 4,
      bytes: 5,
      ntpSource: 'ntp1.example',
      offset: '+0.4ms',
      diskFree: 6,
    },
    'accepted 1\nrefused 2\nfailed 3\nopen-now 4\nbytes 5\nntp-source ntp1.example\noffset +0.4ms\ndisk-free 6\n',
  ],
  [
    { type: 'segment', rec, file: '_caller.wav', n: 2, bytes: 160_000, hash },
    `rec ${rec}\nfile _caller.wav\nn 2\nbytes 160000\nhash sha256:${hash}\n`,
  ],
  [{ type: 'pause', rec, cause: 'src' }, `rec ${rec}\ncause src\n`],
  [{ type: 'resume', rec, cause: 'operator' }, `rec ${rec}\ncause operator\n`],
  [
    { type: 'anchor', kind: 'tsa', name: 'tsa1', ofOrigin: header.origin, ofSize: 7, ofRoot: root, hash },
    `kind tsa\nname tsa1\nof-origin ${header.origin}\nof-size 7\nof-root ${root}\nhash sha256:${hash}\n`,
  ],
  [
    {
      type: 'stored',
      rec,
      target: 'archive',
      locatorHash: hash,
      versionId: '3/L4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY',
      checksum: hash,
      retainUntil: '2031-11-23T00:00:00.000Z',
      mode: 'compliance',
    },
    `rec ${rec}\ntarget archive\nlocator-hash sha256:${hash}\nversion-id 3/L4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY\n` +
      `checksum sha256:${hash}\nretain-until 2031-11-23T00:00:00.000Z\nmode compliance\n`,
  ],
  [
    {
      type: 'tombstone',
      ...deletion,
      due: '2031-11-23',
      actor: 'system',
      targets: 'archive=deleted nas=absent',
    },
    `rec ${rec}\nof-index 1042\nreason retention\npolicy wphg-5y\ndue 2031-11-23\nactor-hash system\ntargets archive=deleted nas=absent\n`,
  ],
  [
    { type: 'tombstone-pending', ...deletion, due: '-', actor: hash, targets: 'archive=locked' },
    `rec ${rec}\nof-index 1042\nreason retention\npolicy wphg-5y\ndue -\nactor-hash sha256:${hash}\ntargets archive=locked\n`,
  ],
  [
    { type: 'hold', of: rec, caseHash: hash, actor: hash },
    `of ${rec}\ncase-hash sha256:${hash}\nactor-hash sha256:${hash}\n`,
  ],
  [
    { type: 'release', of: hash, caseHash: hash, actor: 'system' },
    `of sha256:${hash}\ncase-hash sha256:${hash}\nactor-hash system\n`,
  ],
  [
    { type: 'access', rec, kind: 'play', actor: hash, purpose: 'complaint' },
    `rec ${rec}\nkind play\nactor-hash sha256:${hash}\npurpose-code complaint\n`,
  ],
  [
    { type: 'keyroll', n: 1, old: hash, new: hash, certNew: hash, proofOld: hash, proofNew: hash },
    `n 1\nold sha256:${hash}\nnew sha256:${hash}\ncert-new sha256:${hash}\nproof-old sha256:${hash}\nproof-new sha256:${hash}\n`,
  ],
  [
    { type: 'config', part: 'policy', hashBefore: hash, hashAfter: hash, actor: 'system' },
    `part policy\nhash-before sha256:${hash}\nhash-after sha256:${hash}\nactor-hash system\n`,
  ],
  [
    { type: 'clock', event: 'step', stepMs: '-3600000', source: 'kernel' },
    'event step\nstep-ms -3600000\nsource kernel\n',
  ],
  [{ type: 'close', nextOrigin: '-' }, 'next-origin -\n'],
];

describe.each(BODIES)('an entry $type', (body, lines) => {
  test('is written as documented and read back', () => {
    const bytes = formatEntry(header, body);
    expect(bytes.toString('latin1')).toBe(`${HEAD}type ${body.type}\n${lines}`);
    expect(parseEntry(bytes)).toEqual({ header, body });
  });

  test('cannot be read with a single bit flipped, or is another valid entry with another hash', () => {
    const bytes = formatEntry(header, body);
    fc.assert(
      fc.property(fc.nat(bytes.length * 8 - 1), (position) => {
        const altered = Buffer.from(bytes);
        altered.writeUInt8(altered.readUInt8(position >> 3) ^ (1 << (position & 7)), position >> 3);
        expect(entryHash(altered)).not.toBe(entryHash(bytes));
        const read = attempt(() => parseEntry(altered));
        if (read.value !== undefined)
          expect(formatEntry(read.value.header, read.value.body).equals(altered)).toBe(true);
        else expect(read.code).toBe('BAD_ENTRY');
      }),
    );
  });
});

function attempt<T>(work: () => T): { value?: T; code?: string } {
  try {
    return { value: work() };
  } catch (error) {
    return { code: (error as { code: string }).code };
  }
}

test('an entry of a type defined later is read with its lines and written the same', () => {
  const bytes = Buffer.from(`${HEAD}type balance\nrec ${rec}\nof-index 7\nreason retention\n`);
  const entry = parseEntry(bytes);
  expect(entry.body).toEqual({
    type: 'unknown',
    name: 'balance',
    lines: [
      ['rec', rec],
      ['of-index', '7'],
      ['reason', 'retention'],
    ],
  });
  expect(formatEntry(entry.header, entry.body).equals(bytes)).toBe(true);
});

const open = `${HEAD}type open\nrec ${rec}\npolicy all\n`;

test.each([
  ['nothing', ''],
  ['no final line feed', open.slice(0, -1)],
  ['a second final line feed', `${open}\n`],
  ['carriage returns', open.replaceAll('\n', '\r\n')],
  ['a byte order mark', `\u00ef\u00bb\u00bf${open}`],
  ['another version', open.replace('/v1', '/v2')],
  ['an index with a leading zero', open.replace('1042', '01042')],
  ['an index beyond safe integers', open.replace('1042', '99999999999999999')],
  ['an upper-case hash', open.replace('5c1f', '5C1F')],
  ['a hash without its algorithm', open.replace('prev sha256:', 'prev ')],
  ['two blanks', open.replace('index ', 'index  ')],
  ['a trailing blank', open.replace('all\n', 'all \n')],
  ['a line in another place', open.replace(/(index.*\n)(prev.*\n)/, '$2$1')],
  ['a line twice', open.replace('policy all\n', 'policy all\npolicy all\n')],
  ['a line too many', `${open}note x\n`],
  ['a line too few', open.replace('policy all\n', '')],
  ['a time without milliseconds', open.replace('.123Z', 'Z')],
  ['a day that does not exist', open.replace('2026-11-23', '2026-02-30')],
  ['an unknown clock', open.replace('synced +0.4ms', 'good')],
  ['a malformed origin', open.replace('/e1', '/1')],
  ['octets outside ASCII', open.replace('all', 'all\u00e4')],
  ['a later type with a line twice', `${HEAD}type later\nrec a\nrec b\n`],
  ['a later type with a malformed key', `${HEAD}type later\nRec a\n`],
  [
    'more than 4096 octets',
    `${HEAD}type later\n${Array.from({ length: 60 }, (_, at) => `k${at} ${'x'.repeat(90)}\n`).join('')}`,
  ],
])('%s is refused', (_, text) => {
  expect(() => parseEntry(Buffer.from(text, 'latin1'))).toThrow(
    expect.objectContaining({ code: 'BAD_ENTRY' }),
  );
});

test.each<readonly [string, Partial<EntryHeader>, EntryBody]>([
  ['a line feed in a value', {}, { type: 'open', rec, policy: 'all\ntype close' }],
  ['a negative count', {}, { type: 'refused', reason: '488', count: -1, window: 0 }],
  ['a fraction', {}, { type: 'recovered', rec, bytes: 0.5, how: 'scan' }],
  ['an upper-case UUID', {}, { type: 'open', rec: rec.toUpperCase(), policy: 'all' }],
  ['a hash too short', { prev: 'ab' }, { type: 'close', nextOrigin: '-' }],
  ['an empty value', {}, { type: 'failed', rec, open: 1, reason: '' }],
  [
    'a retention without its day',
    {},
    { type: 'recording', rec, open: 1, status: 'complete', hash, sig: hash, retain: 'wphg-5y' },
  ],
])('%s cannot be written', (_, change, body) => {
  expect(() => formatEntry({ ...header, ...change }, body)).toThrow(
    expect.objectContaining({ code: 'BAD_ENTRY' }),
  );
});

test('arbitrary octets are refused with BAD_ENTRY and nothing else', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.string().map((text) => Buffer.from(HEAD + text)),
      ),
      (bytes) => {
        const { code, value } = attempt(() => parseEntry(bytes));
        expect(value === undefined ? code : 'BAD_ENTRY').toBe('BAD_ENTRY');
      },
    ),
  );
});
