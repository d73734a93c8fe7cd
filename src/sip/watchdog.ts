import type { RecordingCall } from '../recorder/call.ts';
import type { Log } from './connection.ts';
import { useNewConnection, type SipDialog } from './drachtio.ts';
import { requestIn } from './own-request.ts';

/** All in milliseconds. */
export interface WatchLimits {
  /** How often every call is looked at. */
  readonly interval: number;
  /** Silence after which the client is asked whether it still knows the call (TMR-6). */
  readonly probeAfter: number;
  /** A call that is not acknowledged by then must have audio (DLG-6). The SIP server repeats its 200 so long. */
  readonly ackPatience: number;
  /** Silence that ends a call whose SIP server is gone. */
  readonly lostSilence: number;
  /** What ends such a call in any case: a paused one is silent by right, and nobody can tell us that it ended. */
  readonly lostLimit: number;
}

export const DEFAULT_WATCH: WatchLimits = {
  interval: 5000,
  probeAfter: 300_000,
  ackPatience: 34_000,
  lostSilence: 60_000,
  lostLimit: 12 * 3_600_000,
};

/** Sent with a 200 to our own SIP server, which takes it out and leaves calls without ACK to the watchdog. */
export const KEEP_WITHOUT_ACK = { 'X-Sealtape-Keep-Without-Ack': 'yes' } as const;

/** A call that was answered without an ACK is alive when it was heard this recently. */
const RECENTLY = 10_000;

/** The server reports 408 after 32 s. */
const PATIENCE = 40_000;

/** What the client says to OPTIONS when the call is over for it, or when there is no client (RFC 3261 §12.2.1.2). */
const GONE = new Set([408, 481]);

/** Our own server says so where no connection to the client comes about (RFC 3261 §8.1.3.1): it may yet open one. */
const UNREACHABLE = 503;

export interface WatchedCall {
  readonly recording: Pick<RecordingCall, 'silentFor' | 'note'>;
  /** Ends recording and dialog; the reason is for the log. */
  giveUp(why: string): Promise<void>;
}

interface Watch {
  readonly call: WatchedCall;
  readonly dialog: SipDialog;
  readonly since: number;
  readonly over: () => void;
  acknowledged: boolean;
  /** When the SIP server was lost. */
  lostAt: number | undefined;
  probedAt: number;
  /** Until then silence cannot have become long enough for the client to be asked, as far as is known. */
  heardUntil: number;
  busy: boolean;
}

/**
 * Ends recordings that nobody else will end: clients forget their BYE, ACKs get lost, SIP servers go away. Silence alone ends no call
 * that still has its signalling: the client is asked.
 */
export class Watchdog {
  readonly #limits: WatchLimits;
  readonly #log: Log;
  readonly #watches = new Set<Watch>();
  #timer: NodeJS.Timeout | undefined;
  #serverThere = true;

  constructor(limits: WatchLimits, log: Log) {
    this.#limits = limits;
    this.#log = log;
  }

  /**
   * Watches a call until its dialog ends; `over` is called when the watchdog ended it. `lostAt`: since when nobody could tell us that it ended,
   * for one of before a restart.
   */
  watch(call: WatchedCall, dialog: SipDialog, over: () => void, lostAt?: number): void {
    const since = Date.now();
    const watch: Watch = {
      call,
      dialog,
      since,
      over,
      acknowledged: lostAt !== undefined,
      lostAt,
      probedAt: since,
      heardUntil: since + this.#limits.probeAfter,
      busy: false,
    };
    this.#watches.add(watch);
    dialog.on('ack', () => {
      watch.acknowledged = true;
    });
    dialog.on('destroy', () => this.#watches.delete(watch));
    this.#timer ??= setInterval(() => {
      for (const each of this.#watches) this.#look(each);
    }, this.#limits.interval).unref();
  }

  /** The SIP server is gone: nobody can tell us that a call ended. */
  serverLost(): void {
    const now = Date.now();
    this.#serverThere = false;
    for (const watch of this.#watches) watch.lostAt ??= now;
  }

  /** There is a SIP server again. Ours knows the dialogs still; any other may not, so each call is asked once (drachtio-protocol.md section 7). */
  serverBack(): void {
    this.#serverThere = true;
    for (const { dialog } of this.#watches) useNewConnection(dialog);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#watches.clear();
  }

  #look(watch: Watch): void {
    if (watch.busy || !this.#matters(watch)) return;
    watch.busy = true;
    this.#judge(watch)
      .catch((error: unknown) => {
        this.#log('error', 'a call could not be watched', { error: String(error) });
      })
      .finally(() => {
        watch.busy = false;
      });
  }

  /** Whether anything would be done about silence: another thread knows of it, and need not be asked for each call all the time. */
  #matters({ lostAt, acknowledged, since, probedAt, heardUntil }: Watch): boolean {
    const { ackPatience, probeAfter } = this.#limits;
    const now = Date.now();
    if (lostAt !== undefined) return true;
    return acknowledged ? now >= Math.max(heardUntil, probedAt + probeAfter) : now - since > ackPatience;
  }

  async #judge(watch: Watch): Promise<void> {
    const { lostAt } = watch;
    const silence = await watch.call.recording.silentFor();
    if (!this.#watches.has(watch)) return;
    const now = Date.now();
    watch.heardUntil = now + Math.max(0, this.#limits.probeAfter - silence);
    if (lostAt !== undefined && this.#serverThere) await this.#findAgain(watch, silence);
    else if (lostAt !== undefined) await this.#judgeLost(watch, { silence, lostFor: now - lostAt });
    else if (!watch.acknowledged && now - watch.since > this.#limits.ackPatience)
      await this.#judgeUnacknowledged(watch, silence);
    else if (silence >= this.#limits.probeAfter && now - watch.probedAt >= this.#limits.probeAfter)
      await this.#probe(watch, silence);
  }

  async #judgeLost(
    watch: Watch,
    time: { readonly silence: number; readonly lostFor: number },
  ): Promise<void> {
    const { lostSilence, lostLimit } = this.#limits;
    const { silence, lostFor } = time;
    if (lostFor >= lostLimit || (silence >= lostSilence && lostFor >= lostSilence))
      await this.#giveUp(watch, `the SIP server was lost, and nothing was heard for ${seconds(silence)} s`);
  }

  /** Asks a client through the new connection; the call is lost only for one that is silent as well. */
  async #findAgain(watch: Watch, silence: number): Promise<void> {
    const status = await askOptions(watch.dialog);
    if (!this.#watches.has(watch)) return;
    if (status !== undefined && status !== UNREACHABLE && !GONE.has(status)) {
      watch.lostAt = undefined;
      watch.call.recording.note('found again', `the client answers ${status} to OPTIONS`);
      return;
    }
    const lostFor = Date.now() - (watch.lostAt ?? Date.now());
    await this.#judgeLost(watch, { silence, lostFor });
  }

  async #judgeUnacknowledged(watch: Watch, silence: number): Promise<void> {
    if (silence > RECENTLY) {
      await this.#giveUp(watch, 'no ACK came and no audio');
      return;
    }
    watch.acknowledged = true;
    watch.call.recording.note('kept without ACK', 'audio is coming in');
  }

  async #probe(watch: Watch, silence: number): Promise<void> {
    watch.probedAt = Date.now();
    const status = await askOptions(watch.dialog);
    const detail = `nothing heard for ${seconds(silence)} s, the client answers ${status ?? 'nothing'} to OPTIONS`;
    if (!this.#watches.has(watch)) return;
    if (status !== undefined && GONE.has(status)) await this.#giveUp(watch, detail);
    else watch.call.recording.note('silent', detail);
  }

  async #giveUp(watch: Watch, why: string): Promise<void> {
    this.#watches.delete(watch);
    await watch.call.giveUp(why);
    watch.over();
  }
}

/** The status of the answer; undefined when the question could not be sent. */
function askOptions(dialog: SipDialog): Promise<number | undefined> {
  return new Promise((resolve) => {
    // A lost server never calls back.
    setTimeout(resolve, PATIENCE, undefined).unref();
    try {
      requestIn(dialog, { method: 'OPTIONS', headers: {} }, (error, response) => {
        resolve(isForgotten(error) ? 481 : response?.status);
      });
    } catch {
      resolve(undefined);
    }
  });
}

/** The SIP server knows no such dialog any more: its BYE came while nobody was there to be told (drachtio-protocol.md section 7). */
const isForgotten = (error: unknown): boolean =>
  (error as { readonly code?: unknown } | null | undefined)?.code === 'ENODIALOG';

const seconds = (ms: number): number => Math.round(ms / 1000);
