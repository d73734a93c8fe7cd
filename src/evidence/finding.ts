/**
 * What a finding is about (evidence.md 1.8): 1 the files are intact, 2 they are signed by the expected key, 3 they are in the log,
 * 5 the log and the archive are complete. Level 4, existence before a moment, needs time stamps.
 */
export type Level = 1 | 2 | 3 | 5;

export type FindingCode =
  // Level 1
  | 'FILE_ALTERED'
  | 'FILE_MISSING'
  | 'FILE_NOT_LISTED'
  | 'HASH_FILE_INVALID'
  | 'INFO_INVALID'
  // Level 2
  | 'SIGNATURE_INVALID'
  | 'KEY_UNKNOWN'
  | 'KEY_UNTRUSTED'
  | 'CERTIFICATE_INVALID'
  | 'CERTIFICATE_MISSING'
  // Level 3
  | 'NOT_IN_LOG'
  | 'ENTRY_DIFFERS'
  | 'SWAPPED'
  | 'ENTRY_INVALID'
  | 'ENTRY_FILE_INVALID'
  | 'CHAIN_BROKEN'
  | 'CHECKPOINT_INVALID'
  | 'CHECKPOINT_DIFFERS'
  | 'GENESIS_DIFFERS'
  | 'SEQUENCE_INVALID'
  // Level 5
  | 'LOG_MISSING'
  | 'ENTRY_MISSING'
  | 'LOG_TRUNCATED'
  | 'RECORDING_MISSING'
  | 'RECORDING_TWICE'
  | 'OPEN_NOT_CLOSED'
  | 'PREVIOUS_DIFFERS'
  // Notes: worth stating, no fault
  | 'STILL_OPEN'
  | 'CLOCK_WENT_BACK'
  | 'NOT_COVERED'
  | 'UNKNOWN_TYPE'
  | 'OUTAGE'
  | 'FOREIGN_FILE'
  | 'ELSEWHERE';

export interface Finding {
  readonly level: Level;
  readonly code: FindingCode;
  /** A note alone does not make an archive altered. */
  readonly severity: 'fault' | 'note';
  /** Path below the archive, or the origin for what concerns a whole log. */
  readonly file: string;
  readonly detail: string;
}

const LEVELS: readonly (readonly [Level, ReadonlySet<FindingCode>])[] = [
  [
    1,
    new Set<FindingCode>([
      'FILE_ALTERED',
      'FILE_MISSING',
      'FILE_NOT_LISTED',
      'HASH_FILE_INVALID',
      'INFO_INVALID',
      'FOREIGN_FILE',
    ]),
  ],
  [
    2,
    new Set<FindingCode>([
      'SIGNATURE_INVALID',
      'KEY_UNKNOWN',
      'KEY_UNTRUSTED',
      'CERTIFICATE_INVALID',
      'CERTIFICATE_MISSING',
    ]),
  ],
  [
    5,
    new Set<FindingCode>([
      'LOG_MISSING',
      'ENTRY_MISSING',
      'LOG_TRUNCATED',
      'RECORDING_MISSING',
      'RECORDING_TWICE',
      'OPEN_NOT_CLOSED',
      'PREVIOUS_DIFFERS',
      'STILL_OPEN',
      'OUTAGE',
      'ELSEWHERE',
    ]),
  ],
];

const levelOf = (code: FindingCode): Level => LEVELS.find(([, codes]) => codes.has(code))?.[0] ?? 3;

export const fault = (code: FindingCode, file: string, detail: string): Finding => ({
  level: levelOf(code),
  code,
  severity: 'fault',
  file,
  detail,
});

export const note = (code: FindingCode, file: string, detail: string): Finding => ({
  ...fault(code, file, detail),
  severity: 'note',
});
