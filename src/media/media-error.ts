export type MediaErrorCode =
  | 'RTP_TOO_SHORT'
  | 'RTP_BAD_VERSION'
  | 'RTP_BAD_LENGTH'
  | 'NO_PORTS'
  | 'PORT_TAKEN'
  | 'SOCKET'
  | 'DISK'
  | 'BAD_REQUEST'
  | 'BAD_WAV'
  | 'STOPPED';

/** What can go wrong with media. `code` crosses the thread boundary; the recorder's edge turns it into an answer. */
export class MediaError extends Error {
  override readonly name = 'MediaError';
  readonly code: MediaErrorCode;

  constructor(code: MediaErrorCode, detail: string, options?: ErrorOptions) {
    super(`${code}: ${detail}`, options);
    this.code = code;
  }
}
