import { createHmac, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { addressOctets } from '../address-octets.ts';

/*
 *   0                   1                   2                   3
 *  |0 0|     message type          |        message length         |   STUN (RFC 8489 §5); the length is that of what follows
 *  |                         magic cookie                          |   these 20 octets
 *  |                     transaction ID (96 bits)                  |
 *  |        attribute type         |        attribute length       |   §14: value padded to 4 octets
 */
export const HEADER = 20;
export const COOKIE = 0x2112_a442;
const ATTRIBUTE_HEADER = 4;

const BINDING_REQUEST = 0x0001;
const BINDING_SUCCESS = 0x0101;
const BINDING_ERROR = 0x0111;

const USERNAME = 0x0006;
const MESSAGE_INTEGRITY = 0x0008;
const ERROR_CODE = 0x0009;
const UNKNOWN_ATTRIBUTES = 0x000a;
const XOR_MAPPED_ADDRESS = 0x0020;
const USE_CANDIDATE = 0x0025;
const FINGERPRINT = 0x8028;
const ICE_CONTROLLED = 0x8029;

/**
 * Attributes below 0x8000 that need not be refused: those above, PRIORITY, which means nothing to an agent that sends no checks of its own, the
 * integrity of RFC 8489 beside that of RFC 8445, and what long-term credentials and old agents add.
 */
const UNDERSTOOD = new Set([
  0x0001,
  USERNAME,
  MESSAGE_INTEGRITY,
  0x0014,
  0x0015,
  0x001c,
  0x001d,
  0x001e,
  XOR_MAPPED_ADDRESS,
  0x0024,
  USE_CANDIDATE,
]);

const INTEGRITY_BYTES = 20;
const FINGERPRINT_XOR = 0x5354_554e;

/** A check of an ICE agent (RFC 8445 §7.1), as it stands in its datagram. */
export interface BindingRequest {
  readonly message: Buffer;
  readonly username: string | undefined;
  /** Where MESSAGE-INTEGRITY begins; undefined without one. */
  readonly integrityAt: number | undefined;
  /** It takes itself for the controlled end, which is us. */
  readonly isControlled: boolean;
  readonly usesCandidate: boolean;
  /** Attributes that would have to be understood and are not. */
  readonly unknown: readonly number[];
}

/** Undefined for everything that is no sound binding request: indications, answers, other methods, a wrong fingerprint. Never throws. */
export function readBindingRequest(message: Buffer): BindingRequest | undefined {
  const found = isRequest(message) ? attributesIn(message) : undefined;
  return found && requestOf(message, found);
}

const isRequest = (message: Buffer): boolean =>
  message.length >= HEADER &&
  message.readUInt16BE(0) === BINDING_REQUEST &&
  message.readUInt16BE(2) === message.length - HEADER &&
  message.readUInt32BE(4) === COOKIE;

/** Where the attributes begin, by type. Undefined where they do not fill the message, or do not fit its fingerprint. */
function attributesIn(message: Buffer): ReadonlyMap<number, number> | undefined {
  const found = new Map<number, number>();
  let at = HEADER;
  while (at + ATTRIBUTE_HEADER <= message.length) {
    const type = message.readUInt16BE(at);
    const end = at + ATTRIBUTE_HEADER + message.readUInt16BE(at + 2);
    if (end > message.length) return undefined;
    if (type === FINGERPRINT && !isFingerprint(message, at)) return undefined;
    // What follows the integrity is not covered by it (RFC 8489 §14.5).
    if ((!found.has(MESSAGE_INTEGRITY) || type === FINGERPRINT) && !found.has(type)) found.set(type, at);
    at = end + (-end & 3);
  }
  return at === message.length ? found : undefined;
}

function requestOf(message: Buffer, found: ReadonlyMap<number, number>): BindingRequest {
  const username = found.get(USERNAME);
  const integrityAt = found.get(MESSAGE_INTEGRITY);
  return {
    message,
    username: username === undefined ? undefined : valueAt(message, username).toString('utf8'),
    integrityAt,
    isControlled: found.has(ICE_CONTROLLED),
    usesCandidate: found.has(USE_CANDIDATE),
    unknown: [...found.keys()].filter((type) => type < 0x8000 && !UNDERSTOOD.has(type)),
  };
}

const valueAt = (message: Buffer, at: number): Buffer =>
  message.subarray(at + ATTRIBUTE_HEADER, at + ATTRIBUTE_HEADER + message.readUInt16BE(at + 2));

/** It is the last one, and its sum is right (RFC 8489 §14.7). */
function isFingerprint(message: Buffer, at: number): boolean {
  if (at + 8 !== message.length || message.readUInt16BE(at + 2) !== 4) return false;
  return message.readUInt32BE(at + ATTRIBUTE_HEADER) === fingerprintOf(message.subarray(0, at));
}

const fingerprintOf = (message: Buffer): number => (crc32(message) ^ FINGERPRINT_XOR) >>> 0;

/** Whether whoever sent it knows the password (short-term credentials, RFC 8489 §9.1.3). */
export function isAuthentic({ message, integrityAt }: BindingRequest, password: string): boolean {
  if (integrityAt === undefined) return false;
  const shown = valueAt(message, integrityAt);
  if (shown.length !== INTEGRITY_BYTES) return false;
  const covered = Buffer.from(message.subarray(0, integrityAt));
  covered.writeUInt16BE(integrityAt + ATTRIBUTE_HEADER + INTEGRITY_BYTES - HEADER, 2);
  return timingSafeEqual(shown, integrityOf(covered, password));
}

const integrityOf = (covered: Buffer, password: string): Buffer =>
  createHmac('sha1', password).update(covered).digest();

/** Tells a check from where it came; `source` is `address` and `port` (RFC 8445 §7.3.1.2). */
export function composeSuccess(
  request: BindingRequest,
  source: { readonly address: string; readonly port: number },
  password: string,
): Buffer {
  return sealed(request, BINDING_SUCCESS, [mappedAddress(request.message, source)], password);
}

/** Turns a check away. Without a password the answer has no integrity, as RFC 8489 §9.1.3 wants it for those who have shown none. */
export function composeError(request: BindingRequest, code: number, password?: string): Buffer {
  const reason = Buffer.from(REASONS.get(code) ?? '');
  const error = Buffer.concat([Buffer.of(0, 0, Math.floor(code / 100), code % 100), reason]);
  const unknown = Buffer.alloc(request.unknown.length * 2);
  request.unknown.forEach((type, index) => unknown.writeUInt16BE(type, index * 2));
  const attributes = [attribute(ERROR_CODE, error)];
  if (code === 420) attributes.push(attribute(UNKNOWN_ATTRIBUTES, unknown));
  return sealed(request, BINDING_ERROR, attributes, password);
}

const REASONS: ReadonlyMap<number, string> = new Map([
  [400, 'Bad Request'],
  [401, 'Unauthenticated'],
  [420, 'Unknown Attribute'],
  [487, 'Role Conflict'],
]);

function mappedAddress(request: Buffer, { address, port }: { address: string; port: number }): Buffer {
  const octets = addressOctets(address);
  const value = Buffer.alloc(4 + octets.length);
  value[1] = octets.length === 4 ? 1 : 2;
  value.writeUInt16BE(port ^ (COOKIE >>> 16), 2);
  // Cookie and transaction stand behind each other in the header, as they are needed here.
  octets.forEach((octet, index) => (value[4 + index] = octet ^ (request[4 + index] ?? 0)));
  return attribute(XOR_MAPPED_ADDRESS, value);
}

function attribute(type: number, value: Buffer): Buffer {
  const head = Buffer.alloc(ATTRIBUTE_HEADER);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(value.length, 2);
  return Buffer.concat([head, value, Buffer.alloc(-value.length & 3)]);
}

function sealed(
  { message }: BindingRequest,
  type: number,
  attributes: readonly Buffer[],
  password: string | undefined,
): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(type, 0);
  const bare = Buffer.concat([head, message.subarray(4, HEADER), ...attributes]);
  const signed =
    password === undefined
      ? bare
      : appended(bare, MESSAGE_INTEGRITY, INTEGRITY_BYTES, (covered) => integrityOf(covered, password));
  return appended(signed, FINGERPRINT, 4, (covered) => {
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(fingerprintOf(covered));
    return sum;
  });
}

/** With an attribute whose value is made of all before it; the length in the header counts it already. */
function appended(
  message: Buffer,
  type: number,
  bytes: number,
  valueOf: (covered: Buffer) => Buffer,
): Buffer {
  message.writeUInt16BE(message.length + ATTRIBUTE_HEADER + bytes - HEADER, 2);
  return Buffer.concat([message, attribute(type, valueOf(message))]);
}
