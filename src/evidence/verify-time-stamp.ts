import { Buffer } from 'node:buffer';
import { constants, createHash, verify, type X509Certificate } from 'node:crypto';
import {
  BOOLEAN,
  childrenIn,
  childrenOf,
  INTEGER,
  integerHex,
  objectId,
  OCTETS,
  readDer,
  SEQUENCE,
  tagged,
  type Der,
} from './der.ts';
import { chainOf, isWithin, subjectOf, validityOf } from './certificate-chain.ts';
import type { TimeStamp, TimeStampSigner } from './time-stamp.ts';

/** What a time stamp is held against. */
export interface TimeStampContext {
  /** The octets that should have been stamped. */
  readonly data: Uint8Array;
  /** Nonce of the query, hex, where the query was kept. */
  readonly nonce?: string | undefined;
  /** Certificates of authorities that the verifying person trusts; none means that this is left open. */
  readonly anchors: readonly X509Certificate[];
  /** Further certificates that may lead from the token to one of them; not trusted. */
  readonly others?: readonly X509Certificate[];
}

export interface CheckedTimeStamp {
  /** Why it does not hold; empty when it does. */
  readonly faults: readonly string[];
  /** Subject of the certificate that stamped. */
  readonly authority: string | undefined;
  /** Whether the chain ends in a certificate that was given. */
  readonly trusted: boolean;
}

const HASHES: ReadonlyMap<string, string> = new Map([
  ['2.16.840.1.101.3.4.2.1', 'sha256'],
  ['2.16.840.1.101.3.4.2.2', 'sha384'],
  ['2.16.840.1.101.3.4.2.3', 'sha512'],
]);
const CONTENT_TYPE = '1.2.840.113549.1.9.3';
const MESSAGE_DIGEST = '1.2.840.113549.1.9.4';
const SIGNING_CERTIFICATE = '1.2.840.113549.1.9.16.2.12';
const SIGNING_CERTIFICATE_V2 = '1.2.840.113549.1.9.16.2.47';
const TST_INFO = '1.2.840.113549.1.9.16.1.4';
const RSA_PSS = '1.2.840.113549.1.1.10';
const EXTENDED_KEY_USAGE = '2.5.29.37';
const TIME_STAMPING = '1.3.6.1.5.5.7.3.8';

/**
 * Verifies a time stamp (RFC 3161 §2.2, RFC 5652 §5.4, RFC 5035): imprint, nonce, signature, that the certificate is for time
 * stamps alone, and that its chain was valid at the stated time. Never throws.
 */
export function verifyTimeStamp(stamp: TimeStamp, context: TimeStampContext): CheckedTimeStamp {
  try {
    return check(stamp, context);
  } catch {
    return {
      faults: ['holds a certificate or attribute that cannot be read'],
      authority: undefined,
      trusted: false,
    };
  }
}

function check(stamp: TimeStamp, { data, nonce, anchors, others = [] }: TimeStampContext): CheckedTimeStamp {
  const faults: string[] = [];
  const hash = HASHES.get(stamp.imprint.algorithm);
  if (hash === undefined) faults.push(`its hash function ${stamp.imprint.algorithm} is not accepted`);
  else if (!createHash(hash).update(data).digest().equals(stamp.imprint.hash))
    faults.push('is over other content');
  if (nonce !== undefined && nonce !== stamp.nonce)
    faults.push('does not answer the query kept beside it: the nonce differs');
  const certificates = [...stamp.certificates, ...others];
  const certificate = [...certificates, ...anchors].find((each) => isOf(each, stamp.signer));
  if (certificate === undefined)
    return {
      faults: [...faults, 'holds no certificate of its authority'],
      authority: undefined,
      trusted: false,
    };
  faults.push(...signatureFaults(stamp, certificate), ...purposeFaults(certificate));
  const chain = chainOf(certificate, anchors, certificates);
  for (const each of chain.certificates)
    if (!isWithin(validityOf([each]), Date.parse(stamp.time)))
      faults.push(`the certificate of ${subjectOf(each)} was not valid at ${stamp.time}`);
  if (anchors.length > 0 && !chain.trusted)
    faults.push(`the chain of ${subjectOf(certificate)} does not lead to a given authority`);
  return { faults, authority: subjectOf(certificate), trusted: chain.trusted };
}

function isOf(certificate: X509Certificate, { id }: TimeStampSigner): boolean {
  const parts = partsOf(certificate);
  if ('keyId' in id) return parts.keyId?.equals(id.keyId) ?? false;
  return parts.serial === id.serial && parts.issuer.equals(id.issuer);
}

interface CertificateParts {
  readonly serial: string;
  readonly issuer: Buffer;
  readonly keyId: Buffer | undefined;
  readonly purposes: { readonly critical: boolean; readonly ids: readonly string[] } | undefined;
}

/** What node:crypto does not tell of a certificate (RFC 5280 §4.1). */
function partsOf(certificate: X509Certificate): CertificateParts {
  const fields = childrenIn(childrenIn(readDer(certificate.raw), SEQUENCE)[0], SEQUENCE);
  const [serial, , issuer] = fields[0]?.tag === tagged(0) ? fields.slice(1) : fields;
  const last = fields.at(-1);
  const extensions = last?.tag === tagged(3) ? childrenIn(childrenOf(last)[0], SEQUENCE) : [];
  const found = new Map(extensions.map((extension) => readExtension(extension)));
  const keyId = found.get('2.5.29.14');
  const purposes = found.get(EXTENDED_KEY_USAGE);
  return {
    serial: integerHex(serial),
    issuer: issuer?.whole ?? Buffer.alloc(0),
    keyId: keyId === undefined ? undefined : readDer(keyId.value).content,
    purposes: purposes && {
      critical: purposes.critical,
      ids: childrenIn(readDer(purposes.value), SEQUENCE).map(objectId),
    },
  };
}

function readExtension(extension: Der): readonly [string, { critical: boolean; value: Buffer }] {
  const [id, ...rest] = childrenIn(extension, SEQUENCE);
  const value = rest.find(({ tag }) => tag === OCTETS)?.content ?? Buffer.alloc(0);
  const critical = rest.some(({ tag, content }) => tag === BOOLEAN && content[0] === 0xff);
  return [objectId(id), { critical, value }];
}

function purposeFaults(certificate: X509Certificate): readonly string[] {
  const { purposes } = partsOf(certificate);
  const right = purposes?.critical === true && purposes.ids.length === 1 && purposes.ids[0] === TIME_STAMPING;
  return right ? [] : ['its certificate is not one for time stamps alone (extended key usage, critical)'];
}

function signatureFaults({ info, signer }: TimeStamp, certificate: X509Certificate): readonly string[] {
  const faults: string[] = [];
  const digest = HASHES.get(signer.digest);
  if (digest === undefined) return [`its digest ${signer.digest} is not accepted`];
  const kind = signer.attributes.get(CONTENT_TYPE);
  if (kind === undefined || objectId(kind) !== TST_INFO) faults.push('signs another kind of content');
  const stated = signer.attributes.get(MESSAGE_DIGEST)?.content;
  if (stated === undefined || !createHash(digest).update(info).digest().equals(stated))
    faults.push('its content was altered');
  if (!namesCertificate(signer, certificate)) faults.push('names another certificate as its own');
  if (!isSigned(signer, digest, certificate)) faults.push('its signature does not fit');
  return faults;
}

function isSigned(signer: TimeStampSigner, digest: string, certificate: X509Certificate): boolean {
  try {
    const key = certificate.publicKey;
    if (key.asymmetricKeyType === 'ed25519') return verify(null, signer.signed, key, signer.signature);
    if (signer.algorithm.id !== RSA_PSS) return verify(digest, signer.signed, key, signer.signature);
    const padding = constants.RSA_PKCS1_PSS_PADDING;
    const saltLength = saltLengthIn(signer.algorithm.parameters);
    return verify(digest, signer.signed, { key, padding, saltLength }, signer.signature);
  } catch {
    return false;
  }
}

/** RFC 4055 §3.1: `[2]` of the parameters, 20 by default. */
function saltLengthIn(parameters: Der | undefined): number {
  const salt = parameters && childrenOf(parameters).find(({ tag }) => tag === tagged(2));
  const value = salt && childrenOf(salt).find(({ tag }) => tag === INTEGER);
  return value === undefined ? 20 : Number.parseInt(integerHex(value), 16);
}

/** RFC 5035: the signed attribute that binds the certificate; its first hash is the signer's. */
function namesCertificate({ attributes }: TimeStampSigner, certificate: X509Certificate): boolean {
  const v2 = attributes.get(SIGNING_CERTIFICATE_V2);
  const attribute = v2 ?? attributes.get(SIGNING_CERTIFICATE);
  if (attribute === undefined) return false;
  const [first, second] = childrenIn(childrenIn(childrenIn(attribute, SEQUENCE)[0], SEQUENCE)[0], SEQUENCE);
  const named = first?.tag === SEQUENCE ? second : first;
  const stated = first?.tag === SEQUENCE ? HASHES.get(objectId(childrenOf(first)[0])) : 'sha256';
  const hash = v2 === undefined ? 'sha1' : stated;
  if (hash === undefined || named?.tag !== OCTETS) return false;
  return createHash(hash).update(certificate.raw).digest().equals(named.content);
}
