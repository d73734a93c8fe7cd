import type { RecorderEvent } from './events.ts';

type Kind = RecorderEvent['type'];

/** What says more of something that is stated otherwise: it gives way before what says that there was a call. */
const DETAILS: ReadonlySet<Kind> = new Set(['described', 'noted', 'marked', 'segment', 'announced', 'acted']);
/** Few, and each of them says what holds for all calls. */
const ALWAYS: ReadonlySet<Kind> = new Set(['rules', 'membership', 'announcement', 'outage']);

export const isDetail = ({ type }: RecorderEvent): boolean => DETAILS.has(type);

export const isAlwaysKept = ({ type }: RecorderEvent): boolean => ALWAYS.has(type);

/** How many of which kind were lost, and since when. */
export class LostStatements {
  readonly #totals = new Map<Kind, number>();
  #counts = new Map<Kind, number>();
  #since: number | undefined;

  /** How many by kind since the start. */
  get totals(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#totals);
  }

  /** What no entry of the evidence log says yet; undefined when nothing is missing from it. */
  get unstated(): { readonly since: number; readonly counts: Readonly<Record<string, number>> } | undefined {
    return this.#since === undefined
      ? undefined
      : { since: this.#since, counts: Object.fromEntries(this.#counts) };
  }

  add({ type, at }: RecorderEvent): void {
    this.#totals.set(type, (this.#totals.get(type) ?? 0) + 1);
    this.#counts.set(type, (this.#counts.get(type) ?? 0) + 1);
    this.#since = Math.min(this.#since ?? at, at);
  }

  /** The log says it. */
  stated(): void {
    this.#counts = new Map();
    this.#since = undefined;
  }
}

/** `noted 12, described 3`: for people, and for the `cause` of the entry. */
export const countsText = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([kind, count]) => `${kind} ${count}`)
    .join(', ');
