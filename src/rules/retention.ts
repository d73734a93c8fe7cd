/** How long recordings of one profile are kept. One of the three lengths; nothing is kept shorter than a day. */
export interface RetentionPeriod {
  readonly years?: number | undefined;
  readonly months?: number | undefined;
  readonly days?: number | undefined;
  /** The period begins with the end of the calendar year in which the recording was made (FinVermV § 23). */
  readonly fromEndOfYear?: boolean | undefined;
}

/** Profiles by name. */
export type RetentionProfiles = ReadonlyMap<string, RetentionPeriod>;

/**
 * The profiles that come with the product (law.md): WpHG § 83(8) and WpDVerOV § 9(4), five years from creation and seven where the authority
 * extended it; MiFID II Art. 16(7); FinVermV § 23, ten years from the end of the calendar year; EN 50518, three months where the standard's
 * own figure is not set in the configuration.
 */
const BUILT_IN: RetentionProfiles = new Map([
  ['wphg-5y', { years: 5 }],
  ['wphg-7y', { years: 7 }],
  ['mifid-5y', { years: 5 }],
  ['mifid-7y', { years: 7 }],
  ['finvermv-10y', { years: 10, fromEndOfYear: true }],
  ['en50518', { months: 3 }],
]);

/** The product's profiles and the installation's own; an own one of the same name takes its place. */
export const retentionProfiles = (own: Readonly<Record<string, RetentionPeriod>>): RetentionProfiles =>
  new Map([...BUILT_IN, ...Object.entries(own)]);

/** The name that stands for "kept until somebody decides": no last day, no automatic deletion. */
export const KEEP = 'none';

/** A day without a time: `2031-11-23`. */
export type Day = string;

/**
 * The last day on which a recording has to be kept; it may be deleted from the day after. Counted from the day of its creation in
 * `timeZone`, as BGB §§ 187, 188 count: a month that lacks the day ends with its last one. Undefined when the period has no length, which keeps
 * for ever.
 */
export function retainUntil(period: RetentionPeriod, createdAt: number, timeZone: string): Day | undefined {
  const { year, month, day } = calendarDay(createdAt, timeZone);
  const from = period.fromEndOfYear === true ? { year, month: 12, day: 31 } : { year, month, day };
  if (period.years !== undefined) return shift(from, period.years * 12);
  if (period.months !== undefined) return shift(from, period.months);
  if (period.days === undefined) return undefined;
  return format(new Date(Date.UTC(from.year, from.month - 1, from.day + period.days)));
}

/** What a recording is kept under; without `until` for ever. */
export interface Kept {
  readonly profile: string;
  readonly until?: Day;
}

/** What holds for a recording made at `createdAt` under a profile. An unknown profile keeps for ever: nothing is deleted by a mistake. */
export function keptUnder(
  profile: string,
  createdAt: number,
  { profiles, timeZone }: { readonly profiles: RetentionProfiles; readonly timeZone: string },
): Kept {
  const period = profiles.get(profile);
  const until = period === undefined ? undefined : retainUntil(period, createdAt, timeZone);
  return { profile, ...(until !== undefined && { until }) };
}

/** Whether the last day to keep has passed at `now` in `timeZone`. */
export const isPast = (until: Day, now: number, timeZone: string): boolean => today(now, timeZone) > until;

/** The day of `now` in `timeZone`. */
export function today(now: number, timeZone: string): Day {
  const { year, month, day } = calendarDay(now, timeZone);
  return format(new Date(Date.UTC(year, month - 1, day)));
}

/** The later of two last days; undefined, which is for ever, is later than any. */
export const laterOf = (one: Day | undefined, other: Day | undefined): Day | undefined =>
  one === undefined || other === undefined ? undefined : one > other ? one : other;

/** The first moment at which the day has passed everywhere on earth: what a lock of an archive is set to. */
export const endOfDay = (until: Day): Date => new Date(Date.parse(`${until}T00:00:00Z`) + 36 * 3_600_000);

/** Whether the text is a day that exists. */
export function isDay(text: string): boolean {
  const midnight = new Date(`${text}T00:00:00Z`);
  return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(midnight.getTime()) && format(midnight) === text;
}

interface CalendarDay {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
}

function calendarDay(at: number, timeZone: string): CalendarDay {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
  }).formatToParts(at);
  const number = (type: string): number => Number(parts.find((part) => part.type === type)?.value);
  return { year: number('year'), month: number('month'), day: number('day') };
}

function shift({ year, month, day }: CalendarDay, months: number): Day {
  const lastOfMonth = new Date(Date.UTC(year, month - 1 + months + 1, 0)).getUTCDate();
  return format(new Date(Date.UTC(year, month - 1 + months, Math.min(day, lastOfMonth))));
}

const format = (date: Date): Day => date.toISOString().slice(0, 10);
