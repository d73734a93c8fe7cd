import type { OfferedCrypto } from './crypto-attribute.ts';
import type { OfferedFingerprint } from './dtls-attributes.ts';
import type { Secret } from './secret.ts';

/** How a line is encrypted, once that is decided: by keys in the SDP (RFC 4568), or by a handshake beside the media (RFC 5763). */
export type LineSecurity = SdpKeys | DtlsSecurity;

interface SdpKeys {
  readonly crypto: OfferedCrypto;
  /** Key of our direction. */
  readonly own: Secret;
}

export interface DtlsSecurity {
  readonly crypto?: undefined;
  /** Of the client's certificate. */
  readonly fingerprints: readonly OfferedFingerprint[];
  /** Ours; the active end begins. */
  readonly role: 'active' | 'passive';
  /** SHA-256 of our certificate. */
  readonly ownFingerprint: string;
  /** Of the client, and ours, where the client has one (RFC 8842 §5.3). */
  readonly tlsId?: { readonly theirs: string; readonly own: string };
}
