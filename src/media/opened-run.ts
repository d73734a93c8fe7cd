import type { Leg } from './leg.ts';
import type { LineGuard } from './line-guard.ts';
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
  /** A fault of ours. */
  readonly fail: (error: Error) => void;
}

/**
 * Packets of an encrypted line that came together: opened one after the other into memory of its own, then taken in together, as those in clear
 * are. One serves all lines of a thread; nothing of it is needed beyond a call.
 */
class OpenedRun {
  readonly #arrival: Arrival = { slab: Buffer.alloc(0), start: 0, end: 0, at: 0.5, sourceKey: 0 };
  readonly #run = newRun(SLOTS, SLOT_BYTES);
  readonly #taker: Taker & { leg: Leg | undefined; fail: GuardedLine['fail'] };

  constructor() {
    const taker = {
      leg: undefined as Leg | undefined,
      fail: ignore,
      isClosed: false,
      sink: (arrival: Arrival) => taker.leg?.take(arrival),
      runs: (run: ArrivalRun, from: number, to: number) => taker.leg?.takeRun(run, from, to) ?? 0,
      failed: (error: unknown) => {
        taker.fail(error as Error);
      },
    };
    this.#taker = taker;
  }

  /**
   * Takes datagrams of one sender as a `RunSink` does, up to the first that is no RTP or too long, and with the first that no key opens: that one is
   * turned away. To be asked only while the line is encrypted for certain (`LineGuard.isShut`).
   */
  take(line: GuardedLine, run: ArrivalRun, from: number, to: number): number {
    const { guard, leg } = line;
    const last = Math.min(to, from + SLOTS);
    this.#run.sourceKey = run.sourceKey;
    for (let slot = from; slot < last && isOpenable(run, slot); slot++) {
      const admission = guard.admit(this.#arrivalOf(run, slot));
      if (admission !== 'opened') {
        this.#passOn(line, slot - from);
        leg.turnAway(admission);
        return slot + 1 - from;
      }
      this.#keep(guard, slot - from, run.times[slot] ?? 0);
      if (slot + 1 === last || !isOpenable(run, slot + 1)) return this.#passOn(line, slot + 1 - from);
    }
    return 0;
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

  #passOn({ leg, fail }: GuardedLine, count: number): number {
    const taker = this.#taker;
    taker.leg = leg;
    taker.fail = fail;
    passOn(this.#run, taker, 0, count);
    taker.leg = undefined;
    taker.fail = ignore;
    return count;
  }
}

const ignore: GuardedLine['fail'] = () => undefined;

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
