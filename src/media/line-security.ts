import { eraseKeying, type SrtpKeying } from './srtp/keying.ts';

/** How the packets of a line are encrypted. Plain data: it crosses to the media thread, and goes nowhere else. */
export type CaptureSecurity = SdesSecurity;

/** Keys from the signalling (RFC 4568). `theirs` has no master key while the client has not told it yet. */
export interface SdesSecurity {
  readonly kind: 'sdes';
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
