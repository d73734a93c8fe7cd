import type { Socket } from 'node:net';
import { connect, createServer, type Server, type TLSSocket } from 'node:tls';
import type { Channel, ReadyStream } from './channel.ts';
import type { Endpoint } from './flow.ts';
import type { SipServerLimits } from './limits.ts';
import type { Log } from './log.ts';
import { describeCertificate, type PeerCertificate } from './peer-certificate.ts';
import type { TlsFiles } from './tls-files.ts';

interface TlsContext {
  readonly files: TlsFiles;
  readonly limits: SipServerLimits;
  readonly log: Log;
  /** A handshake failed or took too long. */
  failed(): void;
}

/**
 * TLS on connections that are accepted already. Every peer is asked for a certificate and none is refused for it: which client must show
 * one is the application's decision (siprec-interop.md SIG-2).
 */
export class TlsChannel implements Channel {
  readonly protocol = 'tls';
  readonly #context: TlsContext;
  /** Never listens: it takes over sockets that the transport has accepted and counted. */
  readonly #server: Server;
  readonly #handshakes = new Map<string, (stream: ReadyStream) => void>();

  constructor(context: TlsContext) {
    this.#context = context;
    const { files, limits } = context;
    this.#server = createServer({
      ...files.options,
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: limits.handshakeSeconds * 1_000,
    });
    files.onChange((options) => {
      this.#server.setSecureContext(options);
    });
    this.#server.on('secureConnection', (socket) => {
      this.#shaken(socket);
    });
    this.#server.on('tlsClientError', (error, socket) => {
      this.#failed(error, socket);
    });
  }

  get handshakes(): number {
    return this.#handshakes.size;
  }

  accept(socket: Socket, ready: (stream: ReadyStream) => void): boolean {
    if (this.#handshakes.size >= this.#context.limits.handshakes) return false;
    const name = nameOf(socket);
    this.#handshakes.set(name, ready);
    socket.once('close', () => {
      this.#handshakes.delete(name);
    });
    this.#server.emit('connection', socket);
    return true;
  }

  /**
   * The peer must lead to our authorities when there are any. Names are not compared: Contacts carry addresses, certificates names.
   */
  connect(remote: Endpoint, ready: (stream: ReadyStream) => void): Socket {
    const { files } = this.#context;
    const socket: TLSSocket = connect(
      {
        ...files.options,
        host: remote.address,
        port: remote.port,
        rejectUnauthorized: files.verifiesPeers,
        checkServerIdentity: () => undefined,
      },
      () => {
        ready({ socket, peerCertificate: this.#certificateOf(socket) });
      },
    );
    return socket;
  }

  close(): void {
    this.#context.files.close();
  }

  #shaken(socket: TLSSocket): void {
    const name = nameOf(socket);
    const ready = this.#handshakes.get(name);
    this.#handshakes.delete(name);
    if (ready === undefined) socket.destroy();
    else ready({ socket, peerCertificate: this.#certificateOf(socket) });
  }

  #failed(error: Error, socket: TLSSocket): void {
    const { log } = this.#context;
    // Port scans and health checks that only connect are no news.
    const level = (error as NodeJS.ErrnoException).code === 'ECONNRESET' ? 'debug' : 'info';
    log(level, 'sip server: TLS handshake failed', { error, remote: socket.remoteAddress });
    this.#context.failed();
    socket.destroy();
  }

  #certificateOf(socket: TLSSocket): PeerCertificate | undefined {
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) return undefined;
    return describeCertificate(certificate, socket.authorized && this.#context.files.verifiesPeers);
  }
}

/** The same for the accepted socket and for the TLS socket around it. */
const nameOf = (socket: Socket): string =>
  `${socket.localAddress ?? ''} ${socket.localPort ?? 0} ${socket.remoteAddress ?? ''} ${socket.remotePort ?? 0}`;
