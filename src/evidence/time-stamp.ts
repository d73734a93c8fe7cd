import { Buffer } from 'node:buffer';
import { X509Certificate } from 'node:crypto';
import {
  childrenIn,
  childrenOf,
  expectTag,
  GENERALIZED_TIME,
  INTEGER,
  integerHex,
  objectId,
  OCTETS,
  readDer,
  SEQUENCE,
  SET,
  tagged,
  type Der,
} from './der.ts';
import { EvidenceError } from './evidence-error.ts';

/** A time stamp of RFC 3161 as it was read, nothing verified yet. */
export interface TimeStamp {
  /** ISO 8601, Z: when the authority says that it stamped. */
  readonly time: string;
  /** How far that may be off, milliseconds; 0 when not stated. */
  readonly accuracy: number;
  /** Hex. */
  readonly serial: string;
  readonly policy: string;
  /** Object identifier of the imprint's hash function, and the imprint. */
  readonly imprint: { readonly algorithm: string; readonly hash: Buffer };
  /** Hex; what the query had, when it had one. */
  readonly nonce: string | undefined;
  /** The octets that are signed for: the TSTInfo. */
  readonly info: Buffer;
  /** Certificates that came with it. */
  readonly certificates: readonly X509Certificate[];
  readonly signer: TimeStampSigner;
}

/** The SignerInfo of the token (RFC 5652 §5.3). */
export interface TimeStampSigner {
  /** Issuer's name (DER) and serial (hex), or the subject key identifier. */
  readonly id: { readonly issuer: Buffer; readonly serial: string } | { readonly keyId: Buffer };
  readonly digest: string;
  /** Attributes by their object identifier: the first value of each. */
  readonly attributes: ReadonlyMap<string, Der>;
  /** What the signature is over: the attributes as a SET. */
  readonly signed: Buffer;
  readonly algorithm: { readonly id: string; readonly parameters: Der | undefined };
  readonly signature: Buffer;
}

const SIGNED_DATA = '1.2.840.113549.1.7.2';
const TST_INFO = '1.2.840.113549.1.9.16.1.4';
/** PKIStatus granted and grantedWithMods. */
const GRANTED = new Set(['00', '01']);

/**
 * Reads a time-stamp response (a `.tsr` file) or the bare token. Throws EvidenceError BAD_TIME_STAMP for what is neither, for a
 * refusal of the authority, and for a token that is not signed by exactly one.
 */
export function readTimeStamp(bytes: Uint8Array): TimeStamp {
  try {
    return readToken(tokenIn(readDer(bytes)));
  } catch (error) {
    if (error instanceof EvidenceError && error.code === 'BAD_TIME_STAMP') throw error;
    throw new EvidenceError('BAD_TIME_STAMP', 'not a time-stamp response or token', { cause: error });
  }
}

/** The nonce of a time-stamp query (a `.tsq` file), hex; undefined when it has none. Throws EvidenceError BAD_TIME_STAMP. */
export function nonceOfQuery(bytes: Uint8Array): string | undefined {
  try {
    const [, , ...rest] = childrenIn(readDer(bytes), SEQUENCE);
    const nonce = rest.find(({ tag }) => tag === INTEGER);
    return nonce === undefined ? undefined : integerHex(nonce);
  } catch (error) {
    throw new EvidenceError('BAD_TIME_STAMP', 'not a time-stamp query', { cause: error });
  }
}

function tokenIn(value: Der): Der {
  const [first, second] = childrenIn(value, SEQUENCE);
  if (first?.tag !== SEQUENCE) return value;
  const [status] = childrenOf(first);
  const code = expectTag(status, INTEGER).content.toString('hex');
  if (!GRANTED.has(code)) throw new EvidenceError('BAD_TIME_STAMP', `the authority refused: status ${code}`);
  return expectTag(second, SEQUENCE);
}

function readToken(token: Der): TimeStamp {
  const [kind, wrapped] = childrenOf(token);
  if (objectId(kind) !== SIGNED_DATA) throw new EvidenceError('BAD_TIME_STAMP', 'not signed data');
  const [, , encapsulated, ...rest] = childrenIn(childrenIn(wrapped, tagged(0))[0], SEQUENCE);
  const [contentKind, content] = childrenIn(encapsulated, SEQUENCE);
  if (objectId(contentKind) !== TST_INFO) throw new EvidenceError('BAD_TIME_STAMP', 'signs something else');
  const info = expectTag(childrenIn(content, tagged(0))[0], OCTETS).content;
  const signers = childrenIn(rest.at(-1), SET);
  if (signers.length !== 1) throw new EvidenceError('BAD_TIME_STAMP', `signed by ${signers.length}`);
  const certificates = rest.find(({ tag }) => tag === tagged(0));
  return {
    ...readInfo(info),
    info,
    certificates: certificates === undefined ? [] : childrenOf(certificates).flatMap(readCertificateIn),
    signer: readSigner(signers[0]),
  };
}

/** Attribute certificates and the like are passed over. */
const readCertificateIn = (value: Der): readonly X509Certificate[] =>
  value.tag === SEQUENCE ? [new X509Certificate(value.whole)] : [];

/** TSTInfo, RFC 3161 §2.4.2. */
function readInfo(
  bytes: Buffer,
): Pick<TimeStamp, 'time' | 'accuracy' | 'serial' | 'policy' | 'imprint' | 'nonce'> {
  const [, policy, imprint, serial, time, ...optional] = childrenIn(readDer(bytes), SEQUENCE);
  const [algorithm, hash] = childrenIn(imprint, SEQUENCE);
  const nonce = optional.find(({ tag }) => tag === INTEGER);
  const accuracy = optional.find(({ tag }) => tag === SEQUENCE);
  return {
    time: readTime(expectTag(time, GENERALIZED_TIME).content.toString('latin1')),
    accuracy: accuracy === undefined ? 0 : readAccuracy(accuracy),
    serial: integerHex(serial),
    policy: objectId(policy),
    imprint: {
      algorithm: objectId(childrenIn(algorithm, SEQUENCE)[0]),
      hash: expectTag(hash, OCTETS).content,
    },
    nonce: nonce === undefined ? undefined : integerHex(nonce),
  };
}

function readTime(text: string): string {
  const [, year, month, day, hour, minute, second, fraction = ''] =
    /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d+))?Z$/.exec(text) ?? [];
  const time = new Date(
    `${year ?? ''}-${month ?? ''}-${day ?? ''}T${hour ?? ''}:${minute ?? ''}:${second ?? ''}.${fraction.padEnd(3, '0').slice(0, 3)}Z`,
  );
  if (Number.isNaN(time.getTime())) throw new EvidenceError('BAD_TIME_STAMP', `time ${text}`);
  return time.toISOString();
}

/** Seconds, then [0] milliseconds and [1] microseconds; rounded up. */
function readAccuracy(accuracy: Der): number {
  const units = new Map([
    [INTEGER, 1000],
    [0x80, 1],
    [0x81, 0.001],
  ]);
  const parts = childrenOf(accuracy).map(
    ({ tag, content }) => (units.get(tag) ?? 0) * Number.parseInt(content.toString('hex') || '0', 16),
  );
  return Math.ceil(parts.reduce((sum, part) => sum + part, 0));
}

function readSigner(signer: Der | undefined): TimeStampSigner {
  const [, id, digest, attributes, algorithm, signature] = childrenIn(signer, SEQUENCE);
  const { content, whole } = expectTag(attributes, tagged(0));
  const [algorithmId, parameters] = childrenIn(algorithm, SEQUENCE);
  return {
    id: readSignerId(id),
    digest: objectId(childrenIn(digest, SEQUENCE)[0]),
    attributes: new Map(readAttributes(content)),
    signed: Buffer.concat([Buffer.of(SET), whole.subarray(1)]),
    algorithm: { id: objectId(algorithmId), parameters },
    signature: expectTag(signature, OCTETS).content,
  };
}

function readSignerId(id: Der | undefined): TimeStampSigner['id'] {
  if (id?.tag === 0x80) return { keyId: id.content };
  const [issuer, serial] = childrenIn(id, SEQUENCE);
  return { issuer: expectTag(issuer, SEQUENCE).whole, serial: integerHex(serial) };
}

function readAttributes(content: Buffer): readonly (readonly [id: string, value: Der])[] {
  return childrenOf({ tag: SET, content, whole: content }).map((attribute) => {
    const [id, values] = childrenIn(attribute, SEQUENCE);
    const [value, ...more] = childrenIn(values, SET);
    if (value === undefined || more.length > 0) throw new EvidenceError('BAD_TIME_STAMP', 'attribute');
    return [objectId(id), value];
  });
}
