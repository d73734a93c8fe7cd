import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** The checksums that objects are stored with (user guide, "Checking object integrity"). */
export const CHECKSUMS = ['crc32', 'crc32c', 'crc64nvme', 'sha1', 'sha256'] as const;
export type ChecksumName = (typeof CHECKSUMS)[number];

/** A checksum that is being taken; `digest` is base64, as it stands in the headers. */
export interface RunningChecksum {
  update(part: Uint8Array): void;
  digest(): string;
}

export function openChecksum(name: ChecksumName): RunningChecksum {
  switch (name) {
    case 'sha1':
    case 'sha256': {
      const hash = createHash(name);
      return { update: (part) => void hash.update(part), digest: () => hash.digest('base64') };
    }
    case 'crc32': {
      let value = 0;
      return { update: (part) => (value = crc32(part, value)), digest: () => inBase64(value) };
    }
    case 'crc32c':
      return openCrc32c();
    case 'crc64nvme':
      return openCrc64();
  }
}

/** Checksum of an object of several parts: that of the parts' checksums, with their number (COMPOSITE). */
export function compositeOf(name: ChecksumName, parts: readonly string[]): string {
  const whole = openChecksum(name);
  for (const part of parts) whole.update(Buffer.from(part, 'base64'));
  return `${whole.digest()}-${parts.length}`;
}

/** Whether a header has as many octets as the checksum. */
export const isChecksum = (name: ChecksumName, text: string): boolean =>
  /^[A-Za-z0-9+/]+={0,2}$/.test(text) &&
  Buffer.from(text, 'base64').length === { crc32: 4, crc32c: 4, crc64nvme: 8, sha1: 20, sha256: 32 }[name];

function inBase64(...words: readonly number[]): string {
  const octets = Buffer.alloc(words.length * 4);
  words.forEach((word, at) => octets.writeUInt32BE(word >>> 0, at * 4));
  return octets.toString('base64');
}

/** CRC-32C (RFC 3720 appendix B.4), reflected. */
const CRC32C = Uint32Array.from({ length: 256 }, (_, octet) => {
  let value = octet;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value >>> 0;
});

function openCrc32c(): RunningChecksum {
  let value = 0xffffffff;
  return {
    update: (part) => {
      for (const octet of part) value = (value >>> 8) ^ (CRC32C[(value ^ octet) & 255] as number);
    },
    digest: () => inBase64(~value),
  };
}

/** CRC-64/NVME, reflected, in halves of 32 bits. */
const POLYNOMIAL = 0x9a6c9329ac4bc9b5n;
const CRC64 = Array.from({ length: 256 }, (_, octet) => {
  let value = BigInt(octet);
  for (let bit = 0; bit < 8; bit += 1) value = value & 1n ? (value >> 1n) ^ POLYNOMIAL : value >> 1n;
  return value;
});
const HIGH = Uint32Array.from(CRC64, (value) => Number(value >> 32n));
const LOW = Uint32Array.from(CRC64, (value) => Number(value & 0xffffffffn));

function openCrc64(): RunningChecksum {
  let high = 0xffffffff;
  let low = 0xffffffff;
  return {
    update: (part) => {
      for (const octet of part) {
        const index = (low ^ octet) & 255;
        low = ((low >>> 8) | (high << 24)) ^ (LOW[index] as number);
        high = (high >>> 8) ^ (HIGH[index] as number);
      }
    },
    digest: () => inBase64(~high, ~low),
  };
}
