import type { OfferedCrypto } from './crypto-attribute.ts';
import type { Secret } from './secret.ts';

/** `a=fingerprint` (RFC 8122): hash function in small letters, and the hash in capital hex without colons. */
export interface Fingerprint {
  readonly algorithm: string;
  readonly value: string;
}

/** How a line is encrypted, once that is decided. */
export type LineSecurity =
  | {
      readonly kind: 'sdes';
      readonly crypto: OfferedCrypto;
      /** Key of our direction. */
      readonly own: Secret;
    }
  | {
      readonly kind: 'dtls';
      /** We begin the handshake. */
      readonly active: boolean;
      /** One of them must be that of the client's certificate. */
      readonly theirs: readonly Fingerprint[];
      readonly own: string;
    };
