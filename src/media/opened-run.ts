import type { Leg } from './leg.ts';
import type { Admission, LineGuard } from './line-guard.ts';
import { newRun, passOn, type Taker } from './receiver/pass-on.ts';
import type { Arrival, ArrivalRun } from './receiver/receiver.ts';
import { looksLikeRtcp } from './rtcp/rtcp-packet.ts';

/** As many as come with one read. */
const SLOTS = 64;
/** Room for a packet. No power of two, as in the receiver's slab. */
const SLOT_BYTES = 2112;

/** An encrypted line, with the keys for it. */
export interface GuardedLine {
  readonly guard: LineGuard;
  readonly leg: Leg;
  /** Hears of a fault of ours. */
  readonly capture: { fail(error: Error): void };
}

/**
 * Packets of an encrypted line that came together: opened one after the other into memory of its own, then taken in together, as those in clear
 * are. One serves all lines of a thread; nothing of it is needed beyond a call.
 */
class OpenedRun implements Taker {
  readonly isClosed = false;
  readonly #arrival: Arrival = { slab: Buffer.alloc(0), start: 0, end: 0, at: 0.5, sourceKey: 0 };
  readonly #run = newRun(SLOTS, SLOT_BYTES);
  /** Whose packets are passed on at the moment. */
  #line: GuardedLine | undefined;

  /**
   * Takes datagrams of one sender as a `RunSink` does, up to the first that is no RTP or too long, and with the first that no key opens: that one is
   * turned away. To be asked only while the line is encrypted for certain (`LineGuard.isShut`).
   */
  take(line: GuardedLine, run: ArrivalRun, from: number, to: number): number {
    const { guard, leg } = line;
    const last = Math.min(to, from + SLOTS);
    this.#run.sourceKey = run.sourceKey;
    let admission: Admission = 'opened';
    let tried = 0;
    for (let slot = from; slot < last && admission === 'opened' && isOpenable(run, slot); slot++) {
      guard.announce(last - slot);
      admission = guard.admit(this.#arrivalOf(run, slot));
      if (admission === 'opened') this.#keep(guard, tried, run.times[slot] ?? 0);
      tried++;
    }
    guard.announce(1);
    this.#passOn(line, admission === 'opened' ? tried : tried - 1);
    if (admission !== 'opened') leg.turnAway(admission);
    return tried;
  }

  readonly sink = (arrival: Arrival): void => {
    this.#line?.leg.take(arrival);
  };

  readonly runs = (run: ArrivalRun, from: number, to: number): number =>
    this.#line?.leg.takeRun(run, from, to) ?? 0;

  failed(error: unknown): void {
    this.#line?.capture.fail(error as Error);
  }

  #arrivalOf(run: ArrivalRun, slot: number): Arrival {
    const arrival = this.#arrival;
    arrival.slab = run.slab;
    arrival.start = slot * run.stride;
    arrival.end = arrival.start + (run.lengths[slot] ?? 0);
    arrival.at = run.times[slot] ?? 0;
    arrival.sourceKey = run.sourceKey;
    return arrival;
  }

  /** Copies what was opened last, by words: it lies at the beginning of the work space, which is longer. */
  #keep({ clear, clearWords }: LineGuard, slot: number, at: number): void {
    const { words, lengths, times } = this.#run;
    lengths[slot] = clear.end;
    times[slot] = at;
    const end = (clear.end + 3) >> 2;
    for (let word = 0, to = slot * (SLOT_BYTES / 4); word < end; word++, to++)
      words[to] = clearWords[word] ?? 0;
  }

  #passOn(line: GuardedLine, count: number): void {
    this.#line = line;
    passOn(this.#run, this, 0, count);
    this.#line = undefined;
  }
}

/** RTP (RFC 7983 §7) that fits: the rest that shares the port, checks, handshakes and reports, goes its own way. */
function isOpenable(run: ArrivalRun, slot: number): boolean {
  const start = slot * run.stride;
  return (
    (run.lengths[slot] ?? 0) <= SLOT_BYTES &&
    (run.slab[start] ?? 0) >> 6 === 2 &&
    !looksLikeRtcp(run.slab, start)
  );
}

let ofThread: OpenedRun | undefined;

/** That of this thread, made when it is first needed. */
export const openedRun = (): OpenedRun => (ofThread ??= new OpenedRun());
