// A program of its own, started by key-store.ts: makes a self-signed certificate and ends. node-forge signs in pure JavaScript
// and would hold up the event loop of a server that records.
import process from 'node:process';
import forge from 'node-forge';

/** What the parent sends, once. */
export interface CertificateRequest {
  readonly privateKeyPem: string;
  /** Common name of subject and issuer. */
  readonly subject: string;
  /** Hex, positive. */
  readonly serial: string;
  readonly years: number;
  /** Epoch milliseconds. */
  readonly from: number;
}

export type CertificateReply = { readonly certificatePem: string } | { readonly error: string };

/** RFC 5280: end entity that may sign, with subject key identifier as §4.2.1.2 (1) has it. */
function makeCertificate(request: CertificateRequest): string {
  const privateKey = forge.pki.privateKeyFromPem(request.privateKeyPem);
  const publicKey = forge.pki.rsa.setPublicKey(privateKey.n, privateKey.e);
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = publicKey;
  certificate.serialNumber = request.serial;
  certificate.validity.notBefore = new Date(request.from);
  certificate.validity.notAfter = new Date(request.from);
  certificate.validity.notAfter.setUTCFullYear(
    certificate.validity.notBefore.getUTCFullYear() + request.years,
  );
  const name = [
    { name: 'commonName', value: request.subject, valueTagClass: forge.asn1.Type.UTF8 },
  ] as unknown as forge.pki.CertificateField[];
  certificate.setSubject(name);
  certificate.setIssuer(name);
  certificate.setExtensions([
    { name: 'basicConstraints', cA: false, critical: true },
    { name: 'keyUsage', digitalSignature: true, nonRepudiation: true, critical: true },
    { name: 'subjectKeyIdentifier' },
    { name: 'authorityKeyIdentifier', keyIdentifier: true },
  ]);
  certificate.sign(privateKey, forge.md.sha256.create());
  return forge.pki.certificateToPem(certificate).replaceAll('\r\n', '\n');
}

process.once('message', (message) => {
  let reply: CertificateReply;
  try {
    reply = { certificatePem: makeCertificate(message as CertificateRequest) };
  } catch (error) {
    reply = { error: String(error) };
  }
  process.send?.(reply, () => {
    process.disconnect();
  });
});
