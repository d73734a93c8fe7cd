import type { ClockReading } from './chain.ts';
import type { EntryBody } from '../evidence/entry.ts';

/** Milliseconds that the clock may move against the time since boot between two looks (evidence.md 1.4, `clock`). */
const TOLERANCE = 250;

type ClockBody = Extract<EntryBody, { type: 'clock' }>;

/** Finds steps of the clock and changes of its discipline by comparing one reading with the one before. */
export class ClockWatch {
  readonly #clock: () => ClockReading;
  #before: ClockReading;

  constructor(clock: () => ClockReading) {
    this.#clock = clock;
    this.#before = clock();
  }

  /** What is to be stated since the look before; usually nothing. */
  look(): readonly ClockBody[] {
    const before = this.#before;
    const now = this.#clock();
    this.#before = now;
    const bodies: ClockBody[] = [];
    const step = Math.round(Date.parse(now.time) - Date.parse(before.time) - (uptime(now) - uptime(before)));
    if (Math.abs(step) > TOLERANCE)
      bodies.push({ type: 'clock', event: 'step', stepMs: signed(step), source: sourceOf(now) });
    const [was, is] = [isSynced(before), isSynced(now)];
    if (was !== is)
      bodies.push({
        type: 'clock',
        event: is ? 'sync-regained' : 'sync-lost',
        stepMs: '+0',
        source: sourceOf(now),
      });
    return bodies;
  }
}

const uptime = ({ mono }: ClockReading): number => Number(mono.split(':')[1]);
const isSynced = ({ clock }: ClockReading): boolean => clock.startsWith('synced');
const sourceOf = (reading: ClockReading): string => (isSynced(reading) ? 'kernel' : '-');
const signed = (step: number): string => (step < 0 ? `${step}` : `+${step}`);
