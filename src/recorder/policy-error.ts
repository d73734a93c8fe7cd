export type PolicyErrorCode = 'FIXED' | 'NO_GROUP' | 'NO_MEMBER';

/** A change of rules or groups that cannot be made. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError';
  readonly code: PolicyErrorCode;

  constructor(code: PolicyErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
