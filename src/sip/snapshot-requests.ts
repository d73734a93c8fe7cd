import { snapshotRequest, wantsSnapshot } from '../siprec/snapshot.ts';
import type { SipDialog } from './drachtio.ts';
import { contactOf } from './headers.ts';
import { requestIn } from './own-request.ts';
import type { SessionContent } from './session-content.ts';

/** Asked so often without a whole document in return, a client will not send one. */
const MOST = 3;

/** Asks the client of one dialog for all metadata anew when something of it is missing (SNAP-1 to SNAP-4). */
export class SnapshotRequests {
  readonly #parts: {
    /** Steps of whatever recording the dialog has at the time. */
    readonly note: (step: string, detail?: string) => void;
    readonly transport: string;
    readonly software: string;
  };
  #sent = 0;
  #waiting = false;
  /** The client does not support it: never again in this dialog. */
  #refused = false;

  constructor(parts: {
    readonly note: (step: string, detail?: string) => void;
    readonly transport: string;
    readonly software: string;
  }) {
    this.#parts = parts;
  }

  /** Sends a request when one is wanted, allowed and not under way. Never throws and never ends the call. */
  consider(dialog: SipDialog | undefined, content: SessionContent): void {
    if (dialog === undefined || this.#refused || this.#waiting || this.#sent >= MOST) return;
    if (!wantsSnapshot(content, content.headers['allow'])) return;
    this.#waiting = true;
    this.#sent += 1;
    this.#parts.note('snapshot requested');
    try {
      requestIn(dialog, this.#request(), (_error, response) => {
        this.#done(response?.status ?? 0);
      });
    } catch {
      this.#done(0);
    }
  }

  #request(): Parameters<typeof requestIn>[1] {
    return {
      method: 'UPDATE',
      headers: {
        Contact: contactOf(this.#parts.transport),
        'Content-Type': 'application/rs-metadata+xml',
        'Content-Disposition': 'recording-session',
        'User-Agent': this.#parts.software,
      },
      body: snapshotRequest('metadata incomplete'),
    };
  }

  /** `status` is 0 when no response came. */
  #done(status: number): void {
    this.#waiting = false;
    if (status >= 200 && status < 300) return;
    // 491 and a lost answer say nothing about the client; the rest does.
    this.#refused = status >= 400 && status !== 491;
    this.#parts.note('snapshot refused', status === 0 ? 'no answer' : String(status));
  }
}
