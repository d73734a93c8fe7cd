import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Alarm } from '../../src/alarm.ts';
import { EventApplier } from '../../src/jobs/apply-events.ts';
import { Chain, emptyHead } from '../../src/jobs/chain.ts';
import { EvidenceLog } from '../../src/jobs/evidence-log.ts';
import { LogTree } from '../../src/jobs/log-tree.ts';
import { Prover, signaturesOf } from '../../src/jobs/prove.ts';
import { beginRun } from '../../src/jobs/run-log.ts';
import { takeUpRoll } from '../../src/jobs/roll-key.ts';
import { resumeChain, type SealDeps, type SealStep } from '../../src/jobs/seal.ts';
import { SealGroup } from '../../src/jobs/seal-group.ts';
import type { Kept } from '../../src/rules/retention.ts';
import type { CaptureResult } from '../../src/media/capture.ts';
import type { Decision } from '../../src/rules/decision.ts';
import { newRecordingId } from '../../src/recorder/recording-id.ts';
import { openDatabase, type Database } from '../../src/store/database.ts';
import { openJournal, type Journal } from '../../src/store/journal.ts';
import { SqlLogStore } from '../../src/store/log-store.ts';
import { openSpool, type Spool } from '../../src/store/spool.ts';
import { CurrentSigner } from '../../src/evidence/current-signer.ts';
import type { Signer } from '../../src/evidence/signature.ts';
import { freshSigner } from './evidence-signer.ts';
import { aCall } from './recorder-fakes.ts';
import { ROOT } from './recorder-process.ts';

export const ORIGIN = 'example.test/siprec/test/rec01/e1';

let signer: Signer | undefined;

/** Everything a seal works with, real and on disk; `reopen` is what a restart of the process does. */
export class SealingRoom {
  readonly folder = mkdtempSync(join(tmpdir(), 'sealtape-seal-'));
  readonly node = 'test/rec01';
  readonly signer: CurrentSigner;
  database!: Database;
  store!: SqlLogStore;
  journal!: Journal;
  spool!: Spool;
  chain!: Chain;
  applier!: EventApplier;
  deps!: SealDeps & { readonly chain: Chain };
  prover!: Prover;
  evidence!: EvidenceLog;
  readonly ended: string[] = [];
  readonly alarms: Alarm[] = [];
  /** What sealed recordings are kept under. */
  kept: Kept = { profile: 'none' };
  /** Set to be told of, and to fail at, the steps of a seal. */
  atStep: (step: SealStep) => void = () => undefined;

  readonly #databaseAt: Parameters<typeof openDatabase>[0];

  readonly origin: string;

  private constructor(by: Signer, database: Parameters<typeof openDatabase>[0] | undefined, origin: string) {
    this.origin = origin;
    this.signer = new CurrentSigner(by);
    this.#databaseAt = database ?? { kind: 'sqlite', file: join(this.folder, 'log.db') };
  }

  static async open(
    by: Signer = (signer ??= freshSigner()),
    database?: Parameters<typeof openDatabase>[0],
    origin = ORIGIN,
  ): Promise<SealingRoom> {
    const room = new SealingRoom(by, database, origin);
    await room.#open();
    await beginRun({
      store: room.store,
      chain: room.chain,
      signer: room.signer,
      installation: 'test',
      productVersion: '0.0.0',
      policyHash: '0'.repeat(64),
      lastAlive: undefined,
      now: Date.now,
    });
    return room;
  }

  async #open(): Promise<void> {
    this.database = await openDatabase(this.#databaseAt, join(ROOT, 'migrations'));
    await this.database.migrate();
    this.store = new SqlLogStore(this.database, { node: this.node });
    this.journal = await openJournal(join(this.folder, 'journal'));
    this.spool = await openSpool(this.folder);
    const parts = { store: this.store, files: this.spool, destinations: ['archive'], now: Date.now };
    const { store, signer: by, origin } = this;
    const resume = async () => {
      const head = (await resumeChain(origin, { store })) ?? emptyHead(origin);
      await takeUpRoll(origin, { store, signer: by });
      return head;
    };
    const clock = () => ({ time: new Date().toISOString(), mono: '7f3a9c21:1', clock: 'unsynced' });
    this.chain = new Chain(await resume(), {
      get key() {
        return by.key;
      },
      clock,
      resume,
    });
    const actorSecret = Buffer.alloc(32, 7);
    this.evidence = new EvidenceLog({ chain: this.chain, store, actorSecret, now: Date.now });
    this.applier = new EventApplier({
      actorSecret,
      journal: this.journal,
      store: this.store,
      chain: this.chain,
      onEnded: (recording) => this.ended.push(recording),
      log: () => undefined,
    });
    this.deps = {
      ...parts,
      chain: this.chain,
      group: new SealGroup(this.chain, store),
      signer: this.signer,
      installation: { name: 'test', node: 'rec01', version: '0.0.0', timeZone: 'UTC' },
      keep: () => this.kept,
      bell: {
        raise: (alarm) => {
          this.alarms.push(alarm);
        },
      },
      atStep: (step) => {
        this.atStep(step);
      },
    };
    this.prover = this.#openProver();
  }

  #openProver(): Prover {
    const { store, chain, spool: files, signer: by } = this;
    return new Prover({
      ...{ store, chain, files, signer: by, now: Date.now },
      treeOf: (origin) => new LogTree(store, origin),
      signaturesOf: (row) => signaturesOf(row, by.certificates),
    });
  }

  async reopen(): Promise<void> {
    await this.whileClosed(() => Promise.resolve());
  }

  /** Lets somebody else work with the folder. */
  async whileClosed(work: () => Promise<void>): Promise<void> {
    await this.#close();
    await work();
    await this.#open();
  }

  /** A call from its opening to its end, with `seconds` of audio in the spool, in journal and database. */
  recordCall(seconds = 1, startedAt = Date.now(), decision?: Decision): Promise<string> {
    const write = (folder: string): CaptureResult => writeAudio(folder, seconds, startedAt);
    return this.recordCapture(write, startedAt, decision);
  }

  /** The same with what `write` makes of the recording's folder in the spool. */
  async recordCapture(
    write: (folder: string) => CaptureResult | Promise<CaptureResult>,
    startedAt = Date.now(),
    decision?: Decision,
  ): Promise<string> {
    const id = newRecordingId(startedAt);
    const folder = this.spool.folderOf(id);
    mkdirSync(folder);
    const { facts, description } = aCall();
    await this.journal.append({
      type: 'opened',
      at: startedAt,
      recording: id,
      startedAt,
      facts,
      description,
      ...(decision !== undefined && { decision }),
    });
    const capture = await write(folder);
    const at = capture.endedAt;
    await this.journal.append({
      type: 'ended',
      at,
      recording: id,
      reason: 'bye',
      status: 'complete',
      capture,
    });
    await this.applier.settled();
    return id;
  }

  async #close(): Promise<void> {
    await this.applier.stop();
    await this.journal.close();
    this.spool.close();
    await this.database.close();
  }

  async dispose(): Promise<void> {
    await this.#close();
    rmSync(this.folder, { recursive: true });
  }
}

export function writeAudio(folder: string, seconds: number, startedAt: number): CaptureResult {
  const audio = Buffer.alloc(seconds * 16_000, startedAt % 251);
  const path = join(folder, 'audio.wav.part');
  writeFileSync(path, Buffer.concat([Buffer.alloc(58), audio]));
  return {
    startedAt,
    endedAt: startedAt + seconds * 1000,
    files: [
      {
        path,
        suffix: '',
        codec: 'PCMA',
        channelLines: [0, 1],
        channelRoles: ['caller', 'callee'],
        samples: seconds * 8000,
        bytes: 58 + audio.length,
        audioSha256: createHash('sha256').update(audio).digest('hex'),
        audioOffset: 58,
      },
    ],
    legs: [],
  };
}
