export type ClientErrorCode =
  | 'BAD_TARGET'
  | 'BAD_OPTION'
  | 'BAD_MESSAGE'
  | 'BAD_ANSWER'
  | 'REFUSED'
  | 'TIMEOUT'
  | 'UNREACHABLE'
  | 'CONNECTION_LOST';

/** Why a test call did not come about. The message is for people; `status` is the SIP status of a refusal. */
export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly code: ClientErrorCode;
  readonly status: number | undefined;

  constructor(code: ClientErrorCode, message: string, options?: ErrorOptions & { readonly status?: number }) {
    super(message, options);
    this.code = code;
    this.status = options?.status;
  }
}
