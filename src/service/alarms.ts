import type { Alarm, AlarmBell } from '../alarm.ts';
import type { Log } from '../log.ts';

export interface ActiveAlarm extends Alarm {
  /** Epoch milliseconds. */
  readonly since: number;
}

export interface AlarmChange {
  readonly alarm: ActiveAlarm;
  /** False when it ended. */
  readonly active: boolean;
}

/**
 * Conditions that have come and gone are not remembered; of one code this many that hold are, so that a flood of them neither fills the memory
 * nor keeps another one from being told.
 */
const ACTIVE_LIMIT = 1000;

/** What holds at this moment. Begins and ends are logged once, and told to the listeners (mail, for example). */
export class Alarms implements AlarmBell {
  readonly #log: Log;
  readonly #now: () => number;
  readonly #active = new Map<string, ActiveAlarm>();
  readonly #listeners: ((change: AlarmChange) => void)[] = [];

  constructor(log: Log, now: () => number = Date.now) {
    this.#log = log;
    this.#now = now;
  }

  /** Longest first. */
  get active(): readonly ActiveAlarm[] {
    return [...this.#active.values()];
  }

  raise(alarm: Alarm): void {
    const key = keyOf(alarm.code, alarm.subject);
    const before = this.#active.get(key);
    if (before === undefined && this.#holding(alarm.code) >= ACTIVE_LIMIT) return;
    const active = { ...alarm, since: before?.since ?? this.#now() };
    this.#active.set(key, active);
    if (before?.severity === alarm.severity) return;
    this.#log(alarm.severity === 'critical' ? 'error' : 'warn', `alarm: ${alarm.text}`, fieldsOf(alarm));
    this.#tell({ alarm: active, active: true });
  }

  clear(code: string, subject?: string): void {
    const key = keyOf(code, subject);
    const alarm = this.#active.get(key);
    if (alarm === undefined) return;
    this.#active.delete(key);
    this.#log('info', `alarm over: ${alarm.text}`, fieldsOf(alarm));
    this.#tell({ alarm, active: false });
  }

  /** Listeners must not throw. */
  onChange(listener: (change: AlarmChange) => void): void {
    this.#listeners.push(listener);
  }

  #holding(code: string): number {
    if (this.#active.size < ACTIVE_LIMIT) return 0;
    return this.active.filter((each) => each.code === code).length;
  }

  #tell(change: AlarmChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}

const keyOf = (code: string, subject = ''): string => `${code} ${subject}`;

const fieldsOf = ({ code, subject, fields }: Alarm): Record<string, unknown> => ({
  alarm: code,
  ...(subject !== undefined && { subject }),
  ...fields,
});
