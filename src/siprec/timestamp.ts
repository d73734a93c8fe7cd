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
