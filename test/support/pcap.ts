import { writeFile } from 'node:fs/promises';
import { rtpHeader, planStream, PACKET_SAMPLES, type StreamStart } from '../../src/client/rtp-plan.ts';

/** One RTP stream of a capture file. */
export interface CapturedStream {
  /** G.711 octets, 20 ms a packet. */
  readonly octets: Uint8Array;
  readonly payloadType: number;
  readonly start: StreamStart;
  /**
   * Added to the destination port. SIPp sends the stream with the lowest port of the file to the first audio line of the answer and keeps
   * the distance for the others: 2 reaches the second line when its port is two above the first one.
   */
  readonly portOffset: number;
}

const BASE_PORT = 40_000;
const ETHERNET = 14;
const IP = 20;
const UDP = 8;

/** Writes streams as a classic pcap file (Ethernet, IPv4, UDP), packets in order of time. */
export async function writeRtpPcap(path: string, streams: readonly CapturedStream[]): Promise<void> {
  const packets = streams.flatMap((stream) =>
    planStream(stream.octets.length, stream.start, 0).packets.map((packet, index) => ({
      due: packet.due,
      datagram: Buffer.concat([
        rtpHeader(packet, stream.payloadType, stream.start.ssrc, index === 0),
        stream.octets.subarray(packet.from, packet.to),
      ]),
      port: BASE_PORT + stream.portOffset,
    })),
  );
  packets.sort((a, b) => a.due - b.due);
  const records = packets.flatMap(({ due, datagram, port }) => {
    const frame = ethernetFrame(datagram, port);
    return [recordHeader(due, frame.length), frame];
  });
  await writeFile(path, Buffer.concat([fileHeader(), ...records]));
}

function fileHeader(): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(0xffff, 16);
  header.writeUInt32LE(1, 20);
  return header;
}

function recordHeader(milliseconds: number, length: number): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(1 + Math.floor(milliseconds / 1000), 0);
  header.writeUInt32LE(Math.round((milliseconds % 1000) * 1000), 4);
  header.writeUInt32LE(length, 8);
  header.writeUInt32LE(length, 12);
  return header;
}

function ethernetFrame(datagram: Buffer, port: number): Buffer {
  const frame = Buffer.alloc(ETHERNET + IP + UDP);
  frame.writeUInt16BE(0x0800, 12);
  frame[ETHERNET] = 0x45;
  frame.writeUInt16BE(IP + UDP + datagram.length, ETHERNET + 2);
  frame[ETHERNET + 8] = 64;
  frame[ETHERNET + 9] = 17;
  frame.set([127, 0, 0, 1, 127, 0, 0, 1], ETHERNET + 12);
  frame.writeUInt16BE(headerChecksum(frame.subarray(ETHERNET, ETHERNET + IP)), ETHERNET + 10);
  frame.writeUInt16BE(port, ETHERNET + IP);
  frame.writeUInt16BE(port, ETHERNET + IP + 2);
  frame.writeUInt16BE(UDP + datagram.length, ETHERNET + IP + 4);
  return Buffer.concat([frame, datagram]);
}

/** RFC 791 §3.1: one's complement of the one's complement sum. */
function headerChecksum(header: Buffer): number {
  let sum = 0;
  for (let offset = 0; offset < header.length; offset += 2) sum += header.readUInt16BE(offset);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

/** Fills the audio up to whole packets, as SIPp and a PBX send them. */
export function wholePackets(octets: Buffer, silence: number): Buffer {
  const missing = (PACKET_SAMPLES - (octets.length % PACKET_SAMPLES)) % PACKET_SAMPLES;
  return Buffer.concat([octets, Buffer.alloc(missing, silence)]);
}
