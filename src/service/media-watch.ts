import type { AlarmBell } from '../alarm.ts';

/** What the media side says about packets it could not take in time. */
interface DroppedPackets {
  totals(): Promise<{ readonly overruns: number }>;
}

const CODE = 'media-packets-dropped';
/** How often the counters are read, and how long without a new drop until the alarm ends. */
const LOOK_EVERY = 5000;
const QUIET_AFTER = 10 * 60_000;

/**
 * Rings when the kernel drops packets because a receive buffer is full: then it was us who lost audio, not the network, and
 * somebody must give the machine more processors or larger buffers.
 */
export class MediaWatch {
  readonly #media: DroppedPackets;
  readonly #bell: AlarmBell;
  readonly #now: () => number;
  #timer: NodeJS.Timeout | undefined;
  #seen = 0;
  #since = 0;
  #lastDropAt: number | undefined;

  constructor(media: DroppedPackets, bell: AlarmBell, now: () => number = Date.now) {
    this.#media = media;
    this.#bell = bell;
    this.#now = now;
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.look(), LOOK_EVERY).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Reads the counters once. Never rejects. */
  async look(): Promise<void> {
    try {
      this.#note((await this.#media.totals()).overruns);
    } catch {
      // A thread that does not answer is reported elsewhere.
    }
  }

  #note(overruns: number): void {
    const now = this.#now();
    if (overruns > this.#seen) {
      if (this.#lastDropAt === undefined) this.#since = this.#seen;
      this.#lastDropAt = now;
      this.#seen = overruns;
      const packets = overruns - this.#since;
      this.#bell.raise({
        code: CODE,
        severity: 'critical',
        text: `The kernel dropped ${packets} RTP packets because this recorder did not fetch them in time: more CPU, or a larger net.core.rmem_max, is needed`,
        fields: { packets },
      });
    } else if (this.#lastDropAt !== undefined && now - this.#lastDropAt >= QUIET_AFTER) {
      this.#lastDropAt = undefined;
      this.#bell.clear(CODE);
    }
  }
}
