import { createHmac, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

export interface CheckFields {
  readonly username: string;
  readonly password: string;
  /** The sender's role; the right one towards a lite agent is `controlling`. */
  readonly role?: 'controlling' | 'controlled';
  readonly nominates?: boolean;
  /** A further attribute, without value. */
  readonly extra?: number;
  readonly unsigned?: boolean;
}

/** A check as an ICE agent sends it (RFC 8445 §7.2.2), put together by hand. */
export function iceCheck(fields: CheckFields): Buffer {
  const name = Buffer.from(fields.username);
  const attributes = [
    attribute(0x0006, name),
    attribute(0x0024, Buffer.from('6e0001ff', 'hex')),
    attribute(fields.role === 'controlled' ? 0x8029 : 0x802a, randomBytes(8)),
    ...(fields.nominates === true ? [attribute(0x0025, Buffer.alloc(0))] : []),
    ...(fields.extra === undefined ? [] : [attribute(fields.extra, Buffer.alloc(0))]),
  ];
  const head = Buffer.from('000100002112a442', 'hex');
  let message = Buffer.concat([head, randomBytes(12), ...attributes]);
  if (fields.unsigned !== true) {
    message.writeUInt16BE(message.length + 24 - 20, 2);
    const sum = createHmac('sha1', fields.password).update(message).digest();
    message = Buffer.concat([message, attribute(0x0008, sum)]);
  }
  message.writeUInt16BE(message.length + 8 - 20, 2);
  const fingerprint = Buffer.alloc(4);
  fingerprint.writeUInt32BE((crc32(message) ^ 0x5354554e) >>> 0);
  return Buffer.concat([message, attribute(0x8028, fingerprint)]);
}

function attribute(type: number, value: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(value.length, 2);
  return Buffer.concat([head, value, Buffer.alloc(-value.length & 3)]);
}
