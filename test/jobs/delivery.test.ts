import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openPathDestination } from '../../src/delivery/path.ts';
import { parseEntry } from '../../src/evidence/entry.ts';
import type { StoredBody } from '../../src/evidence/entry-types.ts';
import { formatEntryFile } from '../../src/evidence/layout.ts';
import { checkpoint } from '../../src/jobs/checkpoint.ts';
import { DeliveryGroup } from '../../src/jobs/delivery-group.ts';
import type { Destination, Upload } from '../../src/jobs/destination.ts';
import { EvidenceLog } from '../../src/jobs/evidence-log.ts';
import { exportEvidence } from '../../src/jobs/export-evidence.ts';
import type { LogWriter } from '../../src/jobs/ports.ts';
import { outstanding, reconcile } from '../../src/jobs/reconcile.ts';
import { seal } from '../../src/jobs/seal.ts';
import { noteFailure, upload, type UploadDeps } from '../../src/jobs/upload.ts';
import { RECORD_ALL } from '../../src/rules/decision.ts';
import { ORIGIN, SealingRoom } from '../support/sealing-room.ts';
import { filesBelow } from '../support/recorder-process.ts';
import { rejection } from '../delivery/conformance.ts';

let room: SealingRoom;
let archive: string;
let deps: UploadDeps;
const signal = new AbortController().signal;

beforeEach(async () => {
  room = await SealingRoom.open();
  archive = join(room.folder, 'archive');
  mkdirSync(archive);
  deps = {
    store: room.store,
    origins: () => [ORIGIN],
    prove: (recording) => room.prover.prove(recording),
    group: new DeliveryGroup(room.evidence, Date.now),
    certificates: () => room.signer.certificates,
    issuers: () => room.signer.issuers,
    destinations: new Map([['archive', openPathDestination({ name: 'archive', root: archive })]]),
    files: room.spool,
    folderOf: () => '2026/11/23',
    now: Date.now,
  };
});

afterEach(() => room.dispose());

const sealed = async (): Promise<string> => {
  const id = await room.recordCall();
  await seal(id, room.deps);
  return id;
};

const archived = (): string[] => filesBelow(archive).filter((file) => file.startsWith('2026'));
const entryFile = (): Buffer =>
  readFileSync(join(archive, filesBelow(archive).find((file) => file.includes('/entries/')) ?? ''));

describe('an upload', () => {
  test('delivers six files and the log, proves them, and empties the spool', async () => {
    const id = await sealed();
    await upload({ recording: id, destination: 'archive' }, deps, signal);
    const name = (await room.store.recording(id))?.fileName ?? '';
    expect(archived()).toHaveLength(6);
    expect(archived().every((file) => file.startsWith(`2026/11/23/${name}`))).toBe(true);
    expect(await room.store.deliveries(id)).toMatchObject([{ state: 'delivered', attempts: 1 }]);
    expect((await room.store.recording(id))?.state).toBe('delivered');
    expect(readdirSync(join(room.folder, 'spool'))).toEqual([]);
    const files = await room.store.files(id);
    expect(await room.store.copies(id)).toEqual(
      [...files]
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .map((file) => ({
          recording: id,
          destination: 'archive',
          name: file.name,
          path: `2026/11/23/${file.name}`,
          location: join(archive, '2026/11/23', file.name),
          checksum: `sha256:${file.sha256}`,
        })),
    );
    // What the log says of this delivery leaves with the next export.
    const entries = (await room.store.entries(ORIGIN, 0, 10)).filter(({ type }) => type !== 'stored');
    expect(entryFile()).toEqual(formatEntryFile(entries.map((entry) => entry.bytes)));
  });

  test('puts audio, info, hash, signature, entry and proof one after the other, and goes on where it was cut off', async () => {
    const id = await sealed();
    const whole = openPathDestination({ name: 'archive', root: archive });
    const tried: string[] = [];
    let left = 3;
    const put = whole.put.bind(whole);
    const cutOff: Destination = Object.assign(whole, {
      putStages: undefined,
      put: (file: Upload, abort: AbortSignal) => {
        if (file.path.startsWith('evidence/')) return put(file, abort);
        if (left === 0) return Promise.reject(new Error('the line is down'));
        left -= 1;
        tried.push(file.path.replace(/^.*[0-9a-f]{8}(?=[._])/, ''));
        return put(file, abort);
      },
    });
    const job = { recording: id, destination: 'archive' };
    const over = { ...deps, destinations: new Map([['archive', cutOff]]) };
    await expect(upload(job, over, signal)).rejects.toThrow('the line is down');
    expect((await room.store.recording(id))?.state).toBe('sealed');
    left = 6;
    await upload(job, over, signal);
    const [audio, ...rest] = [
      '.wav',
      '_info.txt',
      '_hash.txt',
      '_hash.SHA256withRSA.sig',
      '_entry.txt',
      '.tlog-proof',
    ];
    expect(tried).toEqual([audio, ...rest.slice(0, 2), audio, ...rest]);
    expect(archived()).toHaveLength(6);
  });

  test('done twice, also at once, delivers once', async () => {
    const id = await sealed();
    const job = { recording: id, destination: 'archive' };
    await Promise.all([upload(job, deps, signal), upload(job, deps, signal)]);
    await upload(job, deps, signal);
    expect(archived()).toHaveLength(6);
  });

  test('is not kept from arriving by the proof of another recording that can never be placed', async () => {
    const [bad, good] = [await sealed(), await sealed()];
    const name = (await room.store.recording(bad))?.fileName ?? '';
    writeFileSync(room.spool.path(bad, `${name}_entry.txt`), 'something else');
    const [one, other] = await Promise.allSettled(
      [bad, good].map((recording) => upload({ recording, destination: 'archive' }, deps, signal)),
    );
    expect(one).toMatchObject({ status: 'rejected', reason: { fault: 'source-changed' } });
    expect(other).toMatchObject({ status: 'fulfilled' });
    expect((await room.store.recording(good))?.state).toBe('delivered');
  });

  test('of several at once states them together, and what is wrong with one of them keeps no other out', async () => {
    const ids = [await sealed(), await sealed(), await sealed()];
    const group = new DeliveryGroup(
      {
        appendDecided: (begin, decide) =>
          room.evidence.appendDecided(begin, async (log) =>
            (await decide(log)).map(({ body, recording }) => ({
              recording,
              // A value that no entry can hold.
              body: recording === ids[1] ? ({ ...body, target: 'no name' } as typeof body) : body,
            })),
          ),
      },
      Date.now,
    );
    const tries = await Promise.allSettled(
      ids.map((recording) => upload({ recording, destination: 'archive' }, { ...deps, group }, signal)),
    );
    expect(tries.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    const states = await Promise.all(ids.map(async (id) => (await room.store.recording(id))?.state));
    expect(states).toEqual(['delivered', 'sealed', 'delivered']);
    expect((await storedEntries()).map(({ rec }) => rec).sort()).toEqual([ids[0], ids[2]].sort());
    expect(await room.store.copies(ids[1] ?? '')).toEqual([]);
  });

  test('meets other bytes under the name: marked for a person, the rest of the spool kept', async () => {
    const id = await sealed();
    const name = (await room.store.recording(id))?.fileName ?? '';
    mkdirSync(join(archive, '2026/11/23'), { recursive: true });
    writeFileSync(join(archive, '2026/11/23', `${name}.wav`), 'something else');
    const job = { recording: id, destination: 'archive' };
    const error = await rejection(upload(job, deps, signal));
    expect(error).toMatchObject({ name: 'PermanentUploadError', fault: 'name-taken' });
    await noteFailure(job, { error, dueAt: 7 }, deps);
    expect(await room.store.deliveries(id)).toMatchObject([{ state: 'failed', permanent: true, dueAt: 7 }]);
    expect(readdirSync(join(room.folder, 'spool'))).toEqual([id]);
    expect(readFileSync(join(archive, '2026/11/23', `${name}.wav`), 'utf8')).toBe('something else');
  });

  test('to a destination that is away fails, and may be tried again', async () => {
    const id = await sealed();
    const job = { recording: id, destination: 'archive' };
    const away = {
      ...deps,
      destinations: new Map([['archive', openPathDestination({ name: 'archive', root: `${archive}/gone` })]]),
    };
    await noteFailure(job, { error: await rejection(upload(job, away, signal)), dueAt: 0 }, deps);
    expect(await room.store.deliveries(id)).toMatchObject([
      { state: 'failed', permanent: false, attempts: 1 },
    ]);
    await upload(job, deps, signal);
    expect(await room.store.deliveries(id)).toMatchObject([{ state: 'delivered', attempts: 2 }]);
    await noteFailure(job, { error: new Error('late'), dueAt: 0 }, deps);
    expect(await room.store.deliveries(id)).toMatchObject([{ state: 'delivered', attempts: 2 }]);
  });
});

/** Bodies of the `stored` entries of the log. */
const storedEntries = async (): Promise<readonly StoredBody[]> =>
  (await room.store.entries(ORIGIN, 0, 100))
    .map(({ bytes }) => parseEntry(bytes).body)
    .filter((body) => body.type === 'stored');

describe('what the log says of a delivery', () => {
  test('is where the sealed files are, in a hash that needs the nonce to be guessed', async () => {
    const id = await sealed();
    const files = await room.store.files(id);
    const info = files.find(({ kind }) => kind === 'info')?.name ?? '';
    const nonce = /^Nonce: ([0-9a-f]{32})$/m.exec(readFileSync(room.spool.path(id, info), 'utf8'))?.[1];
    await upload({ recording: id, destination: 'archive' }, deps, signal);
    const location = (await room.store.deliveries(id))[0]?.location ?? '';
    expect(location).toContain(archive);
    expect(nonce).toBeDefined();
    expect(await storedEntries()).toEqual([
      {
        type: 'stored',
        rec: id,
        target: 'archive',
        locatorHash: createHash('sha256').update(`${nonce} ${location}`).digest('hex'),
        versionId: '-',
        checksum: files.find(({ kind }) => kind === 'hash')?.sha256,
        retainUntil: '-',
        mode: 'none',
      },
    ]);
    expect((await room.store.entries(ORIGIN, 0, 100)).find(({ type }) => type === 'stored')?.recording).toBe(
      id,
    );
  });

  test('names version and lock, of the copy that is kept least', async () => {
    const until = Date.UTC(2031, 10, 24, 12);
    const id = await sealed();
    const folder = deps.destinations.get('archive');
    if (folder === undefined) throw new Error('no destination');
    const locking = {
      ...folder,
      name: folder.name,
      extend: folder.extend.bind(folder),
      put: async (...args: Parameters<Destination['put']>) => {
        const info = args[0].path.endsWith('_info.txt');
        const retention = { until: info ? until - 1000 : until, mode: 'compliance' } as const;
        return { ...(await folder.put(...args)), version: info ? 'v2' : 'v1', retention };
      },
    };
    await upload(
      { recording: id, destination: 'archive' },
      { ...deps, destinations: new Map([['archive', locking]]) },
      signal,
    );
    expect(await storedEntries()).toMatchObject([
      { versionId: 'v1', retainUntil: '2031-11-24T11:59:59.000Z', mode: 'compliance' },
    ]);
  });

  test('is said once, whoever else delivers the same at the same moment', async () => {
    const id = await sealed();
    const job = { recording: id, destination: 'archive' };
    await Promise.all([upload(job, deps, signal), upload(job, deps, signal)]);
    await upload(job, deps, signal);
    expect(await storedEntries()).toHaveLength(1);
  });

  test('is neither missing nor double when the transaction fails, or only its answer is lost', async () => {
    const job = { recording: await sealed(), destination: 'archive' };
    let lost: 'before' | 'after' | undefined = 'before';
    const store = new Proxy(room.store, {
      get: (target, key) =>
        key !== 'write'
          ? (Reflect.get(target, key) as unknown)
          : async (work: (log: LogWriter) => Promise<unknown>) => {
              const fault = lost;
              lost = undefined;
              const away = Object.assign(new Error('away'), { code: 'UNAVAILABLE' });
              if (fault === 'before') throw away;
              const result = await target.write(work);
              if (fault === 'after') throw away;
              return result;
            },
    });
    const { chain } = room;
    const evidence = new EvidenceLog({ chain, store, actorSecret: Buffer.alloc(32), now: Date.now });
    const group = new DeliveryGroup(evidence, Date.now);
    await expect(upload(job, { ...deps, group }, signal)).rejects.toThrow('away');
    expect(await storedEntries()).toEqual([]);
    expect(await room.store.deliveries(job.recording)).toMatchObject([{ state: 'waiting' }]);
    lost = 'after';
    await upload(job, { ...deps, group }, signal);
    expect(await storedEntries()).toHaveLength(1);
    await upload(job, deps, signal);
    expect(await storedEntries()).toHaveLength(1);
    expect((await room.store.recording(job.recording))?.state).toBe('delivered');
  });
});

describe('a rule that chooses destinations', () => {
  test.each([
    [['archive'], ['archive']],
    [['archive', 'no-longer-there'], ['archive']],
    [[], []],
  ])('%j sends the recording to %j only', async (chosen, expected) => {
    const decision = { ...RECORD_ALL, destinations: chosen };
    const id = await room.recordCall(1, Date.now(), decision);
    await seal(id, { ...room.deps, destinations: ['archive', 'second'] });
    const deliveries = await room.store.deliveries(id);
    expect(deliveries.map(({ destination }) => destination)).toEqual(expected);
  });
});

describe('the evidence in an archive', () => {
  test('grows with the log, and checkpoints never speak of entries that are not there', async () => {
    const destination = deps.destinations.get('archive');
    if (destination === undefined) throw new Error('no destination');
    await checkpoint(room.deps, { exported: true });
    await exportEvidence(destination, deps, signal);
    const before = entryFile();
    await sealed();
    await checkpoint(room.deps, { exported: true });
    await exportEvidence(destination, deps, signal);
    await exportEvidence(destination, deps, signal);
    expect(entryFile().subarray(0, before.length)).toEqual(before);
    const files = filesBelow(join(archive, 'evidence'));
    expect(
      files.filter((file) => file.includes('checkpoint')).map((file) => file.replace(/^.*\//, '')),
    ).toEqual(['1.sig', '1.txt', '3.sig', '3.txt']);
    expect(files.some((file) => file.endsWith('genesis.txt'))).toBe(true);
    expect(files.some((file) => file.endsWith('.pem'))).toBe(true);
  });

  test('spans as many entry files as it needs', async () => {
    const destination = deps.destinations.get('archive');
    if (destination === undefined) throw new Error('no destination');
    for (let n = 0; n < 300; n++)
      await room.journal.append({
        type: 'refused',
        at: n,
        reason: '403',
        detail: '',
        count: 1,
        windowSeconds: 0,
      });
    await room.applier.settled();
    await exportEvidence(destination, deps, signal);
    const files = filesBelow(archive).filter((file) => file.includes('/entries/'));
    expect(files.map((file) => file.replace(/^.*entries\//, ''))).toEqual([
      '000/000000.txt',
      '000/000001.txt',
    ]);
    expect(await room.store.exportState('archive', ORIGIN)).toMatchObject({ entries: 301 });
  });

  test('has no second checkpoint of the same size', async () => {
    const first = await checkpoint(room.deps, { exported: true });
    expect(await checkpoint(room.deps, { exported: true })).toEqual(first);
  });
});

describe('the reconciler', () => {
  test('asks for every seal and upload that the log misses, under the same ids each time', async () => {
    const ended = await room.recordCall();
    const waiting = await sealed();
    const asked: string[] = [];
    const queues = {
      request: (queue: string, id: string): Promise<void> => {
        asked.push(`${queue} ${id}`);
        return Promise.resolve();
      },
    };
    const lanes = { room: () => Infinity };
    const first = await reconcile({ store: room.store, queues, lanes, now: Date.now });
    expect(first).toEqual({ seals: 1, uploads: 1 });
    await reconcile({ store: room.store, queues, lanes, now: Date.now });
    expect(new Set(asked)).toEqual(new Set([`seal seal-${ended}`, `upload upload-${waiting}-archive`]));
  });

  test('asks a destination for no more than it takes now, oldest first, and leaves out what is not due', async () => {
    const ids = [await sealed(), await sealed(), await sealed()];
    const error = new Error('x');
    const first = { recording: ids[0] ?? '', destination: 'archive' };
    await noteFailure(first, { error, dueAt: 1000 }, deps);
    const asked = async (room_: number, now: number): Promise<readonly string[]> =>
      (await outstanding({ store: room.store, lanes: { room: () => room_ }, now: () => now })).uploads.map(
        ({ recording }) => recording,
      );
    expect(await asked(0, 1000)).toEqual([]);
    expect(await asked(1, 1000)).toEqual([ids[0]]);
    expect(await asked(1, 999)).toEqual([ids[1]]);
    expect(await asked(Infinity, 1000)).toEqual(ids);
  });
});
