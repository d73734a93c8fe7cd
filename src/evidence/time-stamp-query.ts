import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { BOOLEAN, INTEGER, OCTETS, SEQUENCE } from './der.ts';

/** AlgorithmIdentifier of SHA-256 with its NULL (RFC 5754 §2 lets both forms be read). */
const SHA256 = Buffer.from('300d06096086480165030402010500', 'hex');

/**
 * A time-stamp query of RFC 3161 §2.4.1 over the SHA-256 of the data, asking for the authority's certificates. The nonce makes an old
 * answer useless: at least 8 random octets.
 */
export function formatTimeStampQuery(data: Uint8Array, nonce: Uint8Array): Buffer {
  const imprint = der(SEQUENCE, SHA256, der(OCTETS, createHash('sha256').update(data).digest()));
  // Positive and without superfluous zero octets (X.690 §8.3.2).
  const positive = Buffer.from(nonce);
  positive.writeUInt8((positive.readUInt8(0) & 0x3f) | 0x40, 0);
  return der(
    SEQUENCE,
    der(INTEGER, Buffer.of(1)),
    imprint,
    der(INTEGER, positive),
    der(BOOLEAN, Buffer.of(0xff)),
  );
}

/** One value; nothing here is longer than 127 octets. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.of(tag, content.length), content]);
}
