import type { CheckedLog } from './verify-log.ts';
import type { CheckedRecording } from './verify-recording.ts';

/** Between which moments a recording's entry came into being, as far as time stamps show it. ISO 8601. */
export interface Moment {
  readonly before: { readonly time: string; readonly authority: string } | undefined;
  readonly after: string | undefined;
}

/**
 * The earliest time stamp that covers the recording's entry, and the newest one that the log had taken up before it
 * (evidence.md 1.1 no. 10). Only authorities that the verifying person trusts count.
 */
export function momentOf({ index, provedBy }: CheckedRecording, log: CheckedLog | undefined): Moment {
  if (log === undefined || index === undefined) return { before: undefined, after: undefined };
  // Without the log's entries a stamp speaks only of the state that the proof leads to.
  const covering = log.stamps.filter(
    ({ size, trusted }) => trusted && (log.hasEntries ? size > index : size === provedBy),
  );
  const [earliest] = covering.toSorted((a, b) => (a.before < b.before ? -1 : 1));
  const older = log.youngerThan.filter((anchor) => anchor.trusted && anchor.index < index);
  const [newest] = older.map(({ after }) => after).toSorted((a, b) => (a > b ? -1 : 1));
  return {
    before: earliest && { time: earliest.before, authority: earliest.authority },
    after: newest,
  };
}
