import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openPathDestination } from '../../src/delivery/path.ts';
import { checkpointPath, keyrollPath } from '../../src/evidence/layout.ts';
import { DeliveryGroup } from '../../src/jobs/delivery-group.ts';
import { checkpoint } from '../../src/jobs/checkpoint.ts';
import { exportEvidence } from '../../src/jobs/export-evidence.ts';
import { rollKey } from '../../src/jobs/roll-key.ts';
import { seal } from '../../src/jobs/seal.ts';
import { upload } from '../../src/jobs/upload.ts';
import { readArguments } from '../../verify-cli/arguments.ts';
import { levelsOf, resultOf } from '../../verify-cli/verdict.ts';
import { verify, type Verification } from '../../verify-cli/verify.ts';
import { freshSigner } from '../support/evidence-signer.ts';
import { ROOT } from '../support/recorder-process.ts';
import { ORIGIN, SealingRoom } from '../support/sealing-room.ts';

const run = promisify(execFile);
let room: SealingRoom;
let folder: string;

beforeEach(async () => {
  room = await SealingRoom.open();
  folder = mkdtempSync(join(tmpdir(), 'sealtape-roll-'));
  mkdirSync(join(folder, 'archive'));
});

afterEach(async () => {
  await room.dispose();
  rmSync(folder, { recursive: true });
});

function check(...words: readonly string[]): Promise<Verification> {
  const given = readArguments(words);
  if (given === undefined) throw new Error('the arguments are not understood');
  return verify(given);
}

const rollDeps = () => ({ store: room.store, chain: room.chain, signer: room.signer, now: Date.now });

async function deliver(recordings: readonly string[]): Promise<void> {
  await checkpoint(room.deps, { exported: true });
  const archive = openPathDestination({ name: 'archive', root: join(folder, 'archive') });
  const deps = {
    store: room.store,
    origins: () => [ORIGIN],
    prove: () => room.prover.prove(),
    group: new DeliveryGroup(room.evidence, Date.now),
    certificates: () => room.signer.certificates,
    issuers: () => room.signer.issuers,
    destinations: new Map([['archive', archive]]),
    files: room.spool,
    folderOf: () => '2026/11/23',
    now: Date.now,
  };
  for (const recording of recordings)
    await upload({ recording, destination: 'archive' }, deps, new AbortController().signal);
  await checkpoint(room.deps, { exported: true });
  await exportEvidence(archive, deps, new AbortController().signal);
}

test('seals in flight during a key roll are right on both sides of it, for sealtape-verify, verify.sh and openssl', async () => {
  const first = room.signer.certificatePem;
  const ids = [await room.recordCall(), await room.recordCall(), await room.recordCall()];
  room.signer.successor = freshSigner();
  const [one, two, three] = ids as [string, string, string];
  const done = await Promise.all([
    seal(one, room.deps),
    rollKey(rollDeps()),
    seal(two, room.deps),
    seal(three, room.deps),
  ]);
  const { size } = done[1];
  expect(room.signer.certificatePem).not.toBe(first);
  await deliver(ids);

  const root = join(folder, 'archive');
  const paper = join(folder, 'paper.pem');
  const successor = join(folder, 'successor.pem');
  writeFileSync(paper, first);
  writeFileSync(successor, room.signer.certificatePem);
  const verification = await check(root, '--cert', paper);
  expect(verification.findings).toEqual([]);
  expect(resultOf(verification)).toBe('intact');
  expect(levelsOf(verification).length).toBeGreaterThan(3);
  const { stdout } = await run('sh', [join(ROOT, 'verify-cli/verify.sh'), root, paper]);
  expect(stdout).toContain('Result: INTACT');

  const text = join(root, checkpointPath(ORIGIN, size, 'txt'));
  for (const [certificate, ending] of [
    [paper, 'sig'],
    [successor, 'new.sig'],
  ] as const) {
    const key = join(folder, 'key.pem');
    writeFileSync(key, (await run('openssl', ['x509', '-in', certificate, '-pubkey', '-noout'])).stdout);
    const signature = join(root, checkpointPath(ORIGIN, size, ending));
    const verified = await run('openssl', ['dgst', '-sha256', '-verify', key, '-signature', signature, text]);
    expect(verified.stdout).toContain('Verified OK');
  }
  expect(readFileSync(join(root, keyrollPath(ORIGIN, 1, 'txt')), 'latin1')).toContain(`size ${size - 1}\n`);
});

test('a roll whose answer was lost is taken up before anything else is written', async () => {
  const next = freshSigner();
  room.signer.successor = next;
  const { store } = room;
  const losing = new Proxy(store, {
    get(target, name) {
      if (name !== 'write') return Reflect.get(target, name, target) as unknown;
      return async (...args: Parameters<typeof store.write>) => {
        await target.write(...args);
        throw new Error('the answer was lost');
      };
    },
  });
  await expect(rollKey({ ...rollDeps(), store: losing })).rejects.toThrow('the answer was lost');
  const id = await room.recordCall();
  await seal(id, room.deps);
  expect(room.signer.key).toBe(next.key);
  await deliver([id]);
  const verification = await check(join(folder, 'archive'));
  expect(verification.findings).toEqual([]);
});

test('without a successor nothing happens', async () => {
  const { size } = room.chain.head;
  await expect(rollKey(rollDeps())).rejects.toMatchObject({ code: 'NO_SUCCESSOR' });
  await room.chain.exclusively(() => Promise.resolve());
  expect(room.chain.head.size).toBe(size);
});
