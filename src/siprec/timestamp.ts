/** A time of the metadata. `text` is what was sent; `epoch` (ms) is there only when an offset was sent with it. */
export interface MetadataTime {
  readonly text: string;
  readonly epoch?: number;
}

const RFC3339 =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9})\d*)?\s*(Z|z|[+-]\d\d:?\d\d)?$/;

/** Reads a time as siprec-interop.md 2.4 says; without offset it is the client's local time, so no epoch. Never throws. */
export function parseTime(text: string): MetadataTime {
  const match = RFC3339.exec(text);
  const zone = match?.[8];
  if (!match || zone === undefined) return { text };
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  const local = Date.UTC(year, month - 1, day, hour, minute, second);
  if (!isPossible(local, { month, day, hour, minute, second })) return { text };
  const fraction = Math.floor(Number(`0.${match[7] ?? '0'}`) * 1000);
  return { text, epoch: local + fraction - offsetOf(zone) };
}

/** A time without offset taken as the local time of `timeZone` (IANA name): the offset is added to its text. Never throws. */
export function inZone(time: MetadataTime, timeZone: string): MetadataTime {
  if (time.epoch !== undefined) return time;
  const asUtc = parseTime(`${time.text}Z`).epoch;
  if (asUtc === undefined) return time;
  try {
    // The offset at the moment itself; near a change of clocks the first guess may be on the wrong side.
    const guess = asUtc - zoneOffset(asUtc, timeZone);
    const offset = zoneOffset(guess, timeZone);
    return { text: `${time.text}${offsetText(offset)}`, epoch: asUtc - offset };
  } catch {
    return time;
  }
}

/** Milliseconds east of UTC in a zone at a moment. Throws RangeError for a zone nobody knows. */
function zoneOffset(epoch: number, timeZone: string): number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    ...{
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    },
  });
  const part = new Map(format.formatToParts(epoch).map(({ type, value }) => [type, Number(value)]));
  const at = (type: Intl.DateTimeFormatPartTypes): number => part.get(type) ?? 0;
  const local = Date.UTC(at('year'), at('month') - 1, at('day'), at('hour'), at('minute'), at('second'));
  return local - Math.floor(epoch / 1000) * 1000;
}

function offsetText(offset: number): string {
  const minutes = Math.abs(Math.round(offset / 60_000));
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/** Clocks that were never set give 1970 (siprec-interop.md 4.10): such a time is kept and never used for ordering. */
const PLAUSIBLE_FROM = Date.UTC(2000, 0, 1);

/** The moment for ordering; undefined without offset and for times that cannot be meant. */
export const orderable = ({ epoch }: MetadataTime): number | undefined =>
  epoch !== undefined && epoch >= PLAUSIBLE_FROM ? epoch : undefined;

function isPossible(
  epoch: number,
  sent: {
    readonly month: number;
    readonly day: number;
    readonly hour: number;
    readonly minute: number;
    readonly second: number;
  },
): boolean {
  const date = new Date(epoch);
  return (
    date.getUTCMonth() + 1 === sent.month &&
    date.getUTCDate() === sent.day &&
    sent.hour < 24 &&
    sent.minute < 60 &&
    sent.second < 60
  );
}

/** Milliseconds east of UTC of `Z`, `+hh:mm` or `+hhmm` (OpenSIPS). */
function offsetOf(zone: string): number {
  if (zone.toUpperCase() === 'Z') return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2));
  return (zone.startsWith('-') ? -minutes : minutes) * 60_000;
}
