export type SiprecErrorCode =
  | 'UNSUPPORTED_BODY'
  | 'BAD_MULTIPART'
  | 'TOO_LARGE'
  | 'BAD_SDP'
  | 'NO_AUDIO'
  | 'BAD_XML'
  | 'NOT_RECORDING_SESSION';

/** The client sent something that cannot be used as sent. `code` picks the SIP status, the message is for people. */
export class SiprecError extends Error {
  override readonly name = 'SiprecError';
  readonly code: SiprecErrorCode;

  constructor(code: SiprecErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
