const HEADER = 27;

/** The packets of an Ogg file with one stream (RFC 3533 §6); what is cut off at its end is left out. Never throws. */
export function oggPackets(ogg: Uint8Array): readonly Uint8Array[] {
  const packets: Uint8Array[] = [];
  let parts: Uint8Array[] = [];
  for (let page = 0; page + HEADER <= ogg.length;) {
    const table = page + HEADER;
    let data = table + (ogg[page + HEADER - 1] ?? 0);
    for (const lacing of ogg.subarray(table, data)) {
      parts.push(ogg.subarray(data, data + lacing));
      data += lacing;
      if (lacing === 255) continue;
      packets.push(Buffer.concat(parts));
      parts = [];
    }
    page = data;
  }
  return packets;
}
