export type JobErrorCode =
  | 'ALTERED'
  | 'ARCHIVE_AWAY'
  | 'BAD_NOTE'
  | 'BAD_TOKEN'
  | 'CHAIN_MOVED'
  | 'KEY_CHANGED'
  | 'NOT_CLOSED'
  | 'NO_COPY'
  | 'NO_SUCCESSOR'
  | 'NOT_ENDED'
  | 'UNKNOWN_RECORDING'
  | 'UNKNOWN_CHECKPOINT'
  | 'UNKNOWN_HOLD'
  | 'UNKNOWN_COPIES'
  | 'NOT_SEALED'
  | 'NOT_DUE'
  | 'NOT_LATER'
  | 'HELD'
  | 'STOPPING';

/** A job cannot do its work. */
export class JobError extends Error {
  override readonly name = 'JobError';
  readonly code: JobErrorCode;

  constructor(code: JobErrorCode, detail: string, options?: ErrorOptions) {
    super(`${code}: ${detail}`, options);
    this.code = code;
  }
}
