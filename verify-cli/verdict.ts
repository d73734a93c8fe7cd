import type { Level } from '../src/evidence/finding.ts';
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
  const { keyring, logs } = verification;
  const trusted = keyring.certificates.some((certificate) => certificate.trusted);
  const spans = logs.map(
    ({ origin, size, covered, coveredTime }) =>
      `${origin}: complete up to entry ${covered - 1} of ${size - 1}` +
      (coveredTime === undefined
        ? ', no valid checkpoint'
        : `, checkpoint of size ${covered}, whose last entry says ${coveredTime}`),
  );
  const part = verification.archive.extent === 'archive' ? [] : ['only what was asked for was searched'];
  return [
    verdict(1, 'files intact', verification),
    verdict(
      2,
      trusted ? 'signed by the given certificate' : "signed by the archive's own certificate",
      verification,
    ),
    verdict(3, 'contained in the log', verification),
    {
      level: 'L4',
      claim: 'existed before a proven moment',
      shown: false,
      detail: 'no time stamps of a third party yet',
    },
    {
      ...verdict(5, 'range complete', verification),
      detail: [...faults(5, verification), ...spans, ...part].join('; '),
    },
  ];
}

function verdict(level: Level, claim: string, verification: Verification): LevelVerdict {
  const found = faults(level, verification);
  const recordings = verification.recordings.filter(
    ({ findings }) => !findings.some((finding) => finding.level === level && finding.severity === 'fault'),
  ).length;
  const count = `${recordings} of ${verification.archive.recordings.length} recordings`;
  const shown = found.length === 0 && verification.unreadable.length === 0;
  return { level: `L${level}`, claim, shown, detail: [...found, count].join('; ') };
}

function faults(level: Level, { findings }: Verification): readonly string[] {
  const count = findings.filter((finding) => finding.level === level && finding.severity === 'fault').length;
  return count === 0 ? [] : [`${count} ${count === 1 ? 'fault' : 'faults'}`];
}

/** What no check here can show; always said. */
export function notShown({ keyring }: Verification): readonly string[] {
  const certificate = keyring.certificates.some(({ trusted }) => trusted)
    ? []
    : [
        'that the certificate is the right one: it came from the archive itself; compare its fingerprint with the paper',
      ];
  return [
    ...certificate,
    'that the telephone system sent the true audio, or that the speakers are those whom the metadata names',
    'when anything happened: all times are statements of the recorder, no time stamps of a third party are here',
    'that the holder of the key has not written everything anew: compare with a checkpoint kept outside this archive',
    'that nothing was cut off behind the newest checkpoint here, if newer ones were taken away with it',
    'that every call reached the recorder: compare with the call lists of the telephone system',
  ];
}
