import { PermanentUploadError, type PermanentFault } from '../jobs/destination.ts';

/** These may pass by themselves; BAD_TEMPLATE is a mistake in the configuration. */
type PassingCode =
  /** Gone, not mounted, refused, timed out, I/O error. */
  | 'UNREACHABLE'
  | 'DISK_FULL'
  /** What is read back is not what was written. */
  | 'NOT_PROVED'
  | 'SOURCE_UNREADABLE'
  /** Somebody else wrote at the same moment. */
  | 'MOVED'
  /** The server asked us to come back later. */
  | 'THROTTLED'
  | 'ABORTED'
  | 'BAD_TEMPLATE';

/** These come as the cause of a PermanentUploadError. */
const FAULTS = {
  DIFFERENT: 'name-taken',
  BAD_PATH: 'unusable-path',
  SOURCE_CHANGED: 'source-changed',
  DENIED: 'credentials',
  WRONG_HOST: 'identity',
  QUOTA: 'quota',
  LOCK_REFUSED: 'lock-refused',
  LOCKED: 'locked',
  UNSUPPORTED: 'unsupported',
  MISCONFIGURED: 'configuration',
} as const satisfies Readonly<Record<string, PermanentFault>>;

export type PermanentCode = keyof typeof FAULTS;
export type DeliveryErrorCode = PassingCode | PermanentCode;

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
export function permanent(code: PermanentCode, detail: string, options?: ErrorOptions): PermanentUploadError {
  const cause = new DeliveryError(code, detail, options);
  return new PermanentUploadError(FAULTS[code], cause.message, { cause });
}

/** An error of ours with any code. */
export const deliveryError = (code: DeliveryErrorCode, detail: string, options?: ErrorOptions): Error =>
  Object.hasOwn(FAULTS, code)
    ? permanent(code as PermanentCode, detail, options)
    : new DeliveryError(code, detail, options);

const FILE_ERRORS: Readonly<Record<string, DeliveryErrorCode>> = {
  ENOSPC: 'DISK_FULL',
  EDQUOT: 'QUOTA',
  EACCES: 'DENIED',
  EPERM: 'DENIED',
  EROFS: 'DENIED',
  ENOTDIR: 'BAD_PATH',
  EISDIR: 'BAD_PATH',
  ELOOP: 'BAD_PATH',
  ENAMETOOLONG: 'BAD_PATH',
  EINVAL: 'BAD_PATH',
  EILSEQ: 'BAD_PATH',
  ABORT_ERR: 'ABORTED',
};

/** Code of a Node error, '' without one. Not `instanceof Error`: errors may come from another realm. */
export const codeOf = (error: unknown): string => {
  const code = (error as { readonly code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : '';
};

export const isOurs = (error: unknown): error is Error =>
  error instanceof DeliveryError || error instanceof PermanentUploadError;

/** Errors of a file system as ours; ours stay as they are. */
export function fromFileError(error: unknown, path: string): Error {
  if (isOurs(error)) return error;
  const code = FILE_ERRORS[codeOf(error)] ?? 'UNREACHABLE';
  return deliveryError(code, `${path}: ${String(error)}`, { cause: error });
}
