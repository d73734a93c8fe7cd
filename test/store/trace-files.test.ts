import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TraceFiles, type TraceLimits } from '../../src/store/trace-files.ts';
import { readTraces } from '../../src/store/trace-reader.ts';

let folder: string;
let warnings: string[];

beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'traces-')), 'traces');
  warnings = [];
});

afterEach(() => {
  rmSync(join(folder, '..'), { recursive: true, force: true });
});

const open = (limits: Partial<TraceLimits> = {}): TraceFiles =>
  new TraceFiles(folder, { keepDays: 3, bytes: 10_000_000, callBytes: 100_000, ...limits }, (_level, line) =>
    warnings.push(line),
  );

const message = (callId: string, body = '') =>
  ({
    direction: 'in',
    protocol: 'udp',
    remote: '192.0.2.7:5060',
    text: `INVITE sip:srs@192.0.2.1 SIP/2.0\r\nCall-ID: ${callId}\r\n\r\n${body}`,
  }) as const;

const textsOf = async (...ids: string[]): Promise<readonly string[]> =>
  (await readTraces([folder], new Set(ids))).map(({ text }) => text);

const size = (): number =>
  readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);

test('messages of a call are found again in order, octet for octet, and others are not; nobody else may read them (META-14)', async () => {
  const traces = open();
  traces.keep(message('one', 'ü\xff\0\n#'));
  traces.keep(message('two'));
  traces.keep({ ...message('one', 'last'), direction: 'out' });
  await traces.close();
  const found = await readTraces([folder], new Set(['one']));
  expect(found.map(({ direction, remote }) => `${direction} ${remote}`)).toEqual([
    'in 192.0.2.7:5060',
    'out 192.0.2.7:5060',
  ]);
  expect(found[1]?.text).toBe(message('one', 'last').text);
  expect(statSync(folder).mode & 0o077).toBe(0);
});

test('SRTP keys never reach the disk (SRTP-8)', async () => {
  const traces = open();
  traces.keep(message('one', 'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0LWtleQ|2^20\r\n'));
  await traces.close();
  expect((await textsOf('one')).join('')).toContain('a=crypto:1 AES_CM_128_HMAC_SHA1_80 (removed)');
});

test('of a call that the rules keep out nothing is kept that tells who speaks with whom, nor what', async () => {
  const traces = open();
  const invite = [
    'INVITE sip:+491701234567@192.0.2.1;user=phone SIP/2.0',
    'Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK1',
    'From: "Anna" <sip:+491701234567@pbx>;tag=1',
    'P-Asserted-Identity: "Anna"',
    ' <sip:+491701234567@pbx>',
    'Call-ID: private',
    'CSeq: 1 INVITE',
    'Content-Type: application/rs-metadata+xml',
    '',
    '<nameID aor="sip:+491701234567@pbx"/>',
  ].join('\r\n');
  traces.keep({ ...message('private'), text: invite });
  traces.keep(message('other', 'kept'));
  traces.keepBare('private', true);
  // Longer than messages wait for the disk.
  await new Promise((resolve) => setTimeout(resolve, 1100));
  traces.keepBare('private', false);
  traces.keep(message('private', 'another session, recorded'));
  traces.keepBare('one', true);
  await traces.close();
  const [first, ...later] = await textsOf('private');
  expect(first?.split('\r\n')).toEqual([
    'INVITE sip:192.0.2.1 SIP/2.0',
    'Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK1',
    'Call-ID: private',
    'CSeq: 1 INVITE',
    'Content-Type: application/rs-metadata+xml',
    '',
    '(37 octets of a call that is not recorded, not kept)',
    '',
  ]);
  expect(later.at(-1)).toBe(message('private', 'another session, recorded').text);
  expect(await textsOf('other')).toEqual([message('other', 'kept').text]);
});

describe('bounds', () => {
  test('one call cannot take more than its share', async () => {
    const traces = open({ callBytes: 1000 });
    for (let count = 0; count < 100; count++) traces.keep(message('greedy', 'x'.repeat(100)));
    traces.keep(message('other'));
    await traces.close();
    expect((await textsOf('greedy')).join('').length).toBeLessThanOrEqual(1000);
    expect(await textsOf('other')).toHaveLength(1);
    expect(traces.leftOut).toBeGreaterThan(80);
  });

  test('a flood is counted and left out, and memory and disk stay bounded', async () => {
    const traces = open({ bytes: 2_000_000 });
    const big = 'x'.repeat(50_000);
    for (let count = 0; count < 2000; count++) traces.keep(message(`flood-${count}`, big));
    expect(traces.leftOut).toBeGreaterThan(1500);
    await traces.close();
    expect(size()).toBeLessThanOrEqual(2_500_000);
    expect(warnings).toEqual([]);
  });

  test('files that are too old go', async () => {
    const first = open();
    first.keep(message('old'));
    await first.close();
    for (const name of readdirSync(folder)) utimesSync(join(folder, name), 1000, 1000);
    await open({ keepDays: 1 }).close();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('nothing is kept for no days', async () => {
    const traces = open({ keepDays: 0 });
    traces.keep(message('one'));
    await traces.close();
    expect(await textsOf('one')).toEqual([]);
  });
});

test('what a crash tore off is passed over, the rest is read', async () => {
  const traces = open();
  traces.keep(message('one'));
  await traces.close();
  const [name = ''] = readdirSync(folder);
  appendFileSync(join(folder, name), '{"at":1,"callId":"one","direction":"in","octets":500}\nINVITE');
  expect(await textsOf('one')).toHaveLength(1);
});

test('a disk that takes nothing costs the traces, one warning, and nobody else anything', async () => {
  // A file where the folder should be.
  writeFileSync(folder, '');
  const traces = open();
  traces.keep(message('one'));
  await traces.close();
  expect(traces.leftOut).toBe(1);
  expect(warnings).toEqual(['SIP traces cannot be written and are left out']);
});
