import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { leafHash } from '../../src/evidence/merkle.ts';
import { isConsistent, rootFromInclusion, rootOfLeaves } from '../../src/evidence/merkle-proof.ts';
import { readCertificate } from '../../src/evidence/signature.ts';
import { isSignedByLog } from '../../src/evidence/signed-note.ts';
import { parseTlogProof, provesInclusion } from '../../src/evidence/tlog-proof.ts';
import { LogTree } from '../../src/jobs/log-tree.ts';
import { seal } from '../../src/jobs/seal.ts';
import { ORIGIN, SealingRoom } from '../support/sealing-room.ts';

let room: SealingRoom;

beforeEach(async () => {
  room = await SealingRoom.open();
});

afterEach(() => room.dispose());

const refuse = async (count: number): Promise<void> => {
  for (let n = 0; n < count; n++)
    await room.journal.append({
      type: 'refused',
      at: n,
      reason: '403',
      detail: '',
      count: 1,
      windowSeconds: 0,
    });
  await room.applier.settled();
};

const filesOf = async (recording: string): Promise<{ readonly entry: Buffer; readonly proof: Buffer }> => {
  const name = (await room.store.recording(recording))?.fileName ?? '';
  const read = (file: string): Buffer => readFileSync(room.spool.path(recording, file));
  return { entry: read(`${name}_entry.txt`), proof: read(`${name}.tlog-proof`) };
};

describe('beside a sealed recording', () => {
  test('lie its entry and a proof that one signed checkpoint covers it, several recordings under one', async () => {
    const ids = [await room.recordCall(), await room.recordCall()];
    for (const id of ids) await seal(id, room.deps);
    await Promise.all([room.prover.prove(), room.prover.prove()]);
    const { publicKey } = readCertificate(room.signer.certificatePem);
    const sizes = new Set<number>();
    for (const id of ids) {
      const { entry, proof } = await filesOf(id);
      const read = parseTlogProof(proof);
      sizes.add(read.checkpoint.size);
      expect(read.index).toBe((await room.store.recording(id))?.entryIndex);
      expect((await room.store.entries(ORIGIN, read.index, 1))[0]?.bytes).toEqual(entry);
      expect(provesInclusion(read, entry)).toBe(true);
      expect(isSignedByLog(read.note, ORIGIN, publicKey)).toBe(true);
      expect((await room.store.files(id)).map(({ kind }) => kind)).toEqual([
        'audio',
        'info',
        'hash',
        'signature',
        'entry',
        'proof',
      ]);
    }
    expect([...sizes]).toEqual([room.chain.head.size]);
    expect(await room.store.checkpoints(ORIGIN, 0)).toEqual([]);
  });

  test('a proof that a crash left behind stays, though the log has grown', async () => {
    const id = await room.recordCall();
    await seal(id, room.deps);
    await room.prover.prove();
    const before = await filesOf(id);
    // The crash: the file is there, its row is not.
    await room.database.knex('files').whereIn('kind', ['entry', 'proof']).delete();
    await room.reopen();
    await refuse(3);
    await room.prover.prove();
    expect(await filesOf(id)).toEqual(before);
    expect((await room.store.files(id)).map(({ kind }) => kind)).toContain('proof');
    expect(readdirSync(join(room.folder, 'spool', id)).filter((file) => file.endsWith('.tmp'))).toEqual([]);
  });

  test('whose files cannot be placed, others get theirs', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 4; n++) ids.push(await room.recordCall());
    for (const id of ids) await seal(id, room.deps);
    const [first = '', second = '', ...others] = ids;
    for (const id of [first, second]) {
      const name = (await room.store.recording(id))?.fileName ?? '';
      writeFileSync(room.spool.path(id, `${name}_entry.txt`), 'something else');
    }
    await room.prover.prove();
    const kinds = async (id: string) => (await room.store.files(id)).map(({ kind }) => kind);
    for (const id of others) expect(await kinds(id)).toContain('proof');
    expect(await kinds(first)).not.toContain('proof');
    await expect(room.prover.prove(first)).rejects.toMatchObject({ fault: 'source-changed' });
    await room.prover.prove(others[0]);
  });
});

describe('proofs over the stored log', () => {
  test('are those of the whole tree, across tiles, before and after a restart', async () => {
    await refuse(800);
    const entries = await room.store.entries(ORIGIN, 0, 1000);
    const leaves = entries.map(({ bytes }) => leafHash(bytes));
    const rootAt = (size: number): string => rootOfLeaves(leaves, { from: 0, to: size });
    for (const tree of [new LogTree(room.store, ORIGIN), new LogTree(room.store, ORIGIN)]) {
      for (const size of [1, 2, 255, 256, 257, 511, 512, 700, 801])
        for (const index of new Set([0, Math.floor(size / 2), size - 1])) {
          const path = await tree.inclusion(index, size);
          expect(rootFromInclusion({ index, hash: leaves[index] ?? '' }, size, path)).toBe(rootAt(size));
        }
      for (const [old, size] of [
        [1, 801],
        [255, 256],
        [256, 801],
        [300, 700],
        [512, 513],
        [800, 801],
      ] as const) {
        const proof = await tree.consistency(old, size);
        expect(isConsistent({ size: old, root: rootAt(old) }, { size, root: rootAt(size) }, proof)).toBe(
          true,
        );
      }
      expect(await tree.root(801)).toBe(rootAt(801));
    }
    expect(await room.store.evidence.tiles(ORIGIN)).toHaveLength(3);
  });

  test('read every entry once while the log grows, however many ask at the same time', async () => {
    await refuse(300);
    let read = 0;
    const { store } = room;
    const counting = {
      evidence: store.evidence,
      write: store.write.bind(store),
      entries: async (origin: string, from: number, limit: number) => {
        const rows = await store.entries(origin, from, limit);
        read += rows.length;
        return rows;
      },
    };
    const tree = new LogTree(counting, ORIGIN);
    // The first tile once for its root and once for its leaves.
    await Promise.all([tree.inclusion(200, 301), tree.inclusion(260, 301), tree.inclusion(300, 301)]);
    expect(read).toBe(256 + 256 + 45);
    await refuse(10);
    await Promise.all([tree.inclusion(301, 311), tree.inclusion(310, 311)]);
    expect(read).toBe(256 + 256 + 55);
  });
});
