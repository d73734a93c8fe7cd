import type { DtlsTerms } from './dtls/dtls-line.ts';
import { eraseKeying, type SrtpKeying } from './srtp/keying.ts';

/** How the packets of a line are encrypted. Plain data: it crosses to the media thread, and goes nowhere else. */
export type CaptureSecurity = KnownKeys | { readonly dtls: DtlsTerms };

/** Keys from the signalling (RFC 4568), or from a handshake. `theirs` has no master key while the client has not told it yet. */
export interface KnownKeys {
  readonly theirs: SrtpKeying;
  readonly own: SrtpKeying;
  /** Reports go in clear, authenticated alone. */
  readonly unencryptedRtcp: boolean;
  readonly dtls?: undefined;
}

/** Overwrites the keys once they are taken over. */
export function eraseSecurity(security: CaptureSecurity): void {
  if (security.dtls !== undefined) return;
  eraseKeying(security.theirs);
  eraseKeying(security.own);
}
