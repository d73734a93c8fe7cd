import { performance, type EventLoopUtilization } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { loadTrim } from '../media/receiver/libc.ts';

/** Looked at so often, in ms. */
const LOOK = 1000;

/** So much of the time the main thread may be at work and is quiet still; busy is what is above the other. */
const QUIET = 0.15;
const BUSY = 0.3;

/** It has to be quiet for so many looks; V8 has collected some looks later. What becomes free while it goes on being quiet is worth asking for again. */
const LOOKS = 5;
/**
 * By then V8 has collected, where it saw a reason; after a small burst it sees none, ever, and has to be asked. What it had for new objects it may keep, whether it was
 * asked or not: how many are made it reckons over five seconds, and over everything since the collection before where that is less. Asked again after more than five
 * quiet seconds it finds next to nothing.
 */
const LOOKS_TO_ASK = 17;
const LOOKS_TO_ASK_AGAIN = 23;
/** So many bytes for new objects are worth asking for. Where it is quiet V8 does with one or two MB. */
const WORTH_ASKING = 16 * 1024 * 1024;
/** V8 has done it all by then; minding memory for longer costs the media threads a fifth of their time. */
const LOOKS_TO_END = 20;
const LOOKS_TO_TRIM = 25;
const LOOKS_BETWEEN = 600;

export interface QuietHeapParts {
  /** Of the time since the last look, how much the thread was at work: 0 to 1. */
  readonly load: () => number;
  /** Takes an option of V8. */
  readonly set: (flag: string) => void;
  /** Bytes that V8 has for new objects, in use or not. */
  readonly young: () => number;
  /** Collects once, in one piece. */
  readonly collect: () => void;
  /** Gives the kernel back what malloc keeps free. */
  readonly trim: () => void;
}

/**
 * Gives memory back when the calls of a busy moment have been set up. V8 has a way to collect and compact in small steps when a program
 * has little to do, but takes what was made in the last ten collections for what is made now, and these lie minutes back: in its eyes the thread
 * never gets quiet. So it is told to mind memory more than time while the thread is (docs/decisions/026). What malloc keeps of any thread's goes back, too.
 */
export class QuietHeap {
  readonly #parts: QuietHeapParts;
  readonly #timer: NodeJS.Timeout;
  #quietLooks = 0;
  #thrifty = false;
  /** It was busy since memory was given back last. */
  #wasBusy = true;
  /** How often V8 was asked to collect since the thread was busy last. */
  #asked = 0;

  constructor(parts: QuietHeapParts = ofThisThread()) {
    this.#parts = parts;
    this.#timer = setInterval(() => {
      this.#look();
    }, LOOK).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#be(false);
  }

  #look(): void {
    const load = this.#parts.load();
    this.#quietLooks = load < QUIET ? this.#quietLooks + 1 : 0;
    if (load > BUSY) {
      this.#wasBusy = true;
      this.#asked = 0;
      this.#be(false);
    } else if (this.#quietLooks === LOOKS && this.#wasBusy) this.#be(true);
    else if (this.#quietLooks === LOOKS_TO_ASK && this.#thrifty && this.#asked === 0) this.#ask();
    else if (this.#quietLooks === LOOKS_TO_ASK_AGAIN && this.#asked === 1) this.#ask();
    else if (this.#quietLooks === LOOKS_TO_END) {
      this.#wasBusy = false;
      this.#be(false);
    }
    if (this.#quietLooks % LOOKS_BETWEEN === LOOKS_TO_TRIM) this.#parts.trim();
  }

  #ask(): void {
    if (this.#parts.young() < WORTH_ASKING) return;
    this.#asked += 1;
    this.#parts.collect();
  }

  #be(thrifty: boolean): void {
    if (this.#thrifty === thrifty) return;
    this.#thrifty = thrifty;
    this.#parts.set(thrifty ? '--optimize-for-size' : '--no-optimize-for-size');
  }
}

function ofThisThread(): QuietHeapParts {
  let last: EventLoopUtilization = performance.eventLoopUtilization();
  return {
    load: () => {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      return utilization;
    },
    set: setFlagsFromString,
    young: () =>
      getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.physical_space_size ?? 0,
    collect,
    trim: loadTrim() ?? (() => undefined),
  };
}

/** Node has V8's collection on request under this name, for those who ask for it. */
let collection: (() => void) | undefined;

function collect(): void {
  collection ??= loadCollection();
  collection();
}

/** Where V8 does not take options any more, nothing is collected on request. */
function loadCollection(): () => void {
  try {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    setFlagsFromString('--no-expose-gc');
    return gc;
  } catch {
    return () => undefined;
  }
}
