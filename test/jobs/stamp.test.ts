import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import type { Alarm } from '../../src/alarm.ts';
import { openTimeStampAuthority } from '../../src/delivery/time-stamp-authority.ts';
import { parseEntry } from '../../src/evidence/entry.ts';
import { checkpoint } from '../../src/jobs/checkpoint.ts';
import { EvidenceLog } from '../../src/jobs/evidence-log.ts';
import { Stamper } from '../../src/jobs/stamp.ts';
import { ORIGIN, SealingRoom } from '../support/sealing-room.ts';
import { StampingAuthority } from '../support/stamping-authority.ts';

let room: SealingRoom;
let authority: StampingAuthority;
let server: Server;
let stamper: Stamper;
let alarms: Alarm[];
let cleared: string[];
let now: number;
/** What the server answers to a query; undefined: it is down. */
let answer: ((query: Buffer) => Buffer) | undefined;
let authorization: string | undefined;
const { signal } = new AbortController();
const SHASUM = 'shasum';

beforeEach(async () => {
  room = await SealingRoom.open();
  authority = new StampingAuthority();
  answer = (query) => authority.answer(query);
  server = createServer((request, response) => {
    const parts: Buffer[] = [];
    authorization = request.headers.authorization;
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      if (answer === undefined) response.writeHead(503).end();
      else
        response.setHeader('Content-Type', 'application/timestamp-reply').end(answer(Buffer.concat(parts)));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  [alarms, cleared, now] = [[], [], 1_000_000];
  const { store, chain } = room;
  stamper = new Stamper({
    store,
    evidence: new EvidenceLog({ chain, store, actorSecret: Buffer.alloc(32), now: () => now }),
    authorities: [
      await openTimeStampAuthority({
        name: 'tsa1',
        url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
        every: 'hourly',
        ca: authority.ca,
        auth: { user: 'bank', password: 'secret' },
      }),
    ],
    bell: { raise: (alarm) => alarms.push(alarm), clear: (code) => cleared.push(code) },
    now: () => now,
  });
});

afterEach(async () => {
  server.close();
  server.closeAllConnections();
  authority.close();
  await room.dispose();
});

/** An exported checkpoint of a log that has grown by one entry. */
async function nextCheckpoint() {
  await room.journal.append({
    type: 'refused',
    at: now,
    reason: '403',
    detail: '',
    count: 1,
    windowSeconds: 0,
  });
  await room.applier.settled();
  const row = await checkpoint(room.deps, { exported: true });
  if (row === undefined) throw new Error('no checkpoint');
  await stamper.request(row);
  return row;
}

const files = async (): Promise<Map<string, Buffer>> =>
  new Map(
    (await room.store.evidence.files(ORIGIN, 0, 100)).map(({ path, bytes }) => [basename(path), bytes]),
  );
const anchors = async (): Promise<readonly object[]> =>
  (await room.store.entries(ORIGIN, 0, 100))
    .map((entry) => parseEntry(entry.bytes).body)
    .filter(({ type }) => type === 'anchor');

test('a checkpoint is stamped, anchored in the log, and openssl accepts the token over its sums', async () => {
  const row = await nextCheckpoint();
  await stamper.run(signal);
  expect(alarms).toEqual([]);
  expect(authorization).toBe(`Basic ${Buffer.from('bank:secret').toString('base64')}`);
  const kept = await files();
  expect([...kept.keys()].filter((name) => !name.endsWith('.pem'))).toEqual([
    '2.sums',
    '2.tsa1.tsq',
    '2.tsa1.tsr',
  ]);
  for (const [name, bytes] of [...kept, ['2.txt', row.text], ['2.sig', row.signature]] as const)
    writeFileSync(join(room.folder, name), bytes);
  const openssl = (...words: string[]): string =>
    execFileSync('openssl', words, { cwd: room.folder, encoding: 'utf8', stdio: 'pipe' });
  expect(execFileSync(SHASUM, ['-a', '256', '-c', '2.sums'], { cwd: room.folder, encoding: 'utf8' })).toBe(
    '2.txt: OK\n2.sig: OK\n',
  );
  expect(openssl('ts', '-verify', '-data', '2.sums', '-in', '2.tsa1.tsr', '-CAfile', authority.ca)).toContain(
    'OK',
  );
  expect(
    openssl('ts', '-verify', '-queryfile', '2.tsa1.tsq', '-in', '2.tsa1.tsr', '-CAfile', authority.ca),
  ).toContain('OK');
  expect(await anchors()).toMatchObject([
    { kind: 'tsa', name: 'tsa1', ofOrigin: ORIGIN, ofSize: 2, ofRoot: row.root },
  ]);
  expect(await room.store.evidence.waitingStamps()).toEqual([]);
});

test('an authority that is down is an alarm, and gets everything that was due when it is back', async () => {
  answer = undefined;
  await nextCheckpoint();
  await stamper.run(signal);
  now += 60_000;
  await nextCheckpoint();
  now += 3_600_000;
  await nextCheckpoint();
  await stamper.run(signal);
  expect(alarms).toMatchObject([
    { code: 'time-stamp-missing', subject: 'tsa1' },
    { code: 'time-stamp-missing', fields: { waiting: 2 } },
  ]);
  expect(await anchors()).toEqual([]);
  answer = (query) => authority.answer(query);
  await stamper.run(signal);
  expect(await anchors()).toMatchObject([{ ofSize: 2 }, { ofSize: 4 }]);
  expect(cleared).toEqual(['time-stamp-missing']);
});

test('a token that answers another query, or of another authority, is not taken', async () => {
  const stranger = new StampingAuthority();
  try {
    await nextCheckpoint();
    const { query, response } = authority.stamp(Buffer.from('something else'));
    expect(query.length).toBeGreaterThan(0);
    for (const wrong of [
      () => response,
      (asked: Buffer) => stranger.answer(asked),
      () => Buffer.from('no token'),
    ]) {
      answer = wrong;
      await stamper.run(signal);
    }
    expect(alarms.map(({ fields }) => String(fields?.['error']))).toEqual([
      expect.stringContaining('is over other content'),
      expect.stringMatching(/BAD_TOKEN/),
      expect.stringContaining('BAD_TIME_STAMP'),
    ]);
    expect(await anchors()).toEqual([]);
    expect(await files()).toEqual(new Map());
  } finally {
    stranger.close();
  }
});
