import { PermanentUploadError } from '../jobs/destination.ts';

/**
 * Trying again later can help with `UNREACHABLE` (gone, not mounted, I/O error), `DISK_FULL`, `NOT_PROVED` (what is read back is
 * not what was written), `SOURCE_UNREADABLE`, `MOVED` (somebody else wrote at the same moment) and `ABORTED`. It cannot with the others, which
 * come as the cause of a PermanentUploadError; BAD_TEMPLATE is a mistake in the configuration.
 */
export type DeliveryErrorCode =
  | 'UNREACHABLE'
  | 'DISK_FULL'
  | 'NOT_PROVED'
  | 'SOURCE_UNREADABLE'
  | 'MOVED'
  | 'ABORTED'
  | 'DIFFERENT'
  | 'BAD_PATH'
  | 'SOURCE_CHANGED'
  | 'DENIED'
  | 'QUOTA'
  | 'BAD_TEMPLATE';

/** What can go wrong on the way to an archive. */
export class DeliveryError extends Error {
  override readonly name = 'DeliveryError';
  readonly code: DeliveryErrorCode;

  constructor(code: DeliveryErrorCode, detail: string, options?: ErrorOptions) {
    super(`${code}: ${detail}`, options);
    this.code = code;
  }
}

/** An error that a person has to look at; its cause is a DeliveryError with the code. */
export function permanent(
  code: DeliveryErrorCode,
  detail: string,
  options?: ErrorOptions,
): PermanentUploadError {
  const cause = new DeliveryError(code, detail, options);
  return new PermanentUploadError(cause.message, { cause });
}

const FILE_ERRORS: Readonly<Record<string, readonly [DeliveryErrorCode, 'permanent' | 'passing']>> = {
  ENOSPC: ['DISK_FULL', 'passing'],
  EDQUOT: ['QUOTA', 'permanent'],
  EACCES: ['DENIED', 'permanent'],
  EPERM: ['DENIED', 'permanent'],
  EROFS: ['DENIED', 'permanent'],
  ENOTDIR: ['BAD_PATH', 'permanent'],
  EISDIR: ['BAD_PATH', 'permanent'],
  ELOOP: ['BAD_PATH', 'permanent'],
  ENAMETOOLONG: ['BAD_PATH', 'permanent'],
  EINVAL: ['BAD_PATH', 'permanent'],
  EILSEQ: ['BAD_PATH', 'permanent'],
  ABORT_ERR: ['ABORTED', 'passing'],
};

/** Code of a Node error, '' without one. Not `instanceof Error`: errors may come from another realm. */
export const codeOf = (error: unknown): string => {
  const code = (error as { readonly code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : '';
};

/** Errors of a file system as ours; ours stay as they are. */
export function fromFileError(error: unknown, path: string): Error {
  if (error instanceof DeliveryError || error instanceof PermanentUploadError) return error;
  const [code, lasting] = FILE_ERRORS[codeOf(error)] ?? ['UNREACHABLE', 'passing'];
  const detail = `${path}: ${String(error)}`;
  return lasting === 'permanent'
    ? permanent(code, detail, { cause: error })
    : new DeliveryError(code, detail, { cause: error });
}
