import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openPathDestination } from '../../src/delivery/path.ts';
import { parseEntry } from '../../src/evidence/entry.ts';
import { nextEpoch } from '../../src/evidence/origin.ts';
import { adoptSealed } from '../../src/jobs/adopt.ts';
import { checkpoint } from '../../src/jobs/checkpoint.ts';
import { exportEvidence } from '../../src/jobs/export-evidence.ts';
import { HandOver } from '../../src/jobs/hand-over.ts';
import { DeliveryGroup } from '../../src/jobs/delivery-group.ts';
import { EvidenceLog } from '../../src/jobs/evidence-log.ts';
import type { Epoch } from '../../src/jobs/find-epoch.ts';
import { LogTree } from '../../src/jobs/log-tree.ts';
import { Prover, signaturesOf } from '../../src/jobs/prove.ts';
import { beginRun } from '../../src/jobs/run-log.ts';
import { SealGroup } from '../../src/jobs/seal-group.ts';
import { seal, type SealDeps } from '../../src/jobs/seal.ts';
import { upload, type UploadDeps } from '../../src/jobs/upload.ts';
import { openChain } from '../../src/service/chain-opening.ts';
import { settleEpoch } from '../../src/service/epoch.ts';
import { openDatabase } from '../../src/store/database.ts';
import { SqlLogStore } from '../../src/store/log-store.ts';
import { openSpool } from '../../src/store/spool.ts';
import { startPostgres, type Postgres } from '../support/postgres.ts';
import { filesBelow, ROOT } from '../support/recorder-process.ts';
import { ORIGIN, SealingRoom } from '../support/sealing-room.ts';
import { verifyNode } from '../support/sealed-recording.ts';

const { signal } = new AbortController();
const SECOND = nextEpoch(ORIGIN);
let postgres: Postgres;
let folder: string;

beforeAll(async () => {
  postgres = await startPostgres();
  folder = mkdtempSync(join(tmpdir(), 'sealtape-restored-'));
}, 60_000);

afterAll(async () => {
  await postgres.remove();
  rmSync(folder, { recursive: true });
});

const octetsBelow = (root: string): Readonly<Record<string, string>> =>
  Object.fromEntries(filesBelow(root).map((file) => [file, readFileSync(join(root, file), 'hex')]));

/** A recorder with its archive, of which a copy can be put back. */
class Backups {
  readonly room: SealingRoom;
  readonly archive: string;
  readonly #at: Parameters<typeof openDatabase>[0];
  readonly #copy: string;

  private constructor(room: SealingRoom, at: Parameters<typeof openDatabase>[0], name: string) {
    this.room = room;
    this.#at = at;
    this.archive = join(folder, `${name}-archive`);
    this.#copy = join(folder, `${name}-backup`);
    mkdirSync(this.archive);
  }

  static async open(kind: 'sqlite' | 'pg'): Promise<Backups> {
    if (kind === 'pg') {
      const at = { kind, connection: await postgres.createDatabase('log') } as const;
      return new Backups(await SealingRoom.open(undefined, at), at, kind);
    }
    const room = await SealingRoom.open();
    return new Backups(room, { kind, file: join(room.folder, 'log.db') }, kind);
  }

  get destination() {
    return openPathDestination({ name: 'archive', root: this.archive });
  }

  async backUp(): Promise<void> {
    await this.room.whileClosed(async () => {
      cpSync(this.room.folder, this.#copy, { recursive: true });
      if (this.#at.kind === 'pg') await postgres.createDatabase('copy', 'log');
    });
  }

  /** Puts the copy back, and decides as a start does in which epoch the log goes on. */
  async restore(): Promise<{ readonly epoch: Epoch; readonly alarms: readonly string[] }> {
    const { room } = this;
    const alarms: string[] = [];
    let epoch: Epoch | undefined;
    await room.whileClosed(async () => {
      rmSync(room.folder, { recursive: true });
      cpSync(this.#copy, room.folder, { recursive: true });
      if (this.#at.kind === 'pg') {
        await postgres.dropDatabase('log');
        await postgres.createDatabase('log', 'copy');
      }
      const database = await openDatabase(this.#at, join(ROOT, 'migrations'));
      const spool = await openSpool(room.folder);
      mkdirSync(join(room.folder, 'data'), { recursive: true });
      epoch = await settleEpoch({
        store: new SqlLogStore(database, { node: room.node }),
        signer: room.signer,
        keys: { isReset: () => Promise.resolve(false) },
        origin: ORIGIN,
        destinations: [this.destination],
        localEvidence: openPathDestination({ name: 'data-directory', root: join(room.folder, 'data') }),
        bell: { raise: ({ code }) => alarms.push(code), clear: () => undefined },
        log: () => undefined,
      });
      spool.close();
      await database.close();
    });
    if (epoch === undefined) throw new Error('no epoch');
    return { epoch, alarms };
  }

  /** The line of an epoch: what seals and delivers. */
  async lineIn({ origin, predecessor }: Pick<Epoch, 'origin' | 'predecessor'>) {
    const { room } = this;
    const clock = () => ({ time: new Date().toISOString(), mono: '7f3a9c21:1', clock: 'unsynced' });
    const chain =
      origin === ORIGIN
        ? room.chain
        : await openChain(origin, { store: room.store, signer: room.signer, clock, now: Date.now });
    if (origin !== ORIGIN)
      await beginRun({
        ...{ store: room.store, chain, signer: room.signer, installation: 'test', productVersion: '0.0.0' },
        ...{ policyHash: '0'.repeat(64), lastAlive: undefined, now: Date.now, predecessor },
      });
    const group = new SealGroup(chain, room.store);
    const folderOf = (): string => '2026/11/23';
    const log = (): void => undefined;
    const { store, spool: files, signer } = room;
    const adopt: SealDeps['adopt'] = (row) =>
      adoptSealed(row, {
        store,
        chain,
        signer,
        files,
        folderOf,
        log,
        destinations: [this.destination],
        now: Date.now,
      });
    const treeOf = (of: string): LogTree => new LogTree(store, of);
    const prover = new Prover({
      ...{ store, chain, files, signer, treeOf, now: Date.now },
      signaturesOf: (row) => signaturesOf(row, signer.certificates),
    });
    const evidence = new EvidenceLog({ chain, store, actorSecret: Buffer.alloc(32, 7), now: Date.now });
    const uploading: UploadDeps = {
      group: new DeliveryGroup(evidence, Date.now),
      ...{ store, files, folderOf, now: Date.now },
      origins: () => (origin === ORIGIN ? [ORIGIN] : [ORIGIN, origin]),
      prove: () => prover.prove(),
      certificates: () => signer.certificates,
      issuers: () => signer.issuers,
      destinations: new Map([['archive', this.destination]]),
    };
    const handOver = new HandOver({
      ...{ ...uploading, evidence, treeOf, signaturesOf: (row) => signaturesOf(row, signer.certificates) },
    });
    return {
      handOver,
      seal: (id: string) => seal(id, { ...room.deps, group, adopt }),
      deliver: (id: string) => upload({ recording: id, destination: 'archive' }, uploading, signal),
      finish: async () => {
        await checkpoint({ ...room.deps, chain }, { exported: true });
        await exportEvidence(this.destination, uploading, signal);
      },
    };
  }

  async stateOf(id: string): Promise<string | undefined> {
    return (await this.room.store.recording(id))?.state;
  }
}

describe.each(['sqlite', 'pg'] as const)('after a restored backup, on %s', (kind) => {
  test('what was sealed since is taken from the archive, what is lost there is sealed anew, nothing forks', async () => {
    const backups = await Backups.open(kind);
    const { room, archive } = backups;
    const life = await backups.lineIn({ origin: ORIGIN });
    await life.finish();
    const ended = await room.recordCall(1, 1000);
    const lost = await room.recordCall(1, 2000);
    const half = await room.recordCall(1, 3000);
    room.atStep = (step) => {
      if (step === 'audio') throw new Error('power cut');
    };
    await expect(life.seal(half)).rejects.toThrow('power cut');
    room.atStep = () => undefined;
    await backups.backUp();

    // The life after the backup. Its checkpoint is not exported yet: the entries alone tell that it was.
    const later = await backups.lineIn({ origin: ORIGIN });
    for (const id of [half, ended, lost]) await later.seal(id);
    await later.deliver(half);
    await later.deliver(ended);
    const sealed = octetsBelow(join(archive, '2026'));
    const { epoch, alarms } = await backups.restore();
    expect(epoch).toMatchObject({
      origin: SECOND,
      predecessor: { origin: ORIGIN, size: 1 },
      toFinish: ORIGIN,
    });
    expect(alarms).toEqual(['log-rolled-back']);
    const again = await backups.lineIn(epoch);
    for (const id of [ended, lost, half]) expect(await again.seal(id)).toBe(true);
    for (const id of [half, ended, lost]) {
      await again.deliver(id);
      expect([id, await backups.stateOf(id)]).toEqual([id, 'delivered']);
    }
    expect(octetsBelow(join(archive, '2026'))).toMatchObject(sealed);
    const bundle = await again.handOver.begin({ recordings: [ended, half], actor: 'test', purpose: 'test' });
    expect(bundle.files.map(({ path }) => path)).toEqual(
      expect.arrayContaining([expect.stringMatching(/^proof\/.*_e1\/genesis\.txt$/)]),
    );
    await again.finish();
    const bodies = (await room.store.entries(SECOND, 0, 50)).map(({ bytes }) => parseEntry(bytes).body);
    expect(bodies.filter(({ type }) => type !== 'stored')).toMatchObject([
      { type: 'genesis', reason: 'recovery' },
      { type: 'outage', cause: 'restore' },
      { type: 'open', rec: ended },
      { type: 'open', rec: lost },
      { type: 'failed', rec: ended, open: 2, reason: 'sealed-before' },
      { type: 'recording', rec: lost, open: 3 },
      { type: 'access', rec: ended },
      { type: 'access', rec: half },
    ]);
    // One sealed version of it was lost, and the log outside states that there was one: no verifier may keep that to itself.
    const findings = verifyNode(archive).output.match(/^FAULT .*/gim) ?? [];
    expect(new Set(findings.map((line) => / recording ([0-9a-f-]{36})/.exec(line)?.[1]))).toEqual(
      new Set([lost]),
    );
    expect((await backups.restore()).epoch.origin).toBe(nextEpoch(SECOND));
    await room.dispose();
  }, 120_000);
});
