import { CUT_REACH, type Segment } from './capture.ts';

/** The final part of a file: `bytes` octets of audio and their SHA-256, hex. */
export interface Mark {
  readonly bytes: number;
  readonly sha256: string;
}

/** A growing file as far as its segments matter. */
export interface MarkedTrack {
  /** What follows the recording's name in the file's: `.wav`, `_caller.opus`. */
  readonly ending: string;
  /** Octets of audio that cannot change any more. */
  readonly finalBytes: number;
  /** From now on the file keeps its name and what is final of it; undefined while it is about to become another one. */
  mark(): Mark | undefined;
  /** Resolves when everything written is on the disk; rejects when it is not. */
  synced(): Promise<void>;
}

/** Between two segments of a file, in seconds (evidence.md 1.4: calls longer than 10 minutes have some). */
export const SEGMENT_SECONDS = 600;

/**
 * A mark is told of this much later, in ms: by then nobody can cut the recording back to before it any more (whoever does began to dial
 * less than CUT_REACH ago), and the disk has what came after it.
 */
const HOLD = CUT_REACH + 5000;

interface Held {
  readonly track: MarkedTrack;
  readonly mark: Mark;
  readonly at: number;
}

/**
 * States from time to time how much of the files is final and what it is, so that what was recorded long ago cannot be changed unseen
 * before the seal. Costs a copy of the running hash; nothing is read again, and nothing is done for a packet.
 */
export class SegmentMarks {
  readonly #interval: number;
  readonly #tell: (segment: Segment) => void;
  /** Most calls end before there is anything to tell. */
  #told: Map<MarkedTrack, { n: number; bytes: number }> | undefined;
  #due: number;
  #held: readonly Held[] = [];
  #ended = false;

  /** `start`: steady time of the recording's beginning. */
  constructor(start: number, seconds: number, tell: (segment: Segment) => void) {
    this.#interval = seconds * 1000;
    this.#tell = tell;
    this.#due = start + this.#interval;
  }

  /** Marks and tells what is due; `now` is a steady time. */
  tick(now: number, tracks: readonly MarkedTrack[]): void {
    if (now >= this.#due) {
      this.#due = now + this.#interval;
      this.#held = [...this.#held, ...tracks.flatMap((track) => this.#mark(track, now))];
    }
    const ripe = this.#held.filter(
      ({ track, mark, at }) => now >= at + HOLD && track.finalBytes > mark.bytes,
    );
    if (ripe.length === 0) return;
    this.#held = this.#held.filter((held) => !ripe.includes(held));
    for (const held of ripe) void this.#tellWhenOnDisk(held);
  }

  /** Nothing is told any more: the seal is near, and the end may be cut back. */
  end(): void {
    this.#ended = true;
    this.#held = [];
  }

  #mark(track: MarkedTrack, at: number): readonly Held[] {
    const mark = track.mark();
    return mark === undefined || mark.bytes <= (this.#told?.get(track)?.bytes ?? 0)
      ? []
      : [{ track, mark, at }];
  }

  /** What a power cut could still take is no proof of anything. */
  async #tellWhenOnDisk({ track, mark }: Held): Promise<void> {
    try {
      await track.synced();
    } catch {
      return;
    }
    const told = this.#told?.get(track);
    if (this.#ended || mark.bytes <= (told?.bytes ?? 0)) return;
    const n = (told?.n ?? 0) + 1;
    (this.#told ??= new Map()).set(track, { n, bytes: mark.bytes });
    this.#tell({ file: track.ending, n, ...mark });
  }
}
