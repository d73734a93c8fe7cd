import { Secret } from './secret.ts';

/** Suites that can be answered, with the bytes of their key and salt (RFC 4568 §6.2, RFC 6188 §4.1, RFC 7714 §14.2). */
const KEY_BYTES = {
  AES_CM_128_HMAC_SHA1_80: 30,
  AES_CM_128_HMAC_SHA1_32: 30,
  AES_192_CM_HMAC_SHA1_80: 38,
  AES_192_CM_HMAC_SHA1_32: 38,
  AES_256_CM_HMAC_SHA1_80: 46,
  AES_256_CM_HMAC_SHA1_32: 46,
  AEAD_AES_128_GCM: 28,
  AEAD_AES_256_GCM: 44,
} as const;

export type CryptoSuite = keyof typeof KEY_BYTES;

export const keyBytesOf = (suite: CryptoSuite): number => KEY_BYTES[suite];

/** One master key with its salt, and the identifier its packets carry. */
interface CryptoKey {
  readonly secret: Secret;
  readonly mki?: Uint8Array;
}

/** An `a=crypto` line that we can do what it asks for. */
export interface OfferedCrypto {
  readonly tag: string;
  readonly suite: CryptoSuite;
  readonly keys: readonly CryptoKey[];
  /** RTCP goes in clear, authenticated alone. */
  readonly unencryptedRtcp: boolean;
}

const MAX_KEYS = 8;
const MAX_MKI_BYTES = 128;
/** RFC 3711 §9.2: packets under one key. */
const MOST_PACKETS = 2n ** 48n;

/**
 * Reads the value of `a=crypto` (RFC 4568 §9.2): `1 AES_CM_128_HMAC_SHA1_80 inline:<key and salt>|2^20|1:4 UNENCRYPTED_SRTCP`. Undefined for one
 * that cannot or must not be answered: unknown suites, keys of a wrong length, and session parameters that we do not know
 * or that take the protection away from the audio (UNENCRYPTED_SRTP, UNAUTHENTICATED_SRTP).
 */
export function parseCrypto(value: string): OfferedCrypto | undefined {
  const [tag = '', name = '', inline = '', ...parameters] = value.split(/\s+/);
  const suite = suiteOf(name);
  if (!/^\d{1,9}$/.test(tag) || suite === undefined || !parameters.every(isTolerable)) return undefined;
  const keys = inline.split(';').map((text) => parseKey(text, KEY_BYTES[suite]));
  if (keys.length > MAX_KEYS || !keys.every((key) => key !== undefined) || !isTellable(keys))
    return undefined;
  return { tag, suite, keys, unencryptedRtcp: parameters.includes('UNENCRYPTED_SRTCP') };
}

const suiteOf = (name: string): CryptoSuite | undefined =>
  (Object.keys(KEY_BYTES) as CryptoSuite[]).find((suite) => suite === name.toUpperCase());

/** A parameter with a dash in front may be ignored (RFC 4568 §6.3.7); our window is larger than any hint. */
const isTolerable = (parameter: string): boolean =>
  parameter === '' ||
  parameter === 'UNENCRYPTED_SRTCP' ||
  /^WSH=\d{1,6}$/.test(parameter) ||
  parameter.startsWith('-');

/** Several keys need identifiers, all of one length, all different. */
function isTellable(keys: readonly CryptoKey[]): boolean {
  const names = keys.map(({ mki }) => (mki === undefined ? '' : Buffer.from(mki).toString('hex')));
  return new Set(names).size === names.length && names.every(({ length }) => length === names[0]?.length);
}

/** `inline:<base64>[|<lifetime>][|<mki>:<length>]`; either of the two can be left out. */
function parseKey(text: string, bytes: number): CryptoKey | undefined {
  const match = /^inline:([A-Za-z0-9+/]{1,128}={0,2})((?:\|[^|]{0,64}){0,2})$/i.exec(text);
  const key = Buffer.from(match?.[1] ?? '', 'base64');
  if (match === null || key.length !== bytes) return undefined;
  const fields = (match[2] ?? '').split('|').slice(1);
  const lifetime = fields.find((field) => !field.includes(':'));
  const identifier = fields.find((field) => field.includes(':'));
  if (lifetime !== undefined && !isLifetime(lifetime)) return undefined;
  const secret = new Secret(key);
  if (identifier === undefined) return { secret };
  const mki = parseMki(identifier);
  return mki && { secret, mki };
}

/** `2^20` or a decimal number. A client that sends more packets than it announced is recorded all the same. */
function isLifetime(text: string): boolean {
  const [, power, decimal] = /^(?:2\^(\d{1,2})|(\d{1,15}))$/.exec(text) ?? [];
  if (power !== undefined) return Number(power) <= 48;
  return decimal !== undefined && BigInt(decimal) > 0n && BigInt(decimal) <= MOST_PACKETS;
}

/** `1:4` is the number 1 in four bytes. */
function parseMki(text: string): Uint8Array | undefined {
  const [, digits = '', size = ''] = /^(\d{1,40}):(\d{1,3})$/.exec(text) ?? [];
  const length = Number(size);
  if (digits === '' || length < 1 || length > MAX_MKI_BYTES) return undefined;
  const hex = BigInt(digits)
    .toString(16)
    .padStart(length * 2, '0');
  return hex.length === length * 2 ? Uint8Array.from(Buffer.from(hex, 'hex')) : undefined;
}

/** Our own line in the answer: tag and suite of the offered one, a key of ours (RFC 4568 §5.1.2). */
export function formatCrypto(
  crypto: Pick<OfferedCrypto, 'tag' | 'suite' | 'unencryptedRtcp'>,
  own: Secret,
): string {
  const parameters = crypto.unencryptedRtcp ? ' UNENCRYPTED_SRTCP' : '';
  return `a=crypto:${crypto.tag} ${crypto.suite} inline:${own.reveal().toString('base64')}${parameters}`;
}
