import type { Alarm, AlarmBell } from '../alarm.ts';

/** What the media side says about what went wrong on this machine. */
interface MediaTroubles {
  /** Packets the kernel dropped. */
  readonly overruns: number;
  /** Packets the disk had no room for. */
  readonly unwritten: number;
  /** Ports with less buffer than they need. */
  readonly smallBuffers: number;
  /** DTLS handshakes that came to nothing. */
  readonly handshakesFailed: number;
  /** Milliseconds for which the disk has not answered. */
  readonly diskWait: number;
  /** The legs that lost packets last. */
  readonly troubled?: readonly TroubledLeg[];
}

interface TroubledLeg {
  readonly leg: string;
  readonly cause: 'dropped' | 'unwritten';
  readonly at: number;
}

interface MediaSide {
  totals(): Promise<MediaTroubles>;
}

/** How often the figures are read, and how long without a new one until an alarm ends. */
const LOOK_EVERY = 5000;
const QUIET_AFTER = 10 * 60_000;
/** A disk that takes so long for one write is not merely busy, in ms. */
const STALLED = 3000;

/** A figure that should not grow, and the alarm about it. */
interface Growth {
  readonly code: string;
  readonly severity: Alarm['severity'];
  readonly of: (troubles: MediaTroubles) => number;
  readonly text: (count: number) => string;
  /** Which of the legs it is about, where it can be said. */
  readonly cause?: TroubledLeg['cause'];
  /** Name of the figure among the alarm's fields. */
  readonly field: string;
}

const GROWTHS: readonly Growth[] = [
  {
    code: 'media-packets-dropped',
    severity: 'critical',
    of: ({ overruns }) => overruns,
    text: (packets) =>
      `The kernel dropped ${packets} RTP packets because this recorder did not fetch them in time: more CPU, or a larger net.core.rmem_max, is needed`,
    cause: 'dropped',
    field: 'packets',
  },
  {
    code: 'media-audio-unwritten',
    severity: 'critical',
    of: ({ unwritten }) => unwritten,
    text: (packets) =>
      `${packets} RTP packets are lost because the disk under the data directory did not take the audio before them in time`,
    cause: 'unwritten',
    field: 'packets',
  },
  {
    code: 'media-buffers-small',
    severity: 'warning',
    of: ({ smallBuffers }) => smallBuffers,
    text: (ports) =>
      `The kernel gave ${ports} ports less receive buffer than a second of their audio needs: raise net.core.rmem_max, or give the recorder CAP_NET_ADMIN`,
    field: 'ports',
  },
  {
    code: 'dtls-handshake-failed',
    severity: 'warning',
    of: ({ handshakesFailed }) => handshakesFailed,
    text: (handshakes) =>
      `${handshakes} DTLS handshakes failed, and what those legs sent cannot be heard; the log and the info file of each recording say why`,
    field: 'handshakes',
  },
];

/** Legs named in one alarm. */
const NAMED = 10;

/** Watches one growth: rings while it goes on and ends when nothing was added for a while. */
class GrowthWatch {
  readonly #growth: Growth;
  readonly #bell: AlarmBell;
  #seen = 0;
  #since = 0;
  #beganAt = 0;
  #lastAt: number | undefined;

  constructor(growth: Growth, bell: AlarmBell) {
    this.#growth = growth;
    this.#bell = bell;
  }

  note(troubles: MediaTroubles, now: number): void {
    const { code, severity, text, field } = this.#growth;
    const count = this.#growth.of(troubles);
    if (count > this.#seen) {
      if (this.#lastAt === undefined) {
        this.#since = this.#seen;
        // What is seen now may have happened since the last look, or the one before where a thread was slow.
        this.#beganAt = now - 2 * LOOK_EVERY;
      }
      this.#lastAt = now;
      this.#seen = count;
      const added = count - this.#since;
      const legs = this.#legsOf(troubles);
      const named = legs.length === 0 ? '' : `; last on ${legs.join(', ')}`;
      const fields = { [field]: added, ...(legs.length > 0 && { legs: legs.join(', ') }) };
      this.#bell.raise({ code, severity, text: text(added) + named, fields });
    } else if (this.#lastAt !== undefined && now - this.#lastAt >= QUIET_AFTER) {
      this.#lastAt = undefined;
      this.#bell.clear(code);
    }
  }

  /** Those that lost something since the alarm began, the newest of them. */
  #legsOf({ troubled = [] }: MediaTroubles): readonly string[] {
    return troubled
      .filter(({ cause, at }) => cause === this.#growth.cause && at >= this.#beganAt)
      .map(({ leg }) => leg)
      .slice(-NAMED);
  }
}

/**
 * Rings when audio is lost, or about to be, through the fault of this machine and not of the network: packets not fetched in time, a disk that
 * does not answer, buffers too small; and when DTLS handshakes fail, which makes their calls silent.
 */
export class MediaWatch {
  readonly #media: MediaSide;
  readonly #bell: AlarmBell;
  readonly #now: () => number;
  readonly #growths: readonly GrowthWatch[];
  #timer: NodeJS.Timeout | undefined;

  constructor(media: MediaSide, bell: AlarmBell, now: () => number = Date.now) {
    this.#media = media;
    this.#bell = bell;
    this.#now = now;
    this.#growths = GROWTHS.map((growth) => new GrowthWatch(growth, bell));
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.look(), LOOK_EVERY).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Reads the figures once. Never rejects. */
  async look(): Promise<void> {
    try {
      this.#note(await this.#media.totals());
    } catch {
      // A thread that does not answer is reported elsewhere.
    }
  }

  #note(troubles: MediaTroubles): void {
    const now = this.#now();
    for (const growth of this.#growths) growth.note(troubles, now);
    const { diskWait } = troubles;
    const seconds = Math.round(diskWait / 1000);
    if (diskWait < STALLED) this.#bell.clear('media-disk-stalled');
    else
      this.#bell.raise({
        code: 'media-disk-stalled',
        severity: 'critical',
        text: `The disk under the data directory has not answered a write of audio for ${seconds} s; running calls go on in memory, up to media.bufferSeconds`,
        fields: { seconds },
      });
  }
}
