export type SipServerErrorCode =
  | 'ADDRESS_IN_USE'
  | 'ADDRESS_UNAVAILABLE'
  | 'ADDRESS_FORBIDDEN'
  | 'BAD_ADDRESS'
  | 'LISTEN_FAILED'
  | 'BAD_TLS'
  | 'BAD_MESSAGE'
  | 'BAD_FRAME'
  | 'FRAME_TOO_LARGE'
  | 'UNREACHABLE'
  | 'CLOSED';

/** What can go wrong with the embedded SIP server. The text is meant for the operator as it stands. */
export class SipServerError extends Error {
  override readonly name = 'SipServerError';
  readonly code: SipServerErrorCode;

  constructor(code: SipServerErrorCode, detail: string, options?: ErrorOptions) {
    super(detail, options);
    this.code = code;
  }
}
