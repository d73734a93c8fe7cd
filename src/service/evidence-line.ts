import { parseEntry } from '../evidence/entry.ts';
import type { Signer } from '../evidence/signature.ts';
import type { Chain, ClockReading } from '../jobs/chain.ts';
import { checkpoint } from '../jobs/checkpoint.ts';
import { ClockWatch } from '../jobs/clock-watch.ts';
import type { Destination } from '../jobs/destination.ts';
import { EvidenceLog } from '../jobs/evidence-log.ts';
import { exportEvidence, type ExportDeps } from '../jobs/export-evidence.ts';
import { Heartbeat, type Counters } from '../jobs/heartbeat.ts';
import { LogTree } from '../jobs/log-tree.ts';
import type { CheckpointRow, LogStore, SealFiles } from '../jobs/ports.ts';
import { Prover, signaturesOf } from '../jobs/prove.ts';
import { Stamper, type TimeStampAuthority } from '../jobs/stamp.ts';
import { ExportGate } from './epoch.ts';
import { Peering, type Peers } from './peering.ts';
import type { AlarmBell } from '../alarm.ts';
import type { Log } from '../log.ts';

export interface EvidenceLineOptions {
  readonly store: LogStore;
  readonly chain: Chain;
  readonly signer: Signer;
  readonly files: SealFiles;
  readonly actorSecret: Uint8Array;
  readonly clock: () => ClockReading;
  readonly counters: () => Promise<Counters>;
  /** Where recordings go. */
  readonly destinations: readonly Destination[];
  /** The recorder's own copy of the evidence log. */
  readonly localEvidence: Destination;
  readonly authorities: readonly TimeStampAuthority[];
  readonly peers: Peers;
  readonly bell: AlarmBell;
  /** Destinations that could not be asked at the start. */
  readonly unchecked: readonly string[];
  /** The log before, whose end may not have left yet. */
  readonly toFinish: string | undefined;
  readonly log: Log;
}

/** Without anything new a checkpoint leaves this often, so that silence can be proved (evidence.md 1.5). */
const HEARTBEAT_EVERY = 3_600_000;
const CLOCK_EVERY = 5000;
const STAMPS_EVERY = 60_000;
/** Entries that a log writes about itself and its copies; they alone are no reason for another checkpoint. */
const QUIET: ReadonlySet<string> = new Set(['heartbeat', 'anchor', 'stored']);
const LOOK_AT = 50;

/** What happens with the log itself while it grows: proofs, heartbeats, checkpoints and their export, the clock. */
export class EvidenceLine {
  readonly evidence: EvidenceLog;
  readonly exports: ExportDeps;
  readonly peering: Peering;
  readonly #options: EvidenceLineOptions;
  readonly #heartbeat: Heartbeat;
  readonly #prover: Prover;
  readonly #clock: ClockWatch;
  readonly #trees = new Map<string, LogTree>();
  readonly #stamper: Stamper;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #stopping = new AbortController();
  #exportedAt = 0;
  #exportedSize = 0;
  #exportedOrigin = '';

  constructor(options: EvidenceLineOptions) {
    this.#options = options;
    const { store, chain, signer, files, clock, counters, actorSecret, authorities, bell } = options;
    this.evidence = new EvidenceLog({ chain, store, actorSecret, now: Date.now });
    const gate = new ExportGate(options.unchecked, options);
    this.exports = {
      store,
      origins: () => (options.toFinish === undefined ? [chain.origin] : [options.toFinish, chain.origin]),
      certificates: () => signer.certificates,
      issuers: () => signer.issuers,
      mayExport: (destination) => gate.mayExport(destination, chain.origin),
    };
    this.#heartbeat = new Heartbeat({ evidence: this.evidence, counters, clock });
    this.#clock = new ClockWatch(clock);
    this.#stamper = new Stamper({ store, evidence: this.evidence, authorities, bell, now: Date.now });
    const treeOf = (origin: string): LogTree => this.treeOf(origin);
    this.#prover = new Prover({
      ...{ store, chain, signer, files, treeOf, now: Date.now },
      signaturesOf: this.signaturesOf,
    });
    this.peering = new Peering({
      ...{ ...options.peers, store, evidence: this.evidence, signer, bell, treeOf, now: Date.now },
      origin: chain.origin,
      signaturesOf: this.signaturesOf,
      certificates: () => signer.certificates,
    });
  }

  treeOf(origin: string): LogTree {
    const known = this.#trees.get(origin) ?? new LogTree(this.#options.store, origin);
    this.#trees.set(origin, known);
    return known;
  }

  /** The lines of a note for a checkpoint of ours. */
  readonly signaturesOf = (row: CheckpointRow): ReturnType<typeof signaturesOf> =>
    signaturesOf(row, this.#options.signer.certificates);

  start(): void {
    const stamp = setInterval(() => {
      this.#stamp();
    }, STAMPS_EVERY);
    const watch = setInterval(() => {
      for (const body of this.#clock.look())
        void this.#attempt('clock entry', () => this.evidence.append(body));
    }, CLOCK_EVERY);
    this.#timers.push(stamp, watch);
    this.peering.start(this.#stopping.signal);
  }

  /** Resolves when nothing of its own accord is appended any more. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const timer of this.#timers) clearInterval(timer);
    await this.peering.stop();
    await this.#attempt('time stamps', () => this.#stamper.idle());
  }

  /** Entry and proof beside every recording sealed until now, see `Prover.prove`. */
  prove(recording?: string): Promise<void> {
    return this.#prover.prove(recording);
  }

  /** Epoch milliseconds. Rejects with StoreError. */
  async newestEntryAt(): Promise<number | undefined> {
    const { chain, store } = this.#options;
    const [newest] = await store.entries(chain.origin, chain.head.size - 1, 1);
    return newest === undefined ? undefined : Date.parse(parseEntry(newest.bytes).header.time);
  }

  beat(): Promise<void> {
    return this.#heartbeat.beat();
  }

  /**
   * Heartbeat, checkpoint and export when the log has something new, or is silent for an hour; brings every destination up to date
   * in any case. `last`: after the closing entry, which nothing may follow.
   */
  async round(signal: AbortSignal, last = false): Promise<void> {
    const { destinations, localEvidence } = this.#options;
    await this.#attempt('checkpoint', async () => {
      if (!last && !(await this.#isDue())) return;
      if (!last) await this.beat();
      await this.#checkpoint();
    });
    await Promise.all(
      [localEvidence, ...destinations].map((destination) =>
        this.#attempt(`evidence export to ${destination.name}`, () =>
          exportEvidence(destination, this.exports, signal),
        ),
      ),
    );
  }

  async #checkpoint(): Promise<void> {
    const { store, chain, signer } = this.#options;
    const row = await checkpoint({ store, chain, signer, now: Date.now }, { exported: true });
    if (row === undefined) return;
    this.#exportedAt = Date.now();
    this.#exportedSize = row.size;
    this.#exportedOrigin = row.origin;
    await this.#stamper.request(row);
    if (!this.#stopping.signal.aborted) this.#stamp();
  }

  /** Nothing waits for an authority; what is missing is fetched at the next start. */
  #stamp(): void {
    void this.#attempt('time stamps', () => this.#stamper.run(this.#stopping.signal));
  }

  async #isDue(): Promise<boolean> {
    const { store, chain } = this.#options;
    if (Date.now() - this.#exportedAt >= HEARTBEAT_EVERY || this.#exportedOrigin !== chain.origin)
      return true;
    const news = await store.entries(chain.origin, this.#exportedSize, LOOK_AT);
    return news.length === LOOK_AT || news.some(({ type }) => !QUIET.has(type));
  }

  async #attempt(what: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#options.log('error', `${what} failed`, { error: String(error) });
    }
  }
}
