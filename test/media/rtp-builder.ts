export interface RtpFields {
  readonly payloadType: number;
  readonly sequenceNumber: number;
  readonly timestamp: number;
  readonly ssrc: number;
  readonly payload: Uint8Array;
}

/** An RTP packet; sequence numbers and timestamps wrap by themselves. */
export function rtp(fields: Partial<RtpFields>): Buffer {
  const header = Buffer.alloc(12);
  header[0] = 0x80;
  header[1] = fields.payloadType ?? 8;
  header.writeUInt16BE((fields.sequenceNumber ?? 1) & 0xffff, 2);
  header.writeUInt32BE((fields.timestamp ?? 0) >>> 0, 4);
  header.writeUInt32BE(fields.ssrc ?? 0xdeadbeef, 8);
  return Buffer.concat([header, fields.payload ?? Buffer.alloc(160, 1)]);
}

/** `length` octets of a stream in which every position can be told from its neighbours; never a silence octet. */
export function octets(from: number, length: number, salt = 0): Buffer {
  const bytes = Buffer.alloc(length);
  for (let index = 0; index < length; index++)
    bytes[index] = 1 + (((from + index) * 7 + ((from + index) >> 7) + salt * 31) % 200);
  return bytes;
}
