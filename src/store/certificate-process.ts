// A program of its own, started by certificate.ts: makes a certificate, a request or a PKCS#12 file, or opens one, and ends. node-forge
// works in pure JavaScript and would hold up the event loop of a server that records.
import process from 'node:process';
import forge from 'node-forge';

/** What the parent sends, once. */
export type CertificateRequest =
  | {
      readonly kind: 'certificate';
      readonly privateKeyPem: string;
      /** Common name of subject and issuer. */
      readonly subject: string;
      /** Hex, positive. */
      readonly serial: string;
      readonly years: number;
      /** Epoch milliseconds. */
      readonly from: number;
    }
  | { readonly kind: 'request'; readonly privateKeyPem: string; readonly subject: string }
  | {
      readonly kind: 'pack';
      readonly privateKeyPem: string;
      /** Ours first. */
      readonly certificates: readonly string[];
      readonly password: string;
    }
  | { readonly kind: 'unpack'; readonly base64: string; readonly password: string };

/** PEM texts; of `pack` one in base64; of `unpack` the key first. */
export type CertificateReply = { readonly texts: readonly string[] } | { readonly error: string };

type Of<Kind> = Extract<CertificateRequest, { readonly kind: Kind }>;

/** Of the PKCS#12 file, in pure JavaScript; its protection is the password, which goes another way. */
const PACK_ITERATIONS = 20_000;

const nameOf = (subject: string): forge.pki.CertificateField[] =>
  [
    { name: 'commonName', value: subject, valueTagClass: forge.asn1.Type.UTF8 },
  ] as unknown as forge.pki.CertificateField[];

const unix = (pem: string): string => pem.replaceAll('\r\n', '\n');

/** RFC 5280: end entity that may sign, with subject key identifier as §4.2.1.2 (1) has it. */
function makeCertificate(request: Of<'certificate'>): string {
  const privateKey = forge.pki.privateKeyFromPem(request.privateKeyPem);
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.rsa.setPublicKey(privateKey.n, privateKey.e);
  certificate.serialNumber = request.serial;
  certificate.validity.notBefore = new Date(request.from);
  certificate.validity.notAfter = new Date(request.from);
  certificate.validity.notAfter.setUTCFullYear(
    certificate.validity.notBefore.getUTCFullYear() + request.years,
  );
  certificate.setSubject(nameOf(request.subject));
  certificate.setIssuer(nameOf(request.subject));
  certificate.setExtensions([
    { name: 'basicConstraints', cA: false, critical: true },
    { name: 'keyUsage', digitalSignature: true, nonRepudiation: true, critical: true },
    { name: 'subjectKeyIdentifier' },
    { name: 'authorityKeyIdentifier', keyIdentifier: true },
  ]);
  certificate.sign(privateKey, forge.md.sha256.create());
  return unix(forge.pki.certificateToPem(certificate));
}

/** PKCS#10 (RFC 2986), asking for what a certificate of ours has. */
function makeRequest(request: Of<'request'>): string {
  const privateKey = forge.pki.privateKeyFromPem(request.privateKeyPem);
  const made = forge.pki.createCertificationRequest();
  made.publicKey = forge.pki.rsa.setPublicKey(privateKey.n, privateKey.e);
  made.setSubject(nameOf(request.subject));
  made.setAttributes([
    {
      name: 'extensionRequest',
      extensions: [
        { name: 'basicConstraints', cA: false, critical: true },
        { name: 'keyUsage', digitalSignature: true, nonRepudiation: true, critical: true },
      ],
    },
  ]);
  made.sign(privateKey, forge.md.sha256.create());
  return unix(forge.pki.certificationRequestToPem(made));
}

/** PKCS#12 (RFC 7292) with AES-256. */
function pack({ privateKeyPem, certificates, password }: Of<'pack'>): string {
  const packed = forge.pkcs12.toPkcs12Asn1(
    forge.pki.privateKeyFromPem(privateKeyPem),
    certificates.map((pem) => forge.pki.certificateFromPem(pem)),
    password,
    { algorithm: 'aes256', count: PACK_ITERATIONS, friendlyName: 'sealtape' },
  );
  return forge.util.encode64(forge.asn1.toDer(packed).getBytes());
}

function unpack({ base64, password }: Of<'unpack'>): readonly string[] {
  const packed = forge.pkcs12.pkcs12FromAsn1(forge.asn1.fromDer(forge.util.decode64(base64)), password);
  const bags = packed.safeContents.flatMap(({ safeBags }) => safeBags);
  const keys = bags.flatMap(({ key }) => (key ? [forge.pki.privateKeyToPem(key)] : []));
  if (keys.length !== 1) throw new Error(`it holds ${keys.length} RSA keys instead of one`);
  const certificates = bags.flatMap(({ cert }) => (cert ? [forge.pki.certificateToPem(cert)] : []));
  return [...keys, ...certificates].map(unix);
}

function answer(request: CertificateRequest): readonly string[] {
  switch (request.kind) {
    case 'certificate':
      return [makeCertificate(request)];
    case 'request':
      return [makeRequest(request)];
    case 'pack':
      return [pack(request)];
    case 'unpack':
      return unpack(request);
  }
}

process.once('message', (message) => {
  let reply: CertificateReply;
  try {
    reply = { texts: answer(message as CertificateRequest) };
  } catch (error) {
    reply = { error: (error as Error).message };
  }
  process.send?.(reply, () => {
    process.disconnect();
  });
});
