import type { Socket } from 'node:net';
import type { ReadyStream } from './channel.ts';
import type { Endpoint, Flow, StreamProtocol } from './flow.ts';
import type { SipServerLimits } from './limits.ts';
import { guarded, type Log } from './log.ts';
import { GatheredOutput } from './gathered-output.ts';
import type { PeerCertificate } from './peer-certificate.ts';
import { StreamFramer } from './stream-framer.ts';

/** A peer that does not read must not fill our memory. */
const MOST_UNSENT = 8 * 1024 * 1024;

export interface TcpEvents {
  message(text: string, flow: Flow): void;
  /** A message goes out. */
  sent(text: string, flow: Flow): void;
  /** Octets that belong to no message; `head` when a message over the limit ends the connection. */
  malformed(flow: Flow, head?: string): void;
  closed(flow: Flow): void;
}

interface ConnectionContext {
  readonly protocol: StreamProtocol;
  /** The port we listen on, which is not the socket's own when we opened the connection. */
  readonly localPort: number;
  readonly limits: SipServerLimits;
  readonly events: TcpEvents;
  readonly log: Log;
}

/** One SIP connection over TCP or TLS, accepted or opened by us. */
export class TcpConnection implements Flow {
  readonly protocol: StreamProtocol;
  readonly peerCertificate: PeerCertificate | undefined;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly #socket: Socket;
  readonly #framer: StreamFramer;
  readonly #output: GatheredOutput;
  readonly #events: TcpEvents;
  readonly #log: Log;
  readonly #trial: NodeJS.Timeout;
  #retained = 0;

  constructor({ socket, peerCertificate }: ReadyStream, context: ConnectionContext) {
    this.protocol = context.protocol;
    this.peerCertificate = peerCertificate;
    this.#socket = socket;
    this.#events = context.events;
    this.#log = context.log;
    this.#output = new GatheredOutput(socket, MOST_UNSENT, () => {
      socket.destroy();
    });
    this.#framer = new StreamFramer(context.limits.messageBytes);
    this.local = { address: plainAddress(socket.localAddress), port: context.localPort };
    this.remote = { address: plainAddress(socket.remoteAddress), port: socket.remotePort ?? 0 };
    this.#trial = setTimeout(() => {
      if (this.#retained <= 0) socket.destroy();
    }, context.limits.firstMessageSeconds * 1_000).unref();
    this.#watch(context.limits.idleSeconds);
  }

  get open(): boolean {
    return !this.#socket.destroyed && this.#socket.writable;
  }

  send(text: string): void {
    if (!this.open) return;
    if (text.length > 2) this.#events.sent(text, this);
    this.#output.write(text);
  }

  retain(): void {
    this.#retained += 1;
  }

  release(): void {
    this.#retained -= 1;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #watch(idleSeconds: number): void {
    const socket = this.#socket;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 60_000);
    socket.setTimeout(idleSeconds * 1_000);
    socket.on('timeout', () => {
      if (this.#retained <= 0) socket.destroy();
      else socket.setTimeout(idleSeconds * 1_000);
    });
    socket.on('error', (error) => {
      this.#log('debug', 'sip server: connection error', { error, remote: this.remote });
    });
    socket.on('close', () => {
      clearTimeout(this.#trial);
      guarded(this.#log, 'closing a connection', () => {
        this.#events.closed(this);
      });
    });
    socket.on('data', (segment: Buffer) => {
      guarded(this.#log, 'segment', () => {
        this.#receive(segment);
      });
    });
  }

  #receive(segment: Buffer): void {
    this.#framer.push(segment);
    for (let framed = this.#framer.next(); framed !== undefined; framed = this.#framer.next()) {
      if (framed.type === 'keep-alive' || framed.type === 'message') clearTimeout(this.#trial);
      if (framed.type === 'keep-alive') this.send('\r\n');
      else if (framed.type === 'garbage') this.#events.malformed(this);
      else if (framed.type === 'message') this.#deliver(framed.text);
      else {
        this.#events.malformed(this, framed.head);
        this.#output.end();
      }
    }
  }

  /** Each message behind its own barrier: what one does wrong must not swallow the next in the segment. */
  #deliver(text: string): void {
    guarded(this.#log, 'message', () => {
      this.#events.message(text, this);
    });
  }
}

/** Node reports IPv4 peers of a dual-stack socket as `::ffff:1.2.3.4`. */
export const plainAddress = (address: string | undefined): string =>
  (address ?? '').replace(/^::ffff:(?=\d+\.)/i, '');
