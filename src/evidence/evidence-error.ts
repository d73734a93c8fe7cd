export type EvidenceErrorCode =
  | 'BAD_ENTRY'
  | 'BAD_ENTRY_FILE'
  | 'BAD_CHECKPOINT'
  | 'BAD_DER'
  | 'BAD_FRONTIER'
  | 'BAD_HASH_FILE'
  | 'BAD_INFO'
  | 'BAD_KEY'
  | 'BAD_KEYROLL'
  | 'BAD_NAME'
  | 'BAD_NOTE'
  | 'BAD_ORIGIN'
  | 'BAD_PROOF'
  | 'BAD_TIME_STAMP';

/** Something is not in the form that docs/evidence-format.md prescribes. */
export class EvidenceError extends Error {
  override readonly name = 'EvidenceError';
  readonly code: EvidenceErrorCode;

  constructor(code: EvidenceErrorCode, detail: string, options?: ErrorOptions) {
    super(`${code}: ${detail}`, options);
    this.code = code;
  }
}
