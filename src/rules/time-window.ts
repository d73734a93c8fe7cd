import type { TimeWindow } from './rule-set.ts';

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
const DAY = 1440;

const formats = new Map<string, Intl.DateTimeFormat>();

/** Making one costs far more than using it. */
function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  formats.set(zone, format);
  return format;
}

/**
 * Whether a moment lies in a window, by the clock on the wall of its zone. A window that ends before it begins goes over midnight and
 * belongs to the day on which it begins.
 */
export function isWithin({ days, from, to, zone }: TimeWindow, at: number, defaultZone: string): boolean {
  const parts = new Map(
    formatOf(zone ?? defaultZone)
      .formatToParts(at)
      .map(({ type, value }) => [type, value]),
  );
  const today = DAYS.findIndex((day) => day === parts.get('weekday')?.toLowerCase());
  const minute = Number(parts.get('hour')) * 60 + Number(parts.get('minute'));
  const [first, end] = [minutesOf(from), minutesOf(to)];
  const on = (day: number): boolean => days === undefined || days.includes(DAYS[(day + 7) % 7] ?? 'sun');
  if (first < end) return on(today) && minute >= first && minute < end;
  return (on(today) && minute >= first) || (on(today - 1) && minute < end % DAY);
}

const minutesOf = (clock: string): number => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3));
