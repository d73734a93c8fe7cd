export type RecorderErrorCode = 'NOT_READY' | 'NO_PORTS' | 'DISK' | 'MEDIA';

/** An offered call cannot be recorded now. The SIP edge turns `code` into a status. */
export class RecorderError extends Error {
  override readonly name = 'RecorderError';
  readonly code: RecorderErrorCode;

  constructor(code: RecorderErrorCode, detail: string, options?: ErrorOptions) {
    super(`${code}: ${detail}`, options);
    this.code = code;
  }
}
