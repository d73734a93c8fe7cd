import type { X509Certificate } from 'node:crypto';

/** What the application learns of a peer's TLS certificate. */
export interface PeerCertificate {
  /** SHA-256 of the DER form, as openssl prints it: pairs of hex digits with colons. */
  readonly fingerprint: string;
  /** True when it leads to an authority of ours and is in date. */
  readonly verified: boolean;
  /** Like `O=Bank, CN=sbc1.example`. */
  readonly subject: string;
  /** Like `DNS:sbc1.example, URI:sip:example`. */
  readonly alternativeNames: string;
}

export function describeCertificate(certificate: X509Certificate, verified: boolean): PeerCertificate {
  return {
    fingerprint: certificate.fingerprint256,
    verified,
    subject: certificate.subject.split('\n').join(', '),
    alternativeNames: plainNames(certificate.subjectAltName ?? '').join(', '),
  };
}

/** The value of X-Sealtape-Peer-Certificate, as a byte string. */
export function certificateHeader(certificate: PeerCertificate): string {
  const { fingerprint, verified, subject, alternativeNames } = certificate;
  return `${fingerprint};verified=${verified ? 'yes' : 'no'};subject=${quoted(subject)};san=${quoted(alternativeNames)}`;
}

/**
 * The entries of a SubjectAltName as Node prints it. Names with commas, quotes or control characters stand there as JSON strings;
 * nobody has a good reason for such a name, so they are left out and no list can be forged inside one.
 */
function plainNames(text: string): string[] {
  const names = text.match(/(?:"(?:[^"\\]|\\.)*"|[^",])+/g) ?? [];
  return names
    .map((name) => name.trim())
    .filter((name) => /^[A-Za-z ]+:[\x21\x23-\x2b\x2d-\x5b\x5d-\x7e]+$/.test(name));
}

/** A quoted string (RFC 3261 §25.1) of UTF-8 octets without control characters. */
function quoted(text: string): string {
  const clean = text.replace(/[\u0000-\u001f\u007f]/g, ' ').replace(/["\\]/g, "'");
  return `"${Buffer.from(clean, 'utf8').toString('latin1')}"`;
}
