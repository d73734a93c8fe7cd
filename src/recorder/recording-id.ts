import { randomFillSync } from 'node:crypto';

const ID = 16;
/** Asking for random octets costs much more than the octets. */
const pool = Buffer.alloc(ID * 256);
let taken = pool.length;

/** Sixteen random octets that nobody else has got. */
function takeRandom(): Buffer {
  if (taken === pool.length) {
    randomFillSync(pool);
    taken = 0;
  }
  taken += ID;
  return pool.subarray(taken - ID, taken);
}

/** A new UUID version 7 (RFC 9562 §5.7): sorts by time, the last eight digits are random. */
export function newRecordingId(now: number): string {
  const bytes = takeRandom();
  bytes.writeUIntBE(Math.trunc(now), 0, 6);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
