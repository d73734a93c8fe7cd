import { createHash, generateKeyPair, randomBytes, sign, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';

/**
 * The key and self-signed certificate that our ends of DTLS show, in DER, and the certificate's SHA-256 as RFC 8122 writes it. Plain data: it
 * crosses to the media threads and goes nowhere else.
 */
export interface DtlsIdentity {
  /** PKCS#8. */
  readonly key: Uint8Array;
  readonly certificate: Uint8Array;
  /** `AB:CD:…`, of SHA-256. */
  readonly fingerprint: string;
}

const generate = promisify(generateKeyPair);

const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';
const COMMON_NAME = '2.5.4.3';
/** Clients compare the fingerprint, not the dates; some refuse certificates of more than a year. */
const VALID_DAYS = 365;
const DAY_MS = 86_400_000;

/**
 * Makes a key on P-256, a fifth of the cost of RSA in every handshake, with a certificate that names nobody. It lives as long as the process and
 * is written nowhere: nothing but the fingerprint in our answers refers to it.
 */
export async function makeDtlsIdentity(now: number): Promise<DtlsIdentity> {
  const { privateKey, publicKey } = await generate('ec', { namedCurve: 'P-256' });
  const certificate = selfSigned(privateKey, publicKey, now);
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'der' }),
    certificate,
    fingerprint: colons(createHash('sha256').update(certificate).digest()),
  };
}

export const colons = (digest: Buffer): string =>
  digest
    .toString('hex')
    .toUpperCase()
    .replace(/..(?=.)/g, '$&:');

/** X.509 version 1 as RFC 5280 §4.1 lays it out: without extensions, which nobody asks for here. */
function selfSigned(privateKey: KeyObject, publicKey: KeyObject, now: number): Buffer {
  const algorithm = der(0x30, objectId(ECDSA_WITH_SHA256));
  const name = der(0x30, der(0x31, der(0x30, objectId(COMMON_NAME), der(0x0c, Buffer.from('recorder')))));
  const serial = randomBytes(16);
  // Positive, and not shortened by a leading zero.
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  const toBeSigned = der(
    0x30,
    der(0x02, serial),
    algorithm,
    name,
    der(0x30, time(now - DAY_MS), time(now + VALID_DAYS * DAY_MS)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
  );
  const signature = sign('sha256', toBeSigned, privateKey);
  return der(0x30, toBeSigned, algorithm, der(0x03, Buffer.of(0), signature));
}

/** UTCTime, which holds until 2049. */
const time = (at: number): Buffer =>
  der(0x17, Buffer.from(`${new Date(at).toISOString().slice(2, 19).replace(/[-T:]/g, '')}Z`));

/** One DER value: tag, length, contents one behind the other. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  if (body.length < 0x80) return Buffer.concat([Buffer.of(tag, body.length), body]);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(body.length);
  return Buffer.concat([Buffer.of(tag, 0x82), length, body]);
}

function objectId(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((part) => {
    const groups = [part & 0x7f];
    for (let left = part >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    return groups;
  });
  return der(0x06, Buffer.from(bytes));
}
