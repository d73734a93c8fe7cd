import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseEntry } from '../../src/evidence/entry.ts';
import { parseHashFile } from '../../src/evidence/hash-file.ts';
import { appendLeaf, leafHash } from '../../src/evidence/merkle.ts';
import { verifySignature, readCertificate } from '../../src/evidence/signature.ts';
import type { Sealable } from '../../src/jobs/ports.ts';
import { SealGroup } from '../../src/jobs/seal-group.ts';
import { seal, type SealStep } from '../../src/jobs/seal.ts';
import { ORIGIN, SealingRoom, writeAudio } from '../support/sealing-room.ts';

/** Decides the octets of `writeAudio`. */
const AUDIO_FROM = 1_700_000_000_000;

let room: SealingRoom;

beforeEach(async () => {
  room = await SealingRoom.open();
});

afterEach(() => room.dispose());

const spoolFiles = (recording: string): string[] => readdirSync(join(room.folder, 'spool', recording)).sort();
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

const expectChain = async (types: readonly string[]): Promise<void> => {
  const entries = await room.store.entries(ORIGIN, 0, 100);
  expect(entries.map((entry) => entry.type)).toEqual(types);
  entries.forEach((entry, index) => {
    expect(entry.index).toBe(index);
    expect(entry.prev).toBe(index === 0 ? '0'.repeat(64) : entries[index - 1]?.hash);
  });
};

const withoutIntents = async (
  found: Promise<ReadonlyMap<string, Sealable>>,
): Promise<ReadonlyMap<string, Sealable>> =>
  new Map([...(await found)].map(([id, { intent: _, ...rest }]) => [id, rest]));

describe('a seal', () => {
  test('leaves four files whose hashes, signature and entry agree', async () => {
    const id = await room.recordCall();
    expect(await seal(id, room.deps)).toBe(true);
    const row = await room.store.recording(id);
    expect(row).toMatchObject({ state: 'sealed', entryIndex: 2, openIndex: 1 });
    const name = row?.fileName ?? '';
    expect(spoolFiles(id)).toEqual(
      [`${name}.wav`, `${name}_hash.SHA256withRSA.sig`, `${name}_hash.txt`, `${name}_info.txt`].sort(),
    );
    const read = (file: string): Buffer => readFileSync(room.spool.path(id, file));
    const hashes = read(`${name}_hash.txt`);
    const signature = read(`${name}_hash.SHA256withRSA.sig`);
    for (const { name: file, sha256: digest } of parseHashFile(hashes))
      expect(sha256(read(file))).toBe(digest);
    expect(verifySignature(readCertificate(room.signer.certificatePem).publicKey, hashes, signature)).toBe(
      true,
    );
    const [entry] = await room.store.entries(ORIGIN, 2, 1);
    expect(parseEntry(entry?.bytes ?? Buffer.alloc(0)).body).toMatchObject({
      type: 'recording',
      rec: id,
      open: 1,
      status: 'complete',
      hash: sha256(hashes),
      sig: sha256(signature),
    });
    expect(await room.store.deliveries(id)).toMatchObject([{ destination: 'archive', state: 'waiting' }]);
  });

  test('states how long it is kept in the entry, in the info file and in the log', async () => {
    const forEver = await room.recordCall();
    await seal(forEver, room.deps);
    room.kept = { profile: 'wphg-5y', until: '2031-11-23' };
    const id = await room.recordCall();
    await seal(id, room.deps);
    const row = await room.store.recording(id);
    expect(row?.kept).toEqual(room.kept);
    const info = readFileSync(room.spool.path(id, `${row?.fileName ?? ''}_info.txt`), 'utf8');
    expect(info).toContain('Retention: wphg-5y, until 2031-11-23\n');
    const retain = (await room.store.entries(ORIGIN, 0, 10))
      .map(({ bytes }) => parseEntry(bytes).body)
      .flatMap((body) => (body.type === 'recording' ? [body.retain] : []));
    expect(retain).toEqual(['none', 'wphg-5y 2031-11-23']);
  });

  test('done twice, even at the same time, seals once', async () => {
    const id = await room.recordCall();
    const results = await Promise.all([seal(id, room.deps), seal(id, room.deps)]);
    expect(results.sort()).toEqual([false, true]);
    expect(room.chain.head.size).toBe(3);
  });

  test('of a recording that cannot be decided leaves those that share its turn alone', async () => {
    const ids = [await room.recordCall(), await room.recordCall(), await room.recordCall()];
    let signatures = 0;
    room.atStep = (step) => {
      if (step === 'signed' && ++signatures === 2) throw new Error('no key for a moment');
    };
    const results = await Promise.allSettled(ids.map((id) => seal(id, room.deps)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    room.atStep = () => undefined;
    for (const id of ids) await seal(id, room.deps);
    await expectChain(['genesis', 'open', 'open', 'open', 'recording', 'recording', 'recording']);
  });

  test('that the database refuses fails alone, whoever shares its turn', async () => {
    const stuck = await room.recordCall();
    room.atStep = (step) => {
      if (step === 'intent') throw new Error('power cut');
    };
    await expect(seal(stuck, room.deps)).rejects.toThrow('power cut');
    room.atStep = () => undefined;
    const ids = [await room.recordCall(), await room.recordCall(), await room.recordCall()];
    // The database has an unfinished seal of the second one, which nobody sees before.
    const intents = room.database.knex('seal_intents');
    const there = await intents.clone().first<Record<string, unknown>>();
    await intents.clone().insert({ ...there, recording: ids[1] });
    const store = new Proxy(room.store, {
      get: (target, key) => {
        if (key === 'sealable') return (all: readonly string[]) => withoutIntents(target.sealable(all));
        const value: unknown = Reflect.get(target, key);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    const group = new SealGroup(room.chain, store);
    const results = await Promise.allSettled(ids.map((id) => seal(id, { ...room.deps, store, group })));
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(results[1]).toMatchObject({ reason: { code: 'CONFLICT' } });
    await intents.clone().where({ recording: ids[1] }).delete();
    for (const id of [stuck, ...ids]) await seal(id, room.deps);
    await expectChain([
      'genesis',
      'open',
      'recording',
      'open',
      'open',
      'open',
      'recording',
      'recording',
      'recording',
    ]);
  });

  test('shares its turn and its transaction with those that come at the same time, each with its own place', async () => {
    const ids = [];
    for (let n = 0; n < 20; n++) ids.push(await room.recordCall());
    let turns = 0;
    const alone = room.chain.exclusively.bind(room.chain);
    room.chain.exclusively = (work) => {
      turns += 1;
      return alone(work);
    };
    await Promise.all(ids.map((id) => seal(id, room.deps)));
    expect(turns).toBeLessThan(ids.length);
    const rows = await Promise.all(ids.map((id) => room.store.recording(id)));
    expect(new Set(rows.map((row) => row?.entryIndex)).size).toBe(ids.length);
    const before = [...rows].sort((a, b) => (a?.entryIndex ?? 0) - (b?.entryIndex ?? 0));
    before.forEach((row, at) => {
      const info = readFileSync(room.spool.path(row?.id ?? '', `${row?.fileName ?? ''}_info.txt`), 'utf8');
      expect(info).toContain(`Previous-Recording: ${before[at - 1]?.fileName ?? '-'}\n`);
    });
  });

  test('whose files cannot be placed is in the log, keeps nobody up, and is taken up again', async () => {
    const [id, other] = [await room.recordCall(), await room.recordCall()];
    room.atStep = (step) => {
      if (step === 'texts') throw new Error('disk full');
    };
    await expect(seal(id, room.deps)).rejects.toThrow('disk full');
    room.atStep = () => undefined;
    await seal(other, room.deps);
    expect(await room.store.intent(id)).toMatchObject({ entry: { index: 3 } });
    expect((await room.store.recording(id))?.state).toBe('ended');
    expect(await seal(id, room.deps)).toBe(true);
    expect(await room.store.recording(id)).toMatchObject({ state: 'sealed', entryIndex: 3 });
    await expectChain(['genesis', 'open', 'open', 'recording', 'recording']);
  });

  test('whose intent an earlier version stored without its entry gets it at the next start', async () => {
    const id = await room.recordCall();
    room.atStep = (step) => {
      if (step === 'intent') throw new Error('power cut');
    };
    await expect(seal(id, room.deps)).rejects.toThrow('power cut');
    room.atStep = () => undefined;
    const intent = await room.store.intent(id);
    const { size, prev, frontier } = intent?.headAfter ?? room.chain.head;
    expect(size).toBe(3);
    await room.database.knex('log_entries').where({ index: 2 }).delete();
    const open = (await room.store.entries(ORIGIN, 1, 1))[0];
    const genesis = (await room.store.entries(ORIGIN, 0, 1))[0];
    const leaves = [genesis, open].map((entry) => leafHash(entry?.bytes ?? Buffer.alloc(0)));
    await room.database.knex('log_heads').update({
      size: 2,
      prev: open?.hash,
      frontier: JSON.stringify(appendLeaf([leaves[0] ?? ''], 1, leaves[1] ?? '')),
    });
    await room.reopen();
    expect(room.chain.head).toMatchObject({ size, prev, frontier });
    await seal(id, room.deps);
    await expectChain(['genesis', 'open', 'recording']);
  });

  test('names the recording before it, with its signature', async () => {
    const [first, second] = [await room.recordCall(), await room.recordCall()];
    await seal(first, room.deps);
    await seal(second, room.deps);
    const before = await room.store.recording(first);
    const after = await room.store.recording(second);
    const info = readFileSync(room.spool.path(second, `${after?.fileName ?? ''}_info.txt`), 'utf8');
    const signature = readFileSync(
      room.spool.path(first, `${before?.fileName ?? ''}_hash.SHA256withRSA.sig`),
    );
    expect(info).toContain(`Previous-Recording: ${before?.fileName ?? '?'}\n`);
    expect(info).toContain(`Previous-Signature: ${signature.toString('base64')}\n`);
  });

  test('of audio that changed on disk says so instead of losing it', async () => {
    const id = await room.recordCall();
    appendFileSync(join(room.folder, 'spool', id, 'audio.wav.part'), 'x');
    await seal(id, room.deps);
    const row = await room.store.recording(id);
    const info = readFileSync(room.spool.path(id, `${row?.fileName ?? ''}_info.txt`), 'utf8');
    expect(info).toContain('Status: partial\n');
    expect(info).toContain('is not the audio as heard');
    expect(row?.status).toBe('partial');
    const steps = await room.database.knex('steps').where({ recording: id, step: 'sealed' });
    expect(steps).toMatchObject([
      { outcome: 'warning', detail: expect.stringContaining('is not the audio as heard') },
    ]);
  });

  test('of audio that changed on disk rings also when the process dies before it says so, and for each recording', async () => {
    const ids = [await room.recordCall(), await room.recordCall()];
    for (const id of ids) appendFileSync(join(room.folder, 'spool', id, 'audio.wav.part'), 'x');
    room.atStep = (step) => {
      if (step === 'intent') throw new Error('power cut');
    };
    for (const id of ids) await expect(seal(id, room.deps)).rejects.toThrow('power cut');
    room.alarms.splice(0);
    room.atStep = () => undefined;
    await room.reopen();
    for (const id of ids) await seal(id, room.deps);
    expect(room.alarms.map(({ code, subject }) => [code, subject])).toEqual(
      ids.map((id) => ['audio-differs', id]),
    );
  });

  /** A call of which the log states a segment while it runs. */
  const recordSegmented = (bytes: number, octets: Buffer): Promise<string> =>
    room.recordCapture(async (folder) => {
      const at = Date.now();
      const recording = basename(folder);
      const told = {
        type: 'segment',
        at,
        recording,
        file: '.wav',
        n: 1,
        bytes,
        sha256: sha256(octets),
      } as const;
      await room.journal.append(told);
      return writeAudio(folder, 1, AUDIO_FROM);
    });

  test('of audio that begins as its segment says is quiet about it', async () => {
    const id = await recordSegmented(8000, Buffer.alloc(8000, AUDIO_FROM % 251));
    await seal(id, room.deps);
    const row = await room.store.recording(id);
    const info = readFileSync(room.spool.path(id, `${row?.fileName ?? ''}_info.txt`), 'utf8');
    expect(info).toContain('Status: complete\n');
    expect(room.alarms).toEqual([]);
  });

  test.each([
    ['begins otherwise', 8000, 1],
    ['is shorter', 16_001, AUDIO_FROM % 251],
  ])('of audio that %s than a segment of it says so and rings', async (_how, bytes, octet) => {
    const id = await recordSegmented(bytes, Buffer.alloc(bytes, octet));
    await seal(id, room.deps);
    const row = await room.store.recording(id);
    const info = readFileSync(room.spool.path(id, `${row?.fileName ?? ''}_info.txt`), 'utf8');
    expect(info).toContain('Status: partial\n');
    expect(info).toContain(`does not begin with the ${bytes} octets that entry 2 states`);
    expect(room.alarms).toMatchObject([
      { code: 'audio-differs', severity: 'critical', fields: { recording: id } },
    ]);
    await expectChain(['genesis', 'open', 'segment', 'recording']);
  });

  test('of a recording nobody knows is an error with a code', async () => {
    await expect(seal('00000000-0000-7000-8000-000000000000', room.deps)).rejects.toMatchObject({
      code: 'UNKNOWN_RECORDING',
    });
  });
});

describe.each<SealStep>(['digested', 'signed', 'intent', 'texts', 'audio', 'logged'])(
  'a process that dies at "%s"',
  (step) => {
    test('is followed by one that seals the same bytes under the same index, and goes on', async () => {
      const id = await room.recordCall();
      room.atStep = (reached) => {
        if (reached === step) throw new Error('power cut');
      };
      await expect(seal(id, room.deps)).rejects.toThrow('power cut');
      const intent = (await room.store.intents())[0];
      room.atStep = () => undefined;
      await room.reopen();
      await seal(id, room.deps);
      const next = await room.recordCall();
      await seal(next, room.deps);
      expect(await room.store.intents()).toEqual([]);
      await expectChain(['genesis', 'open', 'recording', 'open', 'recording']);
      const entries = await room.store.entries(ORIGIN, 0, 100);
      if (intent !== undefined) expect(entries[2]?.bytes).toEqual(intent.entry.bytes);
      expect(spoolFiles(id).filter((file) => file.endsWith('.part'))).toEqual([]);
      expect(spoolFiles(id)).toHaveLength(4);
    });

    test('or by the same process, when only the step failed', async () => {
      const id = await room.recordCall();
      let failures = 1;
      room.atStep = (reached) => {
        if (reached === step && failures-- > 0) throw new Error('disk full for a moment');
      };
      await expect(seal(id, room.deps)).rejects.toThrow('disk full');
      const other = await room.recordCall();
      await seal(other, room.deps);
      await seal(id, room.deps);
      expect((await room.store.recordingsInState('sealed')).map((row) => row.id).sort()).toEqual(
        [id, other].sort(),
      );
      const entries = await room.store.entries(ORIGIN, 0, 100);
      expect(entries.filter((entry) => entry.type === 'recording')).toHaveLength(2);
    });
  },
);
