import { Buffer } from 'node:buffer';
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  sign,
  verify,
  X509Certificate,
  type KeyObject,
} from 'node:crypto';
import { EvidenceError } from './evidence-error.ts';

/** Signs with the key of this node. A PKCS#11 or KMS key can stand behind the same interface (evidence.md 1.6). */
export interface Signer {
  /** RSA PKCS#1 v1.5 with SHA-256: the same bytes always give the same signature. Never blocks the event loop. */
  readonly sign: (bytes: Uint8Array) => Promise<Buffer>;
  readonly algorithm: 'RSA-PKCS1-SHA256';
  /** SHA-256 of the public key's SubjectPublicKeyInfo, hex. */
  readonly key: string;
  readonly certificatePem: string;
  /** All that this node ever signed under, as far as they are known, PEM; the one in use is the last. */
  readonly certificates: readonly string[];
  /** Certificates of the authorities that any of them was issued by, up to the root, PEM. */
  readonly issuers: readonly string[];
}

/** What a signer knows beside its own certificate, PEM. */
export interface FurtherCertificates {
  /** Those that the node signed under before. */
  readonly former?: readonly string[];
  readonly issuers?: readonly string[];
}

/** Smallest modulus in bits; BSI TR-02102 asks for 3000 and more. */
const MODULUS_BITS = 3072;

/** A signer over a key in memory. Throws EvidenceError BAD_KEY: unreadable, not RSA, under 3072 bits, or not the certificate's. */
export function createSigner(
  privateKeyOrPem: string | KeyObject,
  certificatePem: string,
  { former = [], issuers = [] }: FurtherCertificates = {},
): Signer {
  const certificate = readCertificate(certificatePem);
  const privateKey = typeof privateKeyOrPem === 'string' ? readPrivateKey(privateKeyOrPem) : privateKeyOrPem;
  requireStrong(privateKey);
  if (!certificate.checkPrivateKey(privateKey))
    throw new EvidenceError('BAD_KEY', 'the certificate belongs to another key');
  return {
    key: spkiFingerprint(certificate.publicKey),
    algorithm: 'RSA-PKCS1-SHA256',
    certificatePem,
    certificates: [...new Set([...former, certificatePem])],
    issuers,
    sign: (bytes) =>
      new Promise((resolve, reject) => {
        sign('sha256', bytes, privateKey, (error, signature) => {
          if (error === null) resolve(signature);
          else reject(new EvidenceError('BAD_KEY', 'the key cannot sign', { cause: error }));
        });
      }),
  };
}

/** Whether the signature was made over the bytes by the key; false also for a key too weak to count. Never throws. */
export function verifySignature(publicKey: KeyObject, bytes: Uint8Array, signature: Uint8Array): boolean {
  try {
    requireStrong(publicKey);
    return verify('sha256', bytes, publicKey, signature);
  } catch {
    return false;
  }
}

/** SHA-256 of a public key's SubjectPublicKeyInfo, hex. */
export function spkiFingerprint(publicKey: KeyObject): string {
  const key = publicKey.type === 'private' ? createPublicKey(publicKey) : publicKey;
  return sha256(key.export({ type: 'spki', format: 'der' }));
}

/** SHA-256 of a certificate's DER, hex: what `openssl x509 -fingerprint -sha256` prints. Throws EvidenceError BAD_KEY. */
export const certificateFingerprint = (certificatePem: string): string =>
  sha256(readCertificate(certificatePem).raw);

/** Throws EvidenceError BAD_KEY when the text is not a certificate. */
export function readCertificate(certificatePem: string): X509Certificate {
  try {
    return new X509Certificate(certificatePem);
  } catch (error) {
    throw new EvidenceError('BAD_KEY', 'not a certificate', { cause: error });
  }
}

function readPrivateKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    throw new EvidenceError('BAD_KEY', 'not a private key', { cause: error });
  }
}

function requireStrong(key: KeyObject): void {
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (key.asymmetricKeyType !== 'rsa' || bits < MODULUS_BITS)
    throw new EvidenceError('BAD_KEY', `not an RSA key of at least ${MODULUS_BITS} bits`);
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
