import type { KnownKeys } from './line-security.ts';
import type { Arrival } from './receiver/receiver.ts';
import { isRtcp } from './rtp-packet.ts';
import { Verdict } from './srtp/inbound-keys.ts';
import { threadSrtp } from './srtp/load-engine.ts';
import { SrtpReceiver } from './srtp/srtp-receiver.ts';
import { SrtpSender } from './srtp/srtp-sender.ts';

/** When a line is not encrypted any more, encrypted packets may still be on their way for so long, in ms. */
const FAREWELL_MS = 10_000;

/** What became of a datagram: opened (or never closed), or why nobody may hear it; `early`: there are no keys yet. */
export type Admission = 'opened' | Refusal;
export type Refusal = 'repeated' | 'unauthentic' | 'early';

/** Stands between the socket of an encrypted line and its leg: nothing that is not authentic gets past. */
export class LineGuard {
  /** The packet that was admitted last; valid until the next one of any line. */
  readonly clear: Arrival = { slab: Buffer.alloc(0), start: 0, end: 0, at: 0.5, sourceKey: 0 };
  readonly #space = threadSrtp();
  #receiver: SrtpReceiver | undefined;
  #sender: SrtpSender | undefined;
  #suite: string | undefined;
  #plainSince: number | undefined;

  /** Without keys nothing is admitted until `update` brings some. */
  constructor(security?: KnownKeys) {
    if (security !== undefined) this.update(security, 0);
  }

  /** Name of the crypto suite in use, undefined before there are keys and once the line is not encrypted any more. */
  get suite(): string | undefined {
    return this.#plainSince === undefined ? this.#suite : undefined;
  }

  /** Nothing in clear is admitted, and there are keys. */
  get isShut(): boolean {
    return this.#receiver !== undefined && this.#plainSince === undefined;
  }

  /** `clear` in words of 32 bits, where it was opened. */
  get clearWords(): Int32Array {
    return this.#space.engine.work.words;
  }

  /** So many packets of one sender are to be admitted now, the next one among them: their key stream can be made at once. */
  announce(packets: number): void {
    this.#space.coming = packets;
  }

  /** The line is encrypted from now on, under keys that a handshake will bring; those it has hold until then. */
  expectKeys(): void {
    this.#plainSince = undefined;
  }

  /** Takes what a re-offer says: new keys, the same ones, or none at all from now (`at`, in ms) on. */
  update(security: KnownKeys | undefined, at: number): void {
    if (security === undefined) {
      this.#plainSince ??= at;
      return;
    }
    this.#plainSince = undefined;
    if (this.#receiver === undefined) this.#receiver = new SrtpReceiver(this.#space, security.theirs);
    else this.#receiver.rekey(security.theirs);
    this.#suite = security.theirs.suite;
    if (this.#sender?.isFrom(security.own) === true) return;
    this.#sender?.destroy();
    const { unencryptedRtcp } = security;
    this.#sender = new SrtpSender(this.#space, security.own, { unencryptedRtcp });
  }

  /** Opens a datagram into `clear`. Never throws. */
  admit(arrival: Arrival): Admission {
    const { slab, start, end, at } = arrival;
    const { clear } = this;
    clear.at = at;
    clear.sourceKey = arrival.sourceKey;
    const receiver = this.#receiver;
    if (receiver === undefined) return this.#plainSince === undefined ? 'early' : this.#admitPlain(arrival);
    const rtcp = isRtcp((slab[start + 1] ?? 0) & 0x7f);
    const length = rtcp ? receiver.openRtcp(slab, start, end) : receiver.open(slab, start, end, at);
    if (length >= 0) {
      clear.slab = receiver.clear;
      clear.start = 0;
      clear.end = length;
      return 'opened';
    }
    if (this.#plainSince === undefined) return length === Verdict.REPLAYED ? 'repeated' : 'unauthentic';
    return this.#admitPlain(arrival);
  }

  /** False while reports of ours could only go out in clear although the line is encrypted. */
  get canSend(): boolean {
    return this.#plainSince !== undefined || this.#sender !== undefined;
  }

  /** A compound packet of ours as it goes out. Throws RangeError for what is none. */
  protectRtcp(compound: Buffer): Buffer {
    return this.#plainSince === undefined && this.#sender !== undefined
      ? this.#sender.protectRtcp(compound)
      : compound;
  }

  /** True when the line has been unencrypted for so long that no guard is needed. */
  isDone(at: number): boolean {
    return this.#plainSince !== undefined && at > this.#plainSince + FAREWELL_MS;
  }

  /** Overwrites all keys; nothing can be sent on a line that was encrypted. */
  destroy(): void {
    this.#receiver?.destroy();
    this.#sender?.destroy();
    this.#sender = undefined;
  }

  /** What our keys do not open is no packet of theirs. */
  #admitPlain(arrival: Arrival): Admission {
    this.clear.slab = arrival.slab;
    this.clear.start = arrival.start;
    this.clear.end = arrival.end;
    return 'opened';
  }
}
