import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEntry } from '../../src/evidence/entry.ts';
import { parseHashFile } from '../../src/evidence/hash-file.ts';
import { verifySignature, readCertificate } from '../../src/evidence/signature.ts';
import { seal, type SealStep } from '../../src/jobs/seal.ts';
import { ORIGIN, SealingRoom } from '../support/sealing-room.ts';

let room: SealingRoom;

beforeEach(async () => {
  room = await SealingRoom.open();
});

afterEach(() => room.dispose());

const spoolFiles = (recording: string): string[] => readdirSync(join(room.folder, 'spool', recording)).sort();
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

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

  test('that finds the files gone because another run has just sealed them is done', async () => {
    const id = await room.recordCall();
    let first = true;
    const files = new Proxy(room.spool, {
      get: (target, key) => {
        if (key === 'digest' && first)
          return async () => {
            first = false;
            await seal(id, room.deps);
            throw Object.assign(new Error('gone'), { code: 'ENOENT' });
          };
        return (Reflect.get(target, key) as () => unknown).bind(target);
      },
    });
    expect(await seal(id, { ...room.deps, files })).toBe(false);
    expect((await room.store.recording(id))?.state).toBe('sealed');
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
      const entries = await room.store.entries(ORIGIN, 0, 100);
      expect(entries.map((entry) => entry.type)).toEqual([
        'genesis',
        'open',
        'recording',
        'open',
        'recording',
      ]);
      entries.forEach((entry, index) => {
        expect(entry.index).toBe(index);
        expect(entry.prev).toBe(index === 0 ? '0'.repeat(64) : entries[index - 1]?.hash);
      });
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
