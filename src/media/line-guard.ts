import type { CaptureSecurity } from './line-security.ts';
import type { Arrival } from './receiver/receiver.ts';
import { isRtcp } from './rtp-packet.ts';
import { Verdict } from './srtp/inbound-keys.ts';
import { threadSrtp } from './srtp/load-engine.ts';
import { SrtpReceiver } from './srtp/srtp-receiver.ts';
import { SrtpSender } from './srtp/srtp-sender.ts';

/** When a line is not encrypted any more, encrypted packets may still be on their way for so long, in ms. */
const FAREWELL_MS = 10_000;

/** What became of a datagram: opened (or never closed), or why nobody may hear it. */
export type Admission = 'opened' | 'repeated' | 'unauthentic';

/** Stands between the socket of an encrypted line and its leg: nothing that is not authentic gets past. */
export class LineGuard {
  /** The packet that was admitted last; valid until the next one of any line. */
  readonly clear: Arrival = { slab: Buffer.alloc(0), start: 0, end: 0, at: 0.5, sourceKey: 0 };
  readonly #space = threadSrtp();
  readonly #receiver: SrtpReceiver;
  #sender: SrtpSender;
  #suite: string;
  #plainSince: number | undefined;

  constructor(security: CaptureSecurity) {
    this.#receiver = new SrtpReceiver(this.#space, security.theirs);
    this.#sender = this.#senderOf(security);
    this.#suite = security.theirs.suite;
  }

  /** Name of the crypto suite in use, undefined once the line is not encrypted any more. */
  get suite(): string | undefined {
    return this.#plainSince === undefined ? this.#suite : undefined;
  }

  /** Takes what a re-offer says: new keys, the same ones, or none at all from now (`at`, in ms) on. */
  update(security: CaptureSecurity | undefined, at: number): void {
    if (security === undefined) {
      this.#plainSince ??= at;
      return;
    }
    this.#plainSince = undefined;
    this.#receiver.rekey(security.theirs);
    this.#suite = security.theirs.suite;
    if (this.#sender.isFrom(security.own)) return;
    this.#sender.destroy();
    this.#sender = this.#senderOf(security);
  }

  /** Opens a datagram into `clear`. Never throws. */
  admit(arrival: Arrival): Admission {
    const { slab, start, end, at } = arrival;
    const receiver = this.#receiver;
    const rtcp = isRtcp((slab[start + 1] ?? 0) & 0x7f);
    const length = rtcp ? receiver.openRtcp(slab, start, end) : receiver.open(slab, start, end, at);
    const { clear } = this;
    clear.at = at;
    clear.sourceKey = arrival.sourceKey;
    if (length >= 0) {
      clear.slab = receiver.clear;
      clear.start = 0;
      clear.end = length;
      return 'opened';
    }
    if (this.#plainSince === undefined) return length === Verdict.REPLAYED ? 'repeated' : 'unauthentic';
    return this.#admitPlain(arrival);
  }

  /** The SRTCP packet for a compound packet of ours. Throws RangeError for what is none. */
  protectRtcp(compound: Buffer): Buffer {
    return this.#sender.protectRtcp(compound);
  }

  /** True when the line has been unencrypted for so long that no guard is needed. */
  isDone(at: number): boolean {
    return this.#plainSince !== undefined && at > this.#plainSince + FAREWELL_MS;
  }

  /** Overwrites all keys. */
  destroy(): void {
    this.#receiver.destroy();
    this.#sender.destroy();
  }

  /** What our keys do not open is no packet of theirs. */
  #admitPlain(arrival: Arrival): Admission {
    this.clear.slab = arrival.slab;
    this.clear.start = arrival.start;
    this.clear.end = arrival.end;
    return 'opened';
  }

  #senderOf({ own, unencryptedRtcp }: CaptureSecurity): SrtpSender {
    return new SrtpSender(this.#space, own, { unencryptedRtcp });
  }
}
