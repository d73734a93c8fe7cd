import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { createHash, verify } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import { entryHash, parseEntry } from '../../src/evidence/entry.ts';
import { readCertificate } from '../../src/evidence/signature.ts';
import { parseTlogProof, provesInclusion } from '../../src/evidence/tlog-proof.ts';
import { seal } from '../../src/jobs/seal.ts';
import { openDatabase } from '../../src/store/database.ts';
import { SqlLogStore } from '../../src/store/log-store.ts';
import { makeSigner, type TestKey } from '../support/evidence-archive.ts';
import { killAt } from '../support/killed-at.ts';
import { ORIGIN, SealingRoom } from '../support/sealing-room.ts';

/** Every call by which a seal can change something that outlives it, and those between. */
const CALLS =
  'openat,close,read,pread64,write,pwrite64,fsync,fdatasync,ftruncate,fallocate,rename,renameat2,link,linkat,unlink,unlinkat,mkdir,fcntl,fstat,stat,statx,newfstatat,lseek'.split(
    ',',
  );
const MIGRATIONS = join(import.meta.dirname, '../../migrations');
const CHILD = join(import.meta.dirname, '../support/sealing-child.js');
/** The thread that works on the files of recordings, or all others, the one for the database among them. */
type Who = 'files' | 'others';
/** When a thread enters a system call for the n-th time: strace counts each call of each thread by itself. */
interface Point {
  readonly who: Who;
  readonly call: string;
  readonly n: number;
}
/** `npm run test:crash` goes through all of them. */
const SOME: readonly Point[] = [
  { who: 'files', call: 'openat', n: 2 },
  { who: 'files', call: 'fsync', n: 12 },
  { who: 'files', call: 'link', n: 4 },
  { who: 'files', call: 'unlink', n: 20 },
  { who: 'others', call: 'pwrite64', n: 5 },
  { who: 'others', call: 'pwrite64', n: 15 },
];
const MOST = 2000;

let key: TestKey;
let room: SealingRoom;
let keys: string;
let before: string;
let recordings: string[];

beforeAll(async () => {
  key = makeSigner();
  keys = mkdtempSync(join(tmpdir(), 'sealtape-keys-'));
  writeFileSync(join(keys, 'key.pem'), key.privateKeyPem);
  writeFileSync(join(keys, 'cert.pem'), key.certificatePem);
  room = await SealingRoom.open(key.signer);
  await seal(await room.recordCall(), room.deps);
  recordings = [];
  for (const seconds of [2, 1, 3, 1]) recordings.push(await room.recordCall(seconds));
  before = mkdtempSync(join(tmpdir(), 'sealtape-before-'));
  await room.whileClosed(() => {
    cpSync(room.folder, before, { recursive: true });
    return Promise.resolve();
  });
}, 60_000);

afterAll(async () => {
  await room.dispose();
  rmSync(keys, { recursive: true });
  rmSync(before, { recursive: true });
});

/** Seals in another process that is killed at a point; false when it was done before. */
async function sealKilledAt({ who, call, n }: Point): Promise<boolean> {
  rmSync(room.folder, { recursive: true });
  cpSync(before, room.folder, { recursive: true });
  // One thread each for files and for the database, so that the n-th call is the same one each time.
  const child = spawn(process.execPath, [CHILD, room.folder, keys, ORIGIN, ...recordings], {
    env: { ...env, UV_THREADPOOL_SIZE: '1' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  const thread = said.toString().trim();
  expect(thread).toMatch(/^[0-9]+$/);
  const all = readdirSync(`/proc/${String(child.pid)}/task`);
  const traced = who === 'files' ? [thread] : all.filter((id) => id !== thread);
  return killAt(
    child,
    { call, n },
    traced.flatMap((id) => ['-p', id]),
  );
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

interface Left {
  /** Bytes that the killed process had decided on, by recording and name. */
  readonly decided: ReadonlyMap<string, Buffer>;
  /** Entries that it had decided on, by recording. */
  readonly entries: ReadonlyMap<string, Buffer>;
}

/** What the process left behind: a restart must not change a byte of it. */
async function leftBehind(): Promise<Left> {
  const database = await openDatabase({ kind: 'sqlite', file: join(room.folder, 'log.db') }, MIGRATIONS);
  const store = new SqlLogStore(database, { node: room.node });
  const decided = new Map<string, Buffer>();
  const entries = new Map<string, Buffer>();
  for (const { recording, texts, entry } of await store.intents()) {
    for (const { name, bytes } of texts) decided.set(join(recording, name), bytes);
    entries.set(recording, entry.bytes);
  }
  for (const recording of recordings) {
    for (const { bytes } of await store.evidence.entriesOf(recording, 'recording'))
      entries.set(recording, bytes);
    const placed = readdirSync(join(room.spool.path(recording, 'x'), '..'));
    for (const name of placed.filter((file) =>
      /(?:_(?:info|hash|entry)\.txt|\.sig|\.tlog-proof)$/.test(file),
    ))
      decided.set(join(recording, name), readFileSync(room.spool.path(recording, name)));
  }
  await database.close();
  return { decided, entries };
}

async function sealAfterRestart(point: Point, left: Left): Promise<void> {
  for (const recording of recordings) await seal(recording, room.deps);
  await room.prover.prove();
  const entries = await room.store.entries(ORIGIN, 0, 1000);
  // No hole, no fork, nothing twice.
  expect([point, entries.map(({ index }) => index)]).toEqual([point, entries.map((_, at) => at)]);
  entries.forEach(({ bytes, prev }, at) => {
    expect(prev).toBe(at === 0 ? '0'.repeat(64) : entryHash(entries[at - 1]?.bytes ?? bytes));
  });
  expect((await room.store.head(ORIGIN))?.size).toBe(entries.length);
  expect(await room.store.intents()).toEqual([]);
  for (const [file, bytes] of left.decided) {
    const [recording = '', name = ''] = file.split('/');
    const now = readFileSync(room.spool.path(recording, name));
    expect([point, file, now.equals(bytes)]).toEqual([point, file, true]);
  }
  for (const recording of recordings) {
    const sealed = entries.filter((entry) => entry.recording === recording && entry.type === 'recording');
    expect([point, sealed.length]).toEqual([point, 1]);
    const entry = sealed[0]?.bytes ?? Buffer.alloc(0);
    expect([point, entry.equals(left.entries.get(recording) ?? entry)]).toEqual([point, true]);
    await expectFiles(recording, entry);
  }
}

async function expectFiles(recording: string, entry: Buffer): Promise<void> {
  const name = (await room.store.recording(recording))?.fileName ?? '';
  const read = (ending: string): Buffer => readFileSync(room.spool.path(recording, `${name}${ending}`));
  const hashes = read('_hash.txt');
  const signature = read('_hash.SHA256withRSA.sig');
  expect(hashes.toString('latin1')).toBe(
    ['.wav', '_info.txt'].map((ending) => `${sha256(read(ending))}  ${name}${ending}\n`).join(''),
  );
  expect(verify('sha256', hashes, readCertificate(key.certificatePem).publicKey, signature)).toBe(true);
  const { body } = parseEntry(entry);
  expect(body).toMatchObject({ type: 'recording', hash: sha256(hashes), sig: sha256(signature) });
  expect(read('_entry.txt')).toEqual(entry);
  expect(provesInclusion(parseTlogProof(read('.tlog-proof')), entry)).toBe(true);
}

async function killedAt(point: Point): Promise<boolean> {
  let killed = false;
  let left: Left = { decided: new Map(), entries: new Map() };
  await room.whileClosed(async () => {
    killed = await sealKilledAt(point);
    left = await leftBehind();
  });
  await sealAfterRestart(point, left);
  return killed;
}

if (env['SEALTAPE_CRASH'] === 'all')
  test('killed at every system call of four seals, a restart finishes them byte for byte', async () => {
    let points = 0;
    for (const who of ['files', 'others'] as const)
      for (const call of CALLS) {
        let n = 1;
        while (n <= MOST && (await killedAt({ who, call, n }))) n += 1;
        expect(n).toBeLessThan(MOST);
        points += n - 1;
      }
    process.stdout.write(`killed at ${points} points of four seals\n`);
    expect(points).toBeGreaterThanOrEqual(200);
  }, 3_600_000);
else
  test.each(SOME)(
    'killed as a thread ($who) enters $call number $n, a restart finishes the seal byte for byte',
    async (point) => {
      expect(await killedAt(point)).toBe(true);
    },
    120_000,
  );
