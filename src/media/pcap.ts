import { addressOctets } from './address-octets.ts';

export const PCAP_HEADER_BYTES = 24;
export const RECORD_HEADER_BYTES = 16;
/** IP packets without a link layer (LINKTYPE_RAW): we never saw one. */
const LINKTYPE_RAW = 101;
const IPV4 = 20;
const IPV6 = 40;
const UDP = 8;
const UDP_PROTOCOL = 17;
const TTL = 64;

/** Where a datagram came from and to which of our ports. */
export interface Route {
  /** `address:port`, `[v6]:port`. */
  readonly source: string;
  readonly port: number;
}

/** The beginning of a capture file: classic pcap, microseconds, little-endian. */
export function pcapHeader(): Buffer {
  const header = Buffer.alloc(PCAP_HEADER_BYTES);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(0x40000, 16);
  header.writeUInt32LE(LINKTYPE_RAW, 20);
  return header;
}

/**
 * One datagram as a record: its octets as received, before them IP and UDP headers made from the sender's address and our port. `at`:
 * epoch milliseconds of its arrival.
 */
export function pcapRecord(at: number, route: Route, datagram: Uint8Array): Buffer {
  const colon = route.source.lastIndexOf(':');
  const host = route.source.slice(0, Math.max(0, colon)).replace(/^\[|\]$/g, '');
  const ports = { from: Number(route.source.slice(colon + 1)) & 0xffff, to: route.port };
  const packet = !host.includes(':') ? ipv4(host, ports, datagram) : ipv6(host, ports, datagram);
  const record = Buffer.alloc(RECORD_HEADER_BYTES);
  const microseconds = Math.round(at * 1000);
  record.writeUInt32LE(Math.floor(microseconds / 1_000_000), 0);
  record.writeUInt32LE(microseconds % 1_000_000, 4);
  record.writeUInt32LE(packet.length, 8);
  record.writeUInt32LE(packet.length, 12);
  return Buffer.concat([record, packet]);
}

interface Ports {
  readonly from: number;
  readonly to: number;
}

function ipv4(host: string, ports: Ports, datagram: Uint8Array): Buffer {
  const header = Buffer.alloc(IPV4);
  header[0] = 0x45;
  header.writeUInt16BE(IPV4 + UDP + datagram.length, 2);
  header[8] = TTL;
  header[9] = UDP_PROTOCOL;
  // Our own address is not known where a socket is bound to all of them: it stays 0.0.0.0.
  header.set(addressOctets(host), 12);
  header.writeUInt16BE(~sum16(header, 0) & 0xffff, 10);
  return Buffer.concat([header, udp(header.subarray(12, 20), ports, datagram)]);
}

function ipv6(host: string, ports: Ports, datagram: Uint8Array): Buffer {
  const header = Buffer.alloc(IPV6);
  header[0] = 0x60;
  header.writeUInt16BE(UDP + datagram.length, 4);
  header[6] = UDP_PROTOCOL;
  header[7] = TTL;
  header.set(addressOctets(host), 8);
  return Buffer.concat([header, udp(header.subarray(8, 40), ports, datagram)]);
}

function udp(addresses: Uint8Array, ports: Ports, datagram: Uint8Array): Buffer {
  const header = Buffer.alloc(UDP);
  header.writeUInt16BE(ports.from, 0);
  header.writeUInt16BE(ports.to, 2);
  header.writeUInt16BE(UDP + datagram.length, 4);
  const pseudo = sum16(addresses, UDP_PROTOCOL + UDP + datagram.length);
  // A sum of zero would mean that there is none (RFC 768).
  header.writeUInt16BE(~sum16(datagram, sum16(header, pseudo)) & 0xffff || 0xffff, 6);
  return Buffer.concat([header, datagram]);
}

/** Ones' complement sum of 16-bit words (RFC 1071), an odd octet padded with zero. */
function sum16(octets: Uint8Array, start: number): number {
  let sum = start;
  for (let at = 0; at < octets.length; at += 2) sum += ((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}
