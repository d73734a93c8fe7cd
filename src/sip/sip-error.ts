export type SipErrorCode = 'BAD_SECRET' | 'NOT_REACHABLE';

/** The SIP application cannot start: the SIP server is not there or does not accept our secret. */
export class SipError extends Error {
  override readonly name = 'SipError';
  readonly code: SipErrorCode;

  constructor(code: SipErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
