import { GAP_LIMIT, type Gap } from './capture.ts';

/** A stretch `[from, to)` of positions. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** A span nobody has filled yet, between the packets with the extended sequence numbers `after` and `before`. */
interface OpenGap {
  from: number;
  to: number;
  after: number;
  before: number;
  /** Packets between the two that arrived without being audio. */
  known: number;
  /** Packets in it arrived and could not be kept, because the disk had not taken what came before. */
  unwritten: boolean;
  kind: 'lead' | 'open' | 'paused';
}

/**
 * Which part of a leg's timeline is covered by audio. The leg's end only moves forward; what it jumps over is a gap, which
 * stragglers shrink and split until it is settled. Sequence numbers are extended ones; NaN stands for "of another source".
 */
export class Coverage {
  #end = 0;
  #last = NaN;
  #knownSinceEnd = 0;
  #unwrittenSinceEnd = false;
  readonly #open: OpenGap[] = [];
  readonly #settled: Gap[] = [];
  #settledCount = 0;
  #first = Infinity;
  #settledTo = 0;

  /** First position after everything recorded or paused. */
  get end(): number {
    return this.#end;
  }

  /** Position of the first recorded sample. */
  get firstSample(): number | undefined {
    return Number.isFinite(this.#first) ? this.#first : undefined;
  }

  /**
   * Nothing before this position can change, whatever arrives: what is recorded stays, and only gaps are filled. 0 while all of it may still
   * be moved, which is until its first sample is settled.
   */
  get whole(): number {
    if (this.#first >= this.#settledTo) return 0;
    return this.#open.find(({ kind }) => kind !== 'paused')?.from ?? this.#end;
  }

  get gaps(): readonly Gap[] {
    return this.#settled;
  }

  get gapCount(): number {
    return this.#settledCount;
  }

  /** Audio `[from, to)` at or after the end. `comparable`: its number counts on from that of the packet before. */
  extend(from: number, to: number, sequence: number, comparable: boolean): void {
    if (from > this.#end || this.#first === Infinity)
      this.#openGap(from, comparable ? this.#last : NaN, sequence);
    if (from < this.#first) this.#first = from;
    this.#end = to;
    this.#last = sequence;
    this.#forget();
  }

  /** Audio `[from, to)` before the end: returns the parts of it that were still open, which are covered now. */
  fill(from: number, to: number, sequence: number): readonly Span[] {
    const filled: Span[] = [];
    // From the back, because splitting inserts behind the gap in hand.
    for (let index = this.#open.length - 1; index >= 0; index--) {
      const gap = this.#open[index];
      if (gap === undefined || gap.to <= from) break;
      if (gap.from >= to || gap.kind === 'paused') continue;
      const part = { from: Math.max(from, gap.from), to: Math.min(to, gap.to) };
      this.#split(index, gap, part, sequence);
      filled.push(part);
      if (part.from < this.#first) this.#first = part.from;
    }
    return filled;
  }

  /** Whether nobody has filled any part of `[from, to)`, all of it before the end. */
  isOpen(from: number, to: number): boolean {
    if (to > this.#end) return false;
    let at = from;
    for (const gap of this.#open) {
      if (gap.to <= at || gap.kind === 'paused') continue;
      if (gap.from > at) return false;
      at = gap.to;
      if (at >= to) return true;
    }
    return false;
  }

  /** A packet that is no audio arrived in its turn: its number is not missing. */
  skip(): void {
    this.#knownSinceEnd++;
  }

  /** A packet arrived for which there was no room, because the disk does not take what came before it. */
  spill(): void {
    this.#unwrittenSinceEnd = true;
  }

  /** A packet that is no audio arrived late: its number is no longer missing. */
  skipOld(sequence: number): void {
    const gap = this.#open.find((each) => sequence > each.after && sequence < each.before);
    if (gap !== undefined) gap.known++;
    else if (sequence > this.#last) this.#knownSinceEnd++;
  }

  /** Whether all of it can still be moved: nothing of it is settled, and nobody paused it. */
  get movable(): boolean {
    return (
      this.#first !== Infinity &&
      this.#settledCount === 0 &&
      !this.#open.some(({ kind }) => kind === 'paused')
    );
  }

  /** Moves everything by so many positions; it is `movable`, and stays behind 0. */
  move(by: number): void {
    for (const gap of this.#open) {
      if (gap.kind !== 'lead') gap.from += by;
      gap.to += by;
    }
    this.#first += by;
    this.#end += by;
  }

  /** Nothing may be recorded in `[from, to)`, because the client said so. */
  pause(from: number, to: number): void {
    const start = Math.max(from, this.#end);
    if (to <= start) return;
    if (start > this.#end && this.#first !== Infinity) this.#openGap(start, NaN, NaN);
    this.#push({ from: start, to, after: NaN, before: NaN, known: 0, unwritten: false, kind: 'paused' });
    this.#end = to;
    this.#last = NaN;
    this.#forget();
  }

  /** Gaps that end at or before `position` can no longer be filled. */
  settle(position: number): void {
    this.#settledTo = position;
    while (this.#open[0] !== undefined && this.#open[0].to <= position) {
      const gap = this.#open.shift();
      if (gap !== undefined && gap.kind !== 'lead') this.#list(gap);
    }
  }

  /** Settles everything; silence after the last packet is a gap when it is longer than `tolerated`. */
  finish(total: number, tolerated: number): void {
    const late = total - this.#end > tolerated || this.#unwrittenSinceEnd;
    if (this.#first !== Infinity && late) this.#openGap(total, NaN, NaN);
    this.settle(Infinity);
  }

  #openGap(to: number, after: number, before: number): void {
    if (to <= this.#end) return;
    const kind = this.#first === Infinity ? 'lead' : 'open';
    this.#push({
      from: this.#end,
      to,
      after,
      before,
      known: this.#knownSinceEnd,
      unwritten: this.#unwrittenSinceEnd,
      kind,
    });
  }

  #forget(): void {
    this.#knownSinceEnd = 0;
    this.#unwrittenSinceEnd = false;
  }

  #push(gap: OpenGap): void {
    this.#open.push(gap);
  }

  #split(index: number, gap: OpenGap, part: Span, sequence: number): void {
    const lead = gap.kind === 'lead';
    const inside = sequence < gap.before && (lead || sequence > gap.after);
    const { after, before, known, unwritten, kind } = gap;
    const pieces: OpenGap[] = [];
    // Packets known not to be audio stay with the left piece: where exactly they were does not change the sum.
    if (gap.from < part.from)
      pieces.push({
        from: gap.from,
        to: part.from,
        after,
        before: inside ? sequence : before,
        known,
        unwritten,
        kind,
      });
    if (part.to < gap.to) {
      // What lies behind the new first packet is a hole like any other.
      const right = { from: part.to, to: gap.to, before, unwritten, kind: lead ? ('open' as const) : kind };
      const counted = pieces.length > 0;
      if (inside) pieces.push({ ...right, after: sequence, known: counted ? 0 : known });
      else pieces.push({ ...right, after: counted ? NaN : after, known: counted ? 0 : known });
    }
    this.#open.splice(index, 1, ...pieces);
  }

  #list(gap: OpenGap): void {
    this.#settledCount++;
    if (this.#settled.length >= GAP_LIMIT) return;
    const missing = gap.before - gap.after - 1 - gap.known;
    const packets = missing > 0 ? missing : 0;
    const heard = gap.unwritten ? 'disk' : packets > 0 ? 'lost' : 'silent';
    this.#settled.push({
      from: gap.from,
      to: gap.to,
      cause: gap.kind === 'paused' ? 'paused' : heard,
      packets,
    });
  }
}
