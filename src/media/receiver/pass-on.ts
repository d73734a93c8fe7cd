import type { Arrival, ArrivalRun, PacketSink, RunSink } from './receiver.ts';

/** Datagrams of one sender, and the arrival by which each of them that goes by itself is handed over. */
export interface HandedRun extends ArrivalRun {
  readonly arrival: Arrival;
}

/** Room for so many datagrams of so many octets, a multiple of 4. */
export function newRun(slots: number, stride: number): HandedRun {
  const slab = Buffer.allocUnsafeSlow(slots * stride);
  return {
    slab,
    words: new Int32Array(slab.buffer),
    stride,
    lengths: new Int32Array(slots),
    times: new Float64Array(slots),
    sourceKey: 0,
    arrival: { slab, start: 0, end: 0, at: 0.5, sourceKey: 0 },
  };
}

/** Whom datagrams are passed on to. */
export interface Taker {
  readonly sink: PacketSink;
  /** Asked first. Absent where each datagram is taken by itself. */
  readonly runs: RunSink | undefined;
  /** Nothing may reach the sink any more. May become so while datagrams are passed on. */
  readonly isClosed: boolean;
  /** A sink threw although it must not. What it threw at counts as taken. */
  failed(error: unknown): void;
}

/** Passes on the datagrams `from` to `to` (excluded), several at once where they are what is expected, until the taker is closed. Throws only what `failed` throws. */
export function passOn(run: HandedRun, taker: Taker, from: number, to: number): void {
  for (let slot = from; slot < to && !taker.isClosed;) slot += passSome(run, taker, slot, to);
}

function passSome(run: HandedRun, taker: Taker, slot: number, to: number): number {
  try {
    const taken = taker.runs === undefined ? 0 : taker.runs(run, slot, to);
    if (taken > 0) return taken;
    const { arrival } = run;
    arrival.start = slot * run.stride;
    arrival.end = arrival.start + (run.lengths[slot] ?? 0);
    arrival.at = run.times[slot] ?? 0;
    arrival.sourceKey = run.sourceKey;
    taker.sink(arrival);
  } catch (error) {
    taker.failed(error);
  }
  return 1;
}
