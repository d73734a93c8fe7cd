export type AnnouncementErrorCode = 'NO_ANNOUNCEMENT' | 'SHIPPED';

/** An announcement that cannot be changed. `message` is for people. */
export class AnnouncementError extends Error {
  override readonly name = 'AnnouncementError';
  readonly code: AnnouncementErrorCode;

  constructor(code: AnnouncementErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
