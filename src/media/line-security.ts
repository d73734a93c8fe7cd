import { eraseKeying, type SrtpKeying } from './srtp/keying.ts';

/**
 * How the packets of a line are encrypted: keys from the signalling (RFC 4568). Plain data: it crosses to the media thread, and goes nowhere else. `theirs` has no master key while the client has not told it yet.
 */
export interface CaptureSecurity {
  readonly theirs: SrtpKeying;
  readonly own: SrtpKeying;
  /** Reports go in clear, authenticated alone. */
  readonly unencryptedRtcp: boolean;
}

/** Overwrites the keys once they are taken over. */
export function eraseSecurity(security: CaptureSecurity): void {
  eraseKeying(security.theirs);
  eraseKeying(security.own);
}
