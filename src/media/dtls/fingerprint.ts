import { createHash } from 'node:crypto';
import { colons } from './dtls-identity.ts';

/** Hashes of RFC 8122 §5 that can be trusted at all, the strongest first. */
const HASHES = ['sha-512', 'sha-384', 'sha-256', 'sha-224', 'sha-1'] as const;

export type FingerprintHash = (typeof HASHES)[number];

/** What the signalling says of the certificate of the other end. */
export interface Fingerprint {
  readonly hash: FingerprintHash;
  /** `AB:CD:…`, capital letters. */
  readonly value: string;
}

/**
 * Whether a certificate (DER) is the one that was announced. Of several hashes the strongest decides, and any certificate announced under it
 * will do (RFC 8122 §5).
 */
export function isAnnounced(certificate: Buffer, fingerprints: readonly Fingerprint[]): boolean {
  const strongest = HASHES.find((hash) => fingerprints.some((each) => each.hash === hash));
  if (strongest === undefined) return false;
  const own = colons(createHash(strongest.replace('-', '')).update(certificate).digest());
  return fingerprints.some(({ hash, value }) => hash === strongest && value === own);
}
