import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openPathDestination } from '../../src/delivery/path.ts';
import { parseEntry, type EntryBody } from '../../src/evidence/entry.ts';
import { DeliveryGroup } from '../../src/jobs/delivery-group.ts';
import type { DeletionDeps } from '../../src/jobs/delete-recording.ts';
import { PermanentUploadError, type Destination } from '../../src/jobs/destination.ts';
import { seal } from '../../src/jobs/seal.ts';
import { upload } from '../../src/jobs/upload.ts';
import { SqlRetentionStore } from '../../src/store/retention-store.ts';
import { filesBelow } from './recorder-process.ts';
import { ORIGIN, SealingRoom } from './sealing-room.ts';

export const SIGNAL = new AbortController().signal;

/** Sealed and delivered recordings in a real archive, and what an archive that locks files would add. */
export class RetentionRoom {
  readonly sealing: SealingRoom;
  readonly archive: string;
  readonly store: SqlRetentionStore;
  readonly deps: DeletionDeps;
  /** Paths of the archive that it refuses to remove. */
  readonly locked = new Set<string>();
  /** Archive away. */
  away = false;
  /** What the archive was told to hold, by path. */
  readonly archiveHolds = new Map<string, boolean>();
  readonly archiveRetention = new Map<string, number>();
  readonly #destination: Destination;

  static async open(): Promise<RetentionRoom> {
    return new RetentionRoom(await SealingRoom.open());
  }

  private constructor(sealing: SealingRoom) {
    this.sealing = sealing;
    this.archive = join(sealing.folder, 'archive');
    mkdirSync(this.archive);
    this.#destination = this.#locking(openPathDestination({ name: 'archive', root: this.archive }));
    // The node under which the sealing room keeps its log.
    this.store = new SqlRetentionStore(sealing.database, { node: sealing.node });
    this.deps = {
      store: this.store,
      log: sealing.store,
      evidence: sealing.evidence,
      destinations: new Map([['archive', this.#destination]]),
      files: sealing.spool,
      now: Date.now,
    };
  }

  /** A call that was recorded, sealed and delivered, kept until that day. */
  async keep(
    until: string | undefined,
    profile = 'wphg-5y',
    release?: (recording: string) => Promise<void>,
  ): Promise<string> {
    this.sealing.kept = { profile, ...(until !== undefined && { until }) };
    const id = await this.sealing.recordCall();
    await seal(id, this.sealing.deps);
    await upload(
      { recording: id, destination: 'archive' },
      {
        store: this.sealing.store,
        origins: () => [ORIGIN],
        prove: () => this.sealing.prover.prove(),
        group: new DeliveryGroup(this.sealing.evidence, Date.now),
        certificates: () => this.sealing.signer.certificates,
        issuers: () => this.sealing.signer.issuers,
        destinations: this.deps.destinations,
        files: this.sealing.spool,
        folderOf: () => '2026/11/23',
        now: Date.now,
        release,
      },
      SIGNAL,
    );
    return id;
  }

  /** Files of recordings in the archive, the evidence log left out. */
  files(): readonly string[] {
    return filesBelow(this.archive).filter((file) => file.startsWith('2026'));
  }

  /** Bodies of all entries of these types, in order. */
  async entries(...types: readonly EntryBody['type'][]): Promise<readonly EntryBody[]> {
    const rows = await this.sealing.store.entries(ORIGIN, 0, 1000);
    return rows
      .map(({ bytes }) => parseEntry(bytes).body)
      .filter((body): body is EntryBody => types.some((type) => type === body.type));
  }

  dispose(): Promise<void> {
    return this.sealing.dispose();
  }

  /** The folder, with the locks of an archive that has them. */
  #locking(folder: Destination): Destination {
    return {
      name: folder.name,
      put: (...args) => folder.put(...args),
      extend: (...args) => folder.extend(...args),
      open: (...args) => folder.open(...args),
      stat: (...args) => folder.stat(...args),
      list: (...args) => folder.list(...args),
      capabilities: (...args) => folder.capabilities(...args),
      close: () => folder.close(),
      remove: (copy, signal) => {
        if (this.away) return Promise.reject(new Error('no route to host'));
        if (this.locked.has(copy.path))
          return Promise.reject(new PermanentUploadError('locked', `${copy.path} is locked`));
        return folder.remove(copy, signal);
      },
      setHold: ({ path }, on) => {
        this.archiveHolds.set(path, on);
        return Promise.resolve();
      },
      setRetention: ({ path }, { until }) => {
        this.archiveRetention.set(path, until);
        return Promise.resolve();
      },
    };
  }
}
