import type { Level } from '../src/evidence/finding.ts';
import type { CheckedLog } from '../src/evidence/verify-log.ts';
import { momentOf } from '../src/evidence/verify-moment.ts';
import type { Verification } from './verify.ts';

export type Result = 'intact' | 'altered or incomplete' | 'unreadable';

export interface LevelVerdict {
  readonly level: string;
  readonly claim: string;
  readonly shown: boolean;
  readonly detail: string;
}

/** What was found outweighs what could not be read. */
export function resultOf({ findings, unreadable }: Verification): Result {
  if (findings.some(({ severity }) => severity === 'fault')) return 'altered or incomplete';
  return unreadable.length > 0 ? 'unreadable' : 'intact';
}

export const exitCodeOf = (result: Result): number =>
  ({ intact: 0, 'altered or incomplete': 1, unreadable: 2 })[result];

/** The levels of evidence.md 1.8, each with what speaks for it. */
export function levelsOf(verification: Verification): readonly LevelVerdict[] {
  return [
    verdict(1, 'files intact', verification),
    verdict(2, signedBy(verification), verification),
    verdict(3, 'contained in the log', verification),
    existence(verification),
    completeness(verification),
    {
      level: 'L6',
      claim: 'every call was recorded',
      shown: false,
      detail: 'compare with the call lists of the telephone system',
    },
  ];
}

function signedBy(verification: Verification): string {
  if (!isTrusted(verification)) return "signed by the archive's own certificate";
  return isCertified(verification)
    ? 'signed as the given authority certifies'
    : 'signed by the given certificate';
}

const isCertified = ({ trust }: Verification): boolean =>
  trust.keyring.certificates.some(({ authority }) => authority !== undefined);

const isTrusted = ({ trust }: Verification): boolean =>
  trust.keyring.certificates.some((certificate) => certificate.trusted);

function verdict(level: Level, claim: string, verification: Verification): LevelVerdict {
  const found = faults(level, verification);
  const recordings = verification.recordings.filter(
    ({ findings }) => !findings.some((finding) => finding.level === level && finding.severity === 'fault'),
  ).length;
  const count = `${recordings} of ${verification.archive.recordings.length} recordings`;
  const shown = found.length === 0 && verification.unreadable.length === 0;
  return { level: `L${level}`, claim, shown, detail: [...found, count].join('; ') };
}

/** L4: not only that no token is wrong, but that every recording here is covered by one of a known authority. */
function existence(verification: Verification): LevelVerdict {
  const { logs, recordings } = verification;
  const byOrigin = new Map(logs.map((log) => [log.origin, log]));
  const moments = recordings.map((recording) => momentOf(recording, byOrigin.get(recording.origin ?? '')));
  const covered = moments.filter(({ before }) => before !== undefined);
  const found = faults(4, verification);
  const stamps = logs.flatMap((log) => stampsOf(log));
  const shown = found.length === 0 && covered.length === moments.length && stamps.length > 0;
  const counted = moments.length === 0 ? [] : [`${covered.length} of ${moments.length} recordings`];
  const nothing = stamps.length === 0 ? [whyNoStamps(verification)] : [];
  return {
    level: 'L4',
    claim: 'existed before a proven moment',
    shown,
    detail: [...found, ...counted, ...stamps, ...nothing].join('; '),
  };
}

function stampsOf({ origin, stamps, youngerThan }: CheckedLog): readonly string[] {
  const trusted = stamps.filter((stamp) => stamp.trusted).toSorted((a, b) => a.size - b.size);
  const newest = trusted.at(-1);
  if (newest === undefined) return [];
  const anchors = youngerThan.filter((anchor) => anchor.trusted);
  const last = anchors.at(-1);
  const after = last === undefined ? '' : `, those behind entry ${last.index} not before ${last.after}`;
  const text = `${origin}: entries up to ${newest.size - 1} before ${newest.before} (${newest.authority})${after}`;
  return [text];
}

function whyNoStamps({ logs, trust }: Verification): string {
  const tokens = logs.some(({ stamps }) => stamps.length > 0);
  if (!tokens) return 'no time stamp of a third party is here';
  return trust.authorities.length === 0
    ? 'time stamps are here, but no authority was given with --tsa-ca'
    : 'no time stamp leads to a given authority';
}

function completeness(verification: Verification): LevelVerdict {
  const { archive, logs, since } = verification;
  const spans = logs.map(spanOf);
  const kept = since.flatMap(({ file, checkpoint, proved }) =>
    proved && checkpoint !== undefined
      ? [`${checkpoint.origin} continues the checkpoint of size ${checkpoint.size} in ${file}`]
      : [],
  );
  const part = archive.extent === 'archive' ? [] : ['only what was asked for was searched'];
  const verdictOfFaults = verdict(5, 'range complete', verification);
  const whole = logs.length > 0 && logs.every(({ hasEntries }) => hasEntries);
  return {
    ...verdictOfFaults,
    shown: verdictOfFaults.shown && whole,
    detail: [
      ...faults(5, verification),
      ...spans,
      ...kept,
      ...(whole ? part : ['the log is not here: recordings beside these cannot be ruled out']),
    ].join('; '),
  };
}

function spanOf({ origin, size, covered, coveredTime, hasEntries }: CheckedLog): string {
  if (!hasEntries)
    return `${origin}: ${covered === 0 ? 'no valid checkpoint' : `checkpoints up to size ${covered}`}`;
  const state =
    coveredTime === undefined
      ? ', no valid checkpoint'
      : `, checkpoint of size ${covered}, whose last entry says ${coveredTime}`;
  return `${origin}: complete up to entry ${covered - 1} of ${size - 1}${state}`;
}

function faults(level: Level, { findings }: Verification): readonly string[] {
  const count = findings.filter((finding) => finding.level === level && finding.severity === 'fault').length;
  return count === 0 ? [] : [`${count} ${count === 1 ? 'fault' : 'faults'}`];
}

/** A kept checkpoint or a time stamp binds the holder of the key to what was there by then, and to nothing behind it. */
function writtenAnew({ since, logs }: Verification): readonly string[] {
  return logs.flatMap(({ origin, size, stamps, hasEntries }) => {
    const kept = since.flatMap(({ proved, checkpoint }) =>
      proved && checkpoint?.origin === origin ? [checkpoint.size] : [],
    );
    const bound = Math.max(0, ...kept, ...stamps.flatMap((stamp) => (stamp.trusted ? [stamp.size] : [])));
    if (bound > 0 && (bound >= size || !hasEntries)) return [];
    const what = bound === 0 ? 'everything' : `what lies behind entry ${bound - 1}`;
    return [
      `that the holder of the key has not written ${what} anew (${origin}): compare with a checkpoint kept outside, --since`,
    ];
  });
}

/** What no check here can show; always said. */
export function notShown(verification: Verification): readonly string[] {
  const { trust, logs } = verification;
  const stamped = logs.some(({ stamps }) => stamps.some(({ trusted }) => trusted));
  return [
    ...(isTrusted(verification)
      ? []
      : [
          'that the certificate is the right one: it came from the archive itself; compare its fingerprint with the paper',
        ]),
    ...(isCertified(verification)
      ? [
          'that the authority meant this recorder, and never withdrew the certificate: look at its name, and ask the authority',
        ]
      : []),
    ...(trust.genesis.length > 0 || (isTrusted(verification) && !isCertified(verification))
      ? []
      : ['that this is the log that was begun at the installation, and not another one: give its --genesis']),
    'that the telephone system sent the true audio, or that the speakers are those whom the metadata names',
    stamped
      ? 'when anything happened more exactly than between two time stamps: all other times are statements of the recorder'
      : 'when anything happened: all times are statements of the recorder, no time stamp of a known authority is here',
    ...writtenAnew(verification),
    'that nothing was cut off behind the newest checkpoint here, if newer ones were taken away with it',
    'that every call reached the recorder: compare with the call lists of the telephone system (L6)',
  ];
}
