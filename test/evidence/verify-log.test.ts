import { beforeAll, expect, test } from '@jest/globals';
import { formatEntry, parseEntry, type EntryBody } from '../../src/evidence/entry.ts';
import type { Finding } from '../../src/evidence/finding.ts';
import { Keyring } from '../../src/evidence/keyring.ts';
import { entryFileName, ENTRIES_PER_FILE, formatEntryFile } from '../../src/evidence/layout.ts';
import type { SealedEntry } from '../../src/evidence/call-check.ts';
import type { StoredBody } from '../../src/evidence/entry-types.ts';
import { compareStrangers } from '../../src/evidence/stored-check.ts';
import { LogCheck } from '../../src/evidence/verify-log.ts';
import { ArchiveBuilder, makeSigner, type TestKey } from '../support/evidence-archive.ts';

const NOTHING_ELSE = {
  partial: false,
  authorities: [],
  tokens: [],
  keyrolls: [],
  issuers: [],
  forks: [],
  notes: [],
};
const TRUST = { genesis: [], authorities: [] };

let key: TestKey;

beforeAll(() => {
  key = makeSigner();
});

/** Faults and notes of a log, as `severity CODE`. */
async function check(
  builder: ArchiveBuilder,
  entries: readonly Buffer[] = builder.entries,
): Promise<readonly Finding[]> {
  await builder.checkpoint();
  const files = [...builder.finish()];
  const folder = 'evidence/log';
  const check = new LogCheck(
    {
      origin: builder.origin,
      folder,
      genesis: files.find(([path]) => path.endsWith('genesis.txt'))?.[1],
      certificates: files.filter(([path]) => path.endsWith('.pem')).map(([file, bytes]) => ({ file, bytes })),
      checkpoints: [],
      ...NOTHING_ELSE,
    },
    { ...TRUST, keyring: new Keyring([]) },
  );
  for (let first = 0; first < entries.length; first += ENTRIES_PER_FILE)
    check.addEntryFile(entryFileName(first), formatEntryFile(entries.slice(first, first + ENTRIES_PER_FILE)));
  return check.finish().findings.filter(({ code }) => code !== 'NOT_COVERED');
}

const codes = (findings: readonly Finding[]): readonly string[] =>
  findings.map(({ severity, code }) => `${severity} ${code}`);

const rec = '0193f0c2-7a10-7cde-b5c1-0d5f0f6a2b11';
const now = '2026-11-23T19:00:00.000Z';
const stop: EntryBody = { type: 'outage', from: now, to: now, cause: 'stop', clean: true };
const crash: EntryBody = { type: 'outage', from: now, to: now, cause: 'crash', clean: false };
const close: EntryBody = { type: 'close', nextOrigin: '-' };
const open: EntryBody = { type: 'open', rec, policy: 'all' };
const failed = (at: number): EntryBody => ({ type: 'failed', rec, open: at, reason: 'no-rtp' });
const refused: EntryBody = { type: 'refused', reason: '488', count: 1, window: 0 };

test.each<readonly [string, readonly EntryBody[], readonly string[]]>([
  ['a call that failed', [open, failed(1)], []],
  ['a call still open where the log ends', [open], ['note STILL_OPEN']],
  ['a call left open by a crash, before it is recovered', [open, crash], ['note OUTAGE', 'note STILL_OPEN']],
  ['a call recovered after a crash', [open, crash, failed(1)], ['note OUTAGE']],
  [
    'a call that two restarts passed over',
    [open, crash, crash],
    ['note OUTAGE', 'note OUTAGE', 'fault OPEN_NOT_CLOSED'],
  ],
  ['a call ended twice', [open, failed(1), failed(1)], ['fault RECORDING_TWICE']],
  ['an end without an opening', [failed(1)], ['fault SEQUENCE_INVALID']],
  ['an end that names another entry', [open, failed(0)], ['fault SEQUENCE_INVALID', 'note STILL_OPEN']],
  ['a stop and a start', [close, stop], ['note OUTAGE']],
  ['a close followed by something else', [close, refused], ['fault SEQUENCE_INVALID']],
  ['a close followed by an unclean outage', [close, crash], ['fault SEQUENCE_INVALID', 'note OUTAGE']],
  [
    'a close for good followed by a start',
    [{ type: 'close', nextOrigin: 'bank.example/siprec/fra1/rec01/e2' }, stop],
    ['fault SEQUENCE_INVALID', 'note OUTAGE'],
  ],
  [
    'parts that did not work between two restarts',
    [open, crash, { ...stop, cause: 'disk' }, { ...crash, cause: 'sip' }],
    ['note OUTAGE', 'note OUTAGE', 'note OUTAGE', 'note STILL_OPEN'],
  ],
  ['300 entries in two files', Array.from({ length: 300 }, () => refused), []],
])('%s', async (_, bodies, expected) => {
  const builder = new ArchiveBuilder(key);
  for (const body of bodies) builder.append(body);
  expect(codes(await check(builder))).toEqual(expected);
});

const [sealed, other] = ['a'.repeat(64), 'b'.repeat(64)];
const recording: EntryBody = {
  ...{ type: 'recording', rec, open: 1, status: 'complete' },
  ...{ hash: sealed, sig: other, retain: 'none' },
};
const stored = (target: string, checksum = sealed): EntryBody => ({
  ...{ type: 'stored', rec, target, checksum },
  ...{ locatorHash: other, versionId: '-', retainUntil: '-', mode: 'none' },
});
const tombstone = (targets: string): EntryBody => ({
  ...{ type: 'tombstone', rec, ofIndex: 2, reason: 'order', policy: 'by-hand' },
  ...{ due: '-', actor: 'system', targets },
});

test.each<readonly [string, readonly EntryBody[], readonly string[]]>([
  ['a copy of what was sealed', [open, recording, stored('nas')], []],
  ['a copy of something else', [open, recording, stored('nas', other)], ['fault STORED_DIFFERS']],
  ['a deletion of all copies', [open, recording, stored('nas'), tombstone('nas=deleted')], []],
  [
    'a deletion that forgets a copy',
    [open, recording, stored('nas'), stored('cloud'), tombstone('nas=deleted')],
    ['note COPY_UNEXPLAINED'],
  ],
])('%s is told by the log', async (_, bodies, expected) => {
  const builder = new ArchiveBuilder(key);
  for (const body of bodies) builder.append(body);
  expect(codes(await check(builder))).toEqual(expected);
});

test('a copy of what no epoch of the log has sealed is a fault, unless an epoch is not here', () => {
  const copy = { index: 7, file: 'f', time: now, body: stored('nas') as StoredBody };
  const epoch = new Map([[2, { body: recording } as SealedEntry]]);
  expect(codes(compareStrangers([copy], []))).toEqual(['fault STORED_DIFFERS']);
  expect(compareStrangers([copy], [undefined])).toEqual([]);
  expect(compareStrangers([copy], [epoch])).toEqual([]);
  const altered = { ...copy, body: stored('nas', other) as StoredBody };
  expect(codes(compareStrangers([altered], [epoch]))).toEqual(['fault STORED_DIFFERS']);
});

test('a clock that went back is noted, not taken for an alteration', async () => {
  const builder = new ArchiveBuilder(key);
  builder.append(refused);
  builder.pass(-10_000);
  builder.append(refused);
  const findings = await check(builder);
  expect(codes(findings)).toEqual(['note CLOCK_WENT_BACK']);
  expect(findings[0]?.detail).toContain('9000 ms');
});

test('an entry of a later type is noted and belongs to the chain', async () => {
  const builder = new ArchiveBuilder(key);
  builder.append({ type: 'unknown', name: 'balance', lines: [['rec', rec]] } as unknown as EntryBody);
  builder.append(refused);
  expect(codes(await check(builder))).toEqual(['note UNKNOWN_TYPE']);
});

test('an entry moved from another log does not pass', async () => {
  const [builder, other] = [
    new ArchiveBuilder(key),
    new ArchiveBuilder(key, 'bank.example/siprec/fra1/rec02/e1'),
  ];
  for (const log of [builder, other]) for (let at = 0; at < 3; at += 1) log.append(refused);
  const entries = builder.entries.map((entry, index) => (index === 2 ? (other.entries[2] ?? entry) : entry));
  expect(codes(await check(builder, entries))).toEqual([
    'fault CHAIN_BROKEN',
    'fault CHAIN_BROKEN',
    'fault CHAIN_BROKEN',
  ]);
});

test('an entry rewritten with its successors breaks at the first that was not', async () => {
  const builder = new ArchiveBuilder(key);
  for (let at = 0; at < 3; at += 1) builder.append(refused);
  const { header } = parseEntry(builder.entries[2] ?? Buffer.alloc(0));
  const altered = formatEntry(header, { ...refused, count: 2 });
  const findings = await check(
    builder,
    builder.entries.map((entry, index) => (index === 2 ? altered : entry)),
  );
  expect(codes(findings)).toEqual(['fault CHAIN_BROKEN']);
  expect(findings[0]?.detail).toContain('entry 3 does not continue entry 2');
});

test('a log without entries is missing, and a missing file is named by what it held', async () => {
  const builder = new ArchiveBuilder(key);
  for (let at = 0; at < 300; at += 1) builder.append(refused);
  expect(codes(await check(builder, []))).toEqual(['fault LOG_MISSING']);
  const check2 = new LogCheck(
    {
      origin: builder.origin,
      folder: 'evidence/log',
      genesis: builder.entries[0],
      certificates: [],
      checkpoints: [],
      ...NOTHING_ELSE,
    },
    { ...TRUST, keyring: new Keyring([{ file: 'given', bytes: Buffer.from(key.certificatePem) }]) },
  );
  check2.addEntryFile(entryFileName(256), formatEntryFile(builder.entries.slice(256)));
  const missing = check2.finish().findings.find(({ code }) => code === 'ENTRY_MISSING');
  expect(missing?.detail).toBe('missing before entry 256: entries 0 to 255');
});
