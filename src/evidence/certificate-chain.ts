import { Buffer } from 'node:buffer';
import { X509Certificate } from 'node:crypto';

/** A certificate and its issuers. */
export interface CertificateChain {
  /** From the certificate itself upwards, as far as its issuers are known. */
  readonly certificates: readonly X509Certificate[];
  /** Whether the last of them is one that was given. */
  readonly trusted: boolean;
}

/** From when to when a certificate can be relied on, epoch milliseconds, both ends included. */
export interface Validity {
  readonly from: number;
  readonly to: number;
}

/** Longer chains do not occur; a ring of certificates must end somewhere. */
const MAX_CHAIN = 8;

/** Follows the issuers of a certificate to one of `anchors`; `others` may lie between. Every signature on the way is verified (RFC 5280 §6.1). */
export function chainOf(
  first: X509Certificate,
  anchors: readonly X509Certificate[],
  others: readonly X509Certificate[],
): CertificateChain {
  const certificates = [first];
  for (let current = first; certificates.length <= MAX_CHAIN;) {
    if (anchors.some(({ raw }) => raw.equals(current.raw))) return { certificates, trusted: true };
    const below = current;
    const issuer = [...anchors, ...others].find(
      (each) => each.ca && !each.raw.equals(below.raw) && hasIssued(each, below),
    );
    if (issuer === undefined) break;
    certificates.push(issuer);
    current = issuer;
  }
  return { certificates, trusted: false };
}

/** What is common to the validity of all certificates of a chain. */
export const validityOf = (certificates: readonly X509Certificate[]): Validity => ({
  from: Math.max(...certificates.map(({ validFrom }) => Date.parse(validFrom))),
  to: Math.min(...certificates.map(({ validTo }) => Date.parse(validTo))),
});

/** `time` is epoch milliseconds. */
export const isWithin = ({ from, to }: Validity, time: number): boolean => from <= time && time <= to;

/** The certificates of a PEM text; what cannot be read is left out. */
export function readCertificates(pem: Uint8Array): readonly X509Certificate[] {
  const blocks = Buffer.from(pem)
    .toString('latin1')
    .match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g);
  return (blocks ?? []).flatMap((block) => {
    try {
      return [new X509Certificate(block)];
    } catch {
      return [];
    }
  });
}

/** A certificate's subject in one line. */
export const subjectOf = ({ subject }: X509Certificate): string => subject.replaceAll('\n', ', ');

function hasIssued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    return false;
  }
}
