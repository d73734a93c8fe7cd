import { connect, type Socket } from 'node:net';
import type { Endpoint, StreamProtocol } from './flow.ts';
import type { PeerCertificate } from './peer-certificate.ts';

/** A stream on which SIP can be spoken. */
export interface ReadyStream {
  readonly socket: Socket;
  readonly peerCertificate: PeerCertificate | undefined;
}

/** What has to happen between a TCP connection and the first SIP message. */
export interface Channel {
  readonly protocol: StreamProtocol;
  /** Calls back once SIP can be spoken, never when the peer fails before. False when this is too much just now. */
  accept(socket: Socket, ready: (stream: ReadyStream) => void): boolean;
  /** Begins to connect; calls back like `accept`. What fails is an `error` of the socket. */
  connect(remote: Endpoint, ready: (stream: ReadyStream) => void): Socket;
  close(): void;
}

/** TCP: nothing. */
export const plainChannel: Channel = {
  protocol: 'tcp',
  accept: (socket, ready) => {
    ready({ socket, peerCertificate: undefined });
    return true;
  },
  connect: (remote, ready) => {
    const socket: Socket = connect({ host: remote.address, port: remote.port }, () => {
      ready({ socket, peerCertificate: undefined });
    });
    return socket;
  },
  close: () => undefined,
};
