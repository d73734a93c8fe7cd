import { momentOf } from '../src/evidence/verify-moment.ts';
import type { Verification } from './verify.ts';
import { levelsOf, notShown, resultOf } from './verdict.ts';

/** The result for people. */
export function textReport(verification: Verification): string {
  const { archive, logs, findings, unreadable } = verification;
  const faults = findings.filter(({ severity }) => severity === 'fault');
  const notes = findings.filter(({ severity }) => severity === 'note');
  const lines = [
    `Archive      ${archive.root} (${SCOPES[archive.extent]})`,
    ...logs.map(
      ({ origin, size, firstTime, lastTime, recordings }) =>
        `Log          ${origin}: ${size} entries, ${recordings.size} recordings, ${firstTime ?? '-'} to ${lastTime ?? '-'}`,
    ),
    ...certificateLines(verification).flatMap(([first = '', ...more]) => [
      `Certificate  ${first}`,
      ...more.map((line) => `             ${line}`),
    ]),
    '',
    ...faults.map(({ level, code, file, detail }) => `FAULT  L${level} ${code}  ${file}: ${detail}`),
    ...unreadable.map(({ file, detail }) => `UNREADABLE  ${file}: ${detail}`),
    ...notes.map(({ code, file, detail }) => `note   ${code}  ${file}: ${detail}`),
    ...(findings.length + unreadable.length === 0 ? [] : ['']),
    ...levelsOf(verification).map(
      ({ level, claim, shown, detail }) =>
        `${level} ${shown ? 'shown    ' : 'NOT SHOWN'}  ${claim}: ${detail}`,
    ),
    '',
    'Not shown by this check:',
    ...notShown(verification).map((text) => `  - ${text}`),
    '',
    `Result: ${resultOf(verification).toUpperCase()}`,
    '',
  ];
  return lines.map(printable).join('\n');
}

/** The same result for programs. */
export function jsonReport(verification: Verification): string {
  const { archive, trust, logs, since, recordings, findings, unreadable } = verification;
  const byOrigin = new Map(logs.map((log) => [log.origin, log]));
  const report = {
    result: resultOf(verification),
    archive: archive.root,
    scope: archive.extent,
    logs: logs.map(
      ({ origin, size, covered, coveredTime, firstTime, lastTime, recordings: sealed, stamps }) => ({
        origin,
        entries: size,
        covered,
        coveredTime,
        firstTime,
        lastTime,
        recordings: sealed.size,
        stamps,
      }),
    ),
    certificates: trust.keyring.certificates,
    since: since.map(({ file, checkpoint, proved }) => ({ file, checkpoint, proved })),
    recordings: recordings.length,
    examined: recordings.map((recording) => ({
      recording: `${recording.folder}${recording.name}`,
      id: recording.rec,
      origin: recording.origin,
      index: recording.index,
      ...momentOf(recording, byOrigin.get(recording.origin ?? '')),
      stored: (byOrigin.get(recording.origin ?? '')?.copies.get(recording.rec ?? '') ?? []).map(
        ({ index, time, body }) => ({
          index,
          time,
          target: body.target,
          retainUntil: body.retainUntil,
          mode: body.mode,
        }),
      ),
      faults: recording.findings.filter(({ severity }) => severity === 'fault').map(({ code }) => code),
    })),
    levels: levelsOf(verification),
    findings,
    unreadable,
    notShown: notShown(verification),
  };
  return `${JSON.stringify(report, undefined, 2)}\n`;
}

/** What was examined, for people. */
export const SCOPES = {
  archive: 'all of it',
  folder: 'one folder',
  recording: 'one recording',
  log: 'the log alone',
  bundle: 'recordings without their log',
};

/** Every certificate in a few lines: subject, fingerprint, where it is from. */
export const certificateLines = ({ trust }: Verification): readonly (readonly string[])[] =>
  trust.keyring.certificates.map(({ fingerprint, subject, ...from }) => [
    subject.replaceAll('\n', ', '),
    `SHA-256 ${colons(fingerprint)}`,
    originOf(from),
  ]);

function originOf({
  trusted,
  authority,
}: {
  readonly trusted: boolean;
  readonly authority?: string;
}): string {
  if (trusted) return 'given with --cert';
  if (authority !== undefined)
    return `issued under ${authority}, given with --cert: is it the name of the recorder?`;
  return 'TAKEN FROM THE ARCHIVE ITSELF: compare this fingerprint with the paper';
}

const colons = (hex: string): string => hex.toUpperCase().replace(/(..)(?=.)/g, '$1:');

/** Names and fields come from the archive; they must not steer the terminal. */
const printable = (line: string): string => line.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, '?');
