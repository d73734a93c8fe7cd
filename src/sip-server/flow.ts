import type { PeerCertificate } from './peer-certificate.ts';

export type Protocol = 'udp' | 'tcp' | 'tls';
export type StreamProtocol = Exclude<Protocol, 'udp'>;

/** One message on the wire, for whoever keeps traces. `text` is a byte string: one character, one octet. */
export interface SeenMessage {
  readonly direction: 'in' | 'out';
  readonly protocol: Protocol;
  /** `address:port` of the peer. */
  readonly remote: string;
  readonly text: string;
}

/** True where nothing is lost or repeated, and a connection can break. */
export const isStream = (protocol: Protocol): boolean => protocol !== 'udp';

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** A way to one peer: a TCP or TLS connection, or our UDP socket together with the peer's address. */
export interface Flow {
  readonly protocol: Protocol;
  /** Our address towards this peer, with the port we listen on: what belongs into Via and Contact. */
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** What the peer showed in its TLS handshake. */
  readonly peerCertificate?: PeerCertificate | undefined;
  /** False once the connection is gone. UDP is always open, but in a dialog of a process before this one that was not heard yet. */
  readonly open: boolean;
  /** Sends one message (a byte string: one character, one octet). Never throws; what fails is logged. */
  send(text: string): void;
  /** While retained, a connection is not closed for being idle. */
  retain(): void;
  release(): void;
}
