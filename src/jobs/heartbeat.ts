import type { ClockReading } from './chain.ts';
import type { EvidenceLog } from './evidence-log.ts';

/** What the recorder counts; totals since the process began. */
export interface Counters {
  readonly accepted: number;
  readonly refused: number;
  readonly failed: number;
  readonly openNow: number;
  /** Octets of audio. */
  readonly bytes: number;
  /** Octets free where audio is written. */
  readonly diskFree: number;
}

export interface HeartbeatDeps {
  readonly evidence: EvidenceLog;
  readonly counters: () => Promise<Counters>;
  readonly clock: () => ClockReading;
}

/** States that the recorder lives and what it counted since the heartbeat before (evidence.md 1.4). */
export class Heartbeat {
  readonly #deps: HeartbeatDeps;
  #before = { accepted: 0, refused: 0, failed: 0, bytes: 0 };

  constructor(deps: HeartbeatDeps) {
    this.#deps = deps;
  }

  /** Rejects as `EvidenceLog.append` does; then the next one counts what this one would have. */
  async beat(): Promise<void> {
    const now = await this.#deps.counters();
    const before = this.#before;
    const { openNow, diskFree } = now;
    const offset = /^synced (.+)$/.exec(this.#deps.clock().clock)?.[1];
    await this.#deps.evidence.append({
      type: 'heartbeat',
      // A media thread that was replaced counts from 0 again.
      ...since(now, before),
      openNow,
      ntpSource: offset === undefined ? '-' : 'kernel',
      offset: offset ?? '-',
      diskFree: Math.max(0, Math.floor(diskFree)),
    });
    this.#before = now;
  }
}

type Sums = Pick<Counters, 'accepted' | 'refused' | 'failed' | 'bytes'>;

const since = (now: Sums, before: Sums): Sums => ({
  accepted: Math.max(0, now.accepted - before.accepted),
  refused: Math.max(0, now.refused - before.refused),
  failed: Math.max(0, now.failed - before.failed),
  bytes: Math.max(0, now.bytes - before.bytes),
});
