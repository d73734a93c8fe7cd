/**
 * What a finding is about (evidence.md 1.8): 1 the files are intact, 2 they are signed by the expected key, 3 they are in the log,
 * 4 they existed before one moment and not before another, 5 the log and the archive are complete.
 */
export type Level = 1 | 2 | 3 | 4 | 5;

const LEVELS = {
  FILE_ALTERED: 1,
  FILE_MISSING: 1,
  FILE_NOT_LISTED: 1,
  HASH_FILE_INVALID: 1,
  INFO_INVALID: 1,

  SIGNATURE_INVALID: 2,
  KEY_UNKNOWN: 2,
  KEY_UNTRUSTED: 2,
  KEY_CHANGED: 2,
  KEY_AFTER_ROLL: 2,
  KEYROLL_INVALID: 2,
  CERTIFICATE_INVALID: 2,
  CERTIFICATE_MISSING: 2,
  CERTIFICATE_NOT_VALID: 2,
  GENESIS_UNEXPECTED: 2,

  NOT_IN_LOG: 3,
  ENTRY_DIFFERS: 3,
  SWAPPED: 3,
  ENTRY_INVALID: 3,
  ENTRY_FILE_INVALID: 3,
  CHAIN_BROKEN: 3,
  CHECKPOINT_INVALID: 3,
  CHECKPOINT_DIFFERS: 3,
  GENESIS_DIFFERS: 3,
  PROOF_INVALID: 3,
  SEQUENCE_INVALID: 3,

  SUMS_INVALID: 4,
  TOKEN_INVALID: 4,
  TOKEN_MISSING: 4,
  TIME_CONTRADICTED: 4,

  LOG_MISSING: 5,
  ENTRY_MISSING: 5,
  LOG_TRUNCATED: 5,
  RECORDING_MISSING: 5,
  RECORDING_TWICE: 5,
  OPEN_NOT_CLOSED: 5,
  PREVIOUS_DIFFERS: 5,
  EPOCH_INVALID: 5,
  EPOCH_MISSING: 5,
  WITNESS_DIFFERS: 5,
  NOTE_INVALID: 5,
  LOG_FORKED: 5,
  DELETION_EARLY: 5,
  DELETION_HELD: 5,
  DELETION_INVALID: 5,
  STORED_DIFFERS: 5,
  SEGMENT_DIFFERS: 3,

  // Notes: worth stating, no fault.
  FOREIGN_FILE: 1,
  CLOCK_WENT_BACK: 3,
  NOT_COVERED: 3,
  UNKNOWN_TYPE: 3,
  NO_LOG: 3,
  NOT_STAMPED: 4,
  AUTHORITY_UNKNOWN: 4,
  SEALED_LATE: 2,
  CERTIFIED_LATER: 2,
  STILL_OPEN: 5,
  OUTAGE: 5,
  ELSEWHERE: 5,
  DISCONTINUITY: 5,
  DELETED: 5,
  STILL_HERE: 5,
  HELD_BY_SELECTOR: 5,
  COPY_UNEXPLAINED: 5,
  WITNESS_UNKNOWN: 5,
  FORK_KEPT: 5,
} as const satisfies Readonly<Record<string, Level>>;

export type FindingCode = keyof typeof LEVELS;

export interface Finding {
  readonly level: Level;
  readonly code: FindingCode;
  /** A note alone does not make an archive altered. */
  readonly severity: 'fault' | 'note';
  /** Path below the archive, or the origin for what concerns a whole log. */
  readonly file: string;
  readonly detail: string;
}

export const fault = (code: FindingCode, file: string, detail: string): Finding => ({
  level: LEVELS[code],
  code,
  severity: 'fault',
  file,
  detail,
});

export const note = (code: FindingCode, file: string, detail: string): Finding => ({
  ...fault(code, file, detail),
  severity: 'note',
});
