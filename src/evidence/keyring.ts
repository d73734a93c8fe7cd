import { Buffer } from 'node:buffer';
import type { KeyObject, X509Certificate } from 'node:crypto';
import { chainOf, readCertificates, subjectOf, validityOf, type Validity } from './certificate-chain.ts';
import { EvidenceError } from './evidence-error.ts';
import { fault, type Finding } from './finding.ts';
import { certificateName, issuerName } from './layout.ts';
import { certificateFingerprint, readCertificate, spkiFingerprint } from './signature.ts';

export interface NamedBytes {
  /** Path below the archive, for findings. */
  readonly file: string;
  readonly bytes: Uint8Array;
}

export interface KnownCertificate {
  /** SHA-256 of the DER, hex. */
  readonly fingerprint: string;
  /** SPKI SHA-256, hex. */
  readonly key: string;
  readonly subject: string;
  readonly file: string;
  /** Given by the verifying person, not by the archive. */
  readonly trusted: boolean;
  /** Subject of the authority, given by the verifying person, that its chain leads to. */
  readonly authority?: string;
}

/**
 * The keys a verification accepts. With certificates given by the person who verifies, only those count, and what an authority among
 * them has issued: what lies beside the evidence could have been exchanged with it (evidence.md 1.6).
 */
export class Keyring {
  readonly #certificates: KnownCertificate[] = [];
  /** All keys known, and of these the accepted ones. */
  readonly #known = new Map<string, KeyObject>();
  readonly #accepted = new Set<string>();
  /** Accepted without conditions: the given ones. */
  readonly #given = new Set<string>();
  /** Given certificates of authorities, and what may lie between them and ours. */
  readonly #authorities: X509Certificate[] = [];
  readonly #issuers: X509Certificate[] = [];
  /** When a key was certified by a given authority. */
  readonly #certified = new Map<string, Validity[]>();
  readonly #trusting: boolean;

  /** PEM texts of the trusted certificates; none means that the archive's own are used. Throws EvidenceError BAD_KEY. */
  constructor(trusted: readonly NamedBytes[]) {
    this.#trusting = trusted.length > 0;
    for (const { file, bytes } of trusted) {
      const certificates = readCertificates(bytes);
      if (certificates.length === 0) throw new EvidenceError('BAD_KEY', `${file} holds no certificate (PEM)`);
      for (const certificate of certificates) {
        if (certificate.ca) this.#authorities.push(certificate);
        this.#add(certificate, file, true);
      }
    }
  }

  get certificates(): readonly KnownCertificate[] {
    return this.#certificates;
  }

  /** Takes in a certificate of the archive that may lie between one of ours and a given authority. To be called before those. */
  addIssuer({ file, bytes }: NamedBytes): readonly Finding[] {
    const [certificate, ...more] = readCertificates(bytes);
    if (
      certificate === undefined ||
      more.length > 0 ||
      !file.endsWith(`/${issuerName(certificate.toString())}`)
    )
      return [fault('CERTIFICATE_INVALID', file, 'is not the one certificate that its name says')];
    this.#issuers.push(certificate);
    return [];
  }

  /** Takes in a certificate of the archive; a finding when it is not the one its name says, octet for octet. */
  addFromArchive({ file, bytes }: NamedBytes): readonly Finding[] {
    const text = Buffer.from(bytes).toString('latin1');
    try {
      const certificate = readCertificate(text);
      this.#add(certificate, file, false);
      const canonical = text.replaceAll('\r\n', '\n') === certificate.toString();
      if (canonical && file.endsWith(`/${certificateName(text)}`)) return [];
      return [
        fault('CERTIFICATE_INVALID', file, 'is not the certificate that its name says, or not only that'),
      ];
    } catch {
      return [fault('CERTIFICATE_INVALID', file, 'is not a readable certificate')];
    }
  }

  /** Takes in a certificate that lies beside a few recordings, under whatever name; what is none is passed over. */
  addFromBundle({ file, bytes }: NamedBytes): void {
    try {
      this.#add(readCertificate(Buffer.from(bytes).toString('latin1')), file, false);
    } catch {
      // A certificate of somebody else, or a chain: then the key is unknown, and said to be.
    }
  }

  /** The key with this SPKI fingerprint, when it is accepted. */
  find(key: string): KeyObject | undefined {
    return this.#accepted.has(key) ? this.#known.get(key) : undefined;
  }

  /** The key with this SPKI fingerprint, accepted or not. */
  publicKey(key: string): KeyObject | undefined {
    return this.#known.get(key);
  }

  /** SPKI fingerprint of the certificate with this fingerprint. */
  keyOf(fingerprint: string): string | undefined {
    return this.#certificates.find((certificate) => certificate.fingerprint === fingerprint)?.key;
  }

  /** When a given authority had certified the key; undefined for a key that is accepted for another reason, or not at all. */
  certifiedIn(key: string): readonly Validity[] | undefined {
    return this.#given.has(key) ? undefined : this.#certified.get(key);
  }

  /** A valid key roll: where the old key is accepted, the new one is too. */
  vouch(old: string, successor: string): void {
    if (this.#accepted.has(old) && this.#known.has(successor)) this.#accepted.add(successor);
  }

  /** Whether a certificate with this fingerprint is known at all, trusted or not. */
  knows(fingerprint: string): boolean {
    return this.#certificates.some((certificate) => certificate.fingerprint === fingerprint);
  }

  /** Why a key is not accepted. */
  refusal(key: string, file: string): Finding {
    const known = this.#certificates.some((certificate) => certificate.key === key);
    return known
      ? fault(
          'KEY_UNTRUSTED',
          file,
          `signed with key sha256:${key}, which is not the key of the given certificate`,
        )
      : fault('KEY_UNKNOWN', file, `no certificate for key sha256:${key}`);
  }

  #add(certificate: X509Certificate, file: string, trusted: boolean): void {
    const key = spkiFingerprint(certificate.publicKey);
    const fingerprint = certificateFingerprint(certificate.toString());
    this.#known.set(key, certificate.publicKey);
    if (trusted) this.#given.add(key);
    if (trusted || !this.#trusting) this.#accepted.add(key);
    if (this.knows(fingerprint)) return;
    const authority = this.#authorityOf(certificate, key);
    this.#certificates.push({
      ...{ fingerprint, key, subject: certificate.subject, file, trusted },
      ...(authority !== undefined && { authority }),
    });
  }

  /** Accepts the key of a certificate whose chain leads to a given authority, for as long as all of the chain is valid. */
  #authorityOf(certificate: X509Certificate, key: string): string | undefined {
    if (certificate.ca) return undefined;
    const { certificates, trusted } = chainOf(certificate, this.#authorities, this.#issuers);
    const authority = certificates.at(-1);
    if (!trusted || authority === undefined) return undefined;
    this.#accepted.add(key);
    this.#certified.set(key, [...(this.#certified.get(key) ?? []), validityOf(certificates)]);
    return subjectOf(authority);
  }
}
