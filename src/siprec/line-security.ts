import type { OfferedCrypto } from './crypto-attribute.ts';
import type { Secret } from './secret.ts';

/** How a line is encrypted, once that is decided: by keys in the SDP (RFC 4568). */
export interface LineSecurity {
  readonly crypto: OfferedCrypto;
  /** Key of our direction. */
  readonly own: Secret;
}
