import type { MediaHost, OpenedCapture } from '../media/capture.ts';
import type { LinePorts, RecordingCall } from './call.ts';
import type { ReopenedLines } from './continuation.ts';
import type { EndReason, RecorderEvent } from './events.ts';
import { endOf } from './ending.ts';

export interface ReopenedParts {
  readonly id: string;
  readonly capture: OpenedCapture;
  readonly ports: LinePorts;
  readonly media: Pick<MediaHost, 'silence' | 'close'>;
  readonly now: () => number;
  readonly begin: () => RecordingCall;
  /** States the opening, then the end, of a recording that nobody noticed until its call was over. */
  readonly state: (end: RecorderEvent) => Promise<void>;
  readonly discard: () => Promise<void>;
  readonly log: (level: 'warn', message: string, fields: Record<string, unknown>) => void;
}

/** The media side tells how long it has been silent to about a second, counted from the opening while nothing ever came. */
const HEARD_AFTER = 300;

/** A capture on the ports of a call that was cut off, of which no recording is stated yet. */
export class ReopenedCapture implements ReopenedLines {
  readonly #parts: ReopenedParts;
  readonly #openedAt: number;

  constructor(parts: ReopenedParts) {
    this.#parts = parts;
    this.#openedAt = parts.now();
  }

  get ports(): LinePorts {
    return this.#parts.ports;
  }

  async heard(): Promise<boolean> {
    const { media, id, now } = this.#parts;
    try {
      return now() - (await media.silence(id)) > this.#openedAt + HEARD_AFTER;
    } catch {
      return false;
    }
  }

  begin(): RecordingCall {
    return this.#parts.begin();
  }

  async close(reason: EndReason): Promise<void> {
    const { id, media, now, log, state, discard } = this.#parts;
    const at = now();
    try {
      const capture = await media.close(id, at);
      if (capture.files.length > 0)
        await state(endOf({ recording: id, reason, at, damaged: false }, capture));
      else await discard();
    } catch (error) {
      log('warn', 'the ports of a call that was cut off could not be closed in good order', {
        recording: id,
        error: String(error),
      });
    }
  }
}
