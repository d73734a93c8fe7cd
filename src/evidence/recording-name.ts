import { EvidenceError } from './evidence-error.ts';
import { parseNameTemplate, type NameFacts, type NameTemplate } from './name-template.ts';

export interface NamedCall extends NameFacts {
  /** Epoch milliseconds. */
  readonly startedAt: number;
  /** `UTC` or an IANA name such as `Europe/Berlin`. */
  readonly timeZone: string;
  /** The recording's UUID; a version 7 one is random at its end and nearly constant at its beginning. */
  readonly id: string;
}

/** What the middle of a name says unless it is configured. */
export const USUAL_NAME = '{direction}_{caller}_{callee}';
const usual = parseNameTemplate(USUAL_NAME);

/**
 * `<rec>`, the common part of a recording's file names: `20261123T184530.123Z_in_+49301234567_+4989555010_0193f0c2`.
 *
 * With `UTC` sorting by name is sorting by time. Any other zone is written with its offset (`20261123T194530.123+0100`), which keeps
 * names unambiguous, but the hour that autumn repeats sorts into itself.
 * Throws EvidenceError BAD_NAME for an unknown zone, a time out of range or an id without eight hexadecimal digits at its end.
 */
export function recordingName(call: NamedCall, middle: NameTemplate = usual): string {
  const digits = /[0-9a-f]{8}$/.exec(call.id)?.[0];
  if (digits === undefined) throw new EvidenceError('BAD_NAME', `id ${call.id}`);
  return [stamp(call), ...middle(call), digits].join('_');
}

function stamp({ startedAt, timeZone }: NamedCall): string {
  if (Number.isNaN(new Date(startedAt).getTime())) throw new EvidenceError('BAD_NAME', `time ${startedAt}`);
  if (timeZone === 'UTC') return `${compact(startedAt)}Z`;
  const minutes = offsetMinutes(startedAt, timeZone);
  const size = Math.abs(minutes);
  const pair = (value: number): string => String(Math.trunc(value)).padStart(2, '0');
  return `${compact(startedAt + minutes * 60_000)}${minutes < 0 ? '-' : '+'}${pair(size / 60)}${pair(size % 60)}`;
}

const compact = (time: number): string => new Date(time).toISOString().slice(0, -1).replace(/[-:]/g, '');

/** How far a zone is ahead of UTC at a moment. */
function offsetMinutes(time: number, timeZone: string): number {
  try {
    const parts = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' }).formatToParts(
      time,
    );
    const name = parts.find(({ type }) => type === 'timeZoneName')?.value ?? '';
    const [, sign, hours = '0', minutes = '0'] = /^GMT(?:([+-])(\d\d):(\d\d))?/.exec(name) ?? [];
    return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
  } catch (error) {
    throw new EvidenceError('BAD_NAME', `time zone ${timeZone}`, { cause: error });
  }
}
