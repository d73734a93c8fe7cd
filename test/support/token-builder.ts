import { Buffer } from 'node:buffer';
import { createHash, createPrivateKey, sign, X509Certificate } from 'node:crypto';
import { childrenIn, readDer, SEQUENCE, tagged } from '../../src/evidence/der.ts';

/** A time-stamp authority that stamps at any time asked for; equal requests give equal tokens. */
export interface TokenKey {
  readonly privateKeyPem: string;
  readonly certificatePem: string;
}

export interface TokenRequest {
  readonly data: Uint8Array;
  /** Epoch milliseconds, whole seconds. */
  readonly at: number;
  readonly serial: number;
  readonly nonce?: number;
  /** Whether the certificate is put in. Default true. */
  readonly withCertificate?: boolean;
}

const OIDS = {
  signedData: '06092a864886f70d010702',
  tstInfo: '060b2a864886f70d0109100104',
  contentType: '06092a864886f70d010903',
  messageDigest: '06092a864886f70d010904',
  signingCertificateV2: '060b2a864886f70d010910022f',
  sha256: '0609608648016503040201',
  rsaWithSha256: '06092a864886f70d01010b',
  policy: '06042a030405',
} as const;

const oid = (name: keyof typeof OIDS): Buffer => Buffer.from(OIDS[name], 'hex');
const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

function tlv(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...size), content]);
}

const seq = (...parts: readonly Uint8Array[]): Buffer => tlv(0x30, ...parts);
const set = (...parts: readonly Uint8Array[]): Buffer => tlv(0x31, ...parts);
const octets = (bytes: Uint8Array): Buffer => tlv(0x04, bytes);
const hashAlgorithm = (): Buffer => seq(oid('sha256'), Buffer.from('0500', 'hex'));

function integer(value: number): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  return tlv(0x02, (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
}

/** A response of RFC 3161 §2.4.2, status granted. */
export function buildToken(key: TokenKey, request: TokenRequest): Buffer {
  const certificate = new X509Certificate(key.certificatePem);
  const time = new Date(request.at).toISOString().replace(/[-:T]|\..*/g, '');
  const info = seq(
    integer(1),
    oid('policy'),
    seq(hashAlgorithm(), octets(sha256(request.data))),
    integer(request.serial),
    tlv(0x18, Buffer.from(`${time}Z`)),
    seq(integer(1)),
    ...(request.nonce === undefined ? [] : [integer(request.nonce)]),
  );
  const attributes = [
    seq(oid('contentType'), set(oid('tstInfo'))),
    seq(oid('messageDigest'), set(octets(sha256(info)))),
    seq(oid('signingCertificateV2'), set(seq(seq(seq(octets(sha256(certificate.raw))))))),
  ].sort((a, b) => Buffer.compare(a, b));
  const signature = sign('sha256', set(...attributes), createPrivateKey(key.privateKeyPem));
  const fields = childrenIn(childrenIn(readDer(certificate.raw), SEQUENCE)[0], SEQUENCE);
  const [serial, , issuer] = fields[0]?.tag === tagged(0) ? fields.slice(1) : fields;
  const signer = seq(
    integer(1),
    seq(issuer?.whole ?? Buffer.alloc(0), serial?.whole ?? Buffer.alloc(0)),
    hashAlgorithm(),
    tlv(0xa0, ...attributes),
    seq(oid('rsaWithSha256'), Buffer.from('0500', 'hex')),
    octets(signature),
  );
  const signed = seq(
    integer(3),
    set(hashAlgorithm()),
    seq(oid('tstInfo'), tlv(0xa0, octets(info))),
    ...(request.withCertificate === false ? [] : [tlv(0xa0, certificate.raw)]),
    set(signer),
  );
  return seq(seq(integer(0)), seq(oid('signedData'), tlv(0xa0, signed)));
}

/** The query that such a response answers. */
export const buildQuery = (data: Uint8Array, nonce: number): Buffer =>
  seq(integer(1), seq(hashAlgorithm(), octets(sha256(data))), integer(nonce), Buffer.from('0101ff', 'hex'));
