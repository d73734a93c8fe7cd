import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Endpoint, Flow } from './flow.ts';
import { listenError, type ListenAddress } from './listen-address.ts';
import { isWildcard, type LocalAddresses } from './local-address.ts';
import { guarded, type Log } from './log.ts';

const RECEIVE_BUFFER = 4 * 1024 * 1024;
/** The shortest request line alone is longer; what is below are keep-alives (drachtio-protocol.md section 6). */
const SHORTEST_MESSAGE = 16;

export interface UdpEvents {
  message(text: string, flow: Flow): void;
  /** A message goes out. */
  sent(text: string, flow: Flow): void;
  /** A datagram too short to be SIP. */
  ignored(): void;
}

/** One UDP socket. Datagrams up to 64 KiB; IPv6 sockets take IPv6 only, so that both families can be listed. */
export class UdpTransport {
  readonly #socket: Socket;
  readonly #localAddresses: LocalAddresses;
  readonly #events: UdpEvents;
  readonly #log: Log;
  #bound: ListenAddress;
  #closed = false;

  private constructor(where: ListenAddress, localAddresses: LocalAddresses, events: UdpEvents, log: Log) {
    this.#bound = where;
    this.#localAddresses = localAddresses;
    this.#events = events;
    this.#log = log;
    this.#socket = createSocket({
      type: isIPv6(where.address) ? 'udp6' : 'udp4',
      ipv6Only: isIPv6(where.address),
    });
  }

  /** Throws ADDRESS_IN_USE and its like. */
  static async open(
    where: ListenAddress,
    context: { localAddresses: LocalAddresses; events: UdpEvents; log: Log },
  ): Promise<UdpTransport> {
    const transport = new UdpTransport(where, context.localAddresses, context.events, context.log);
    await transport.#bind(where);
    return transport;
  }

  get bound(): ListenAddress {
    return this.#bound;
  }

  /** The way to a peer as seen from `localAddress`. */
  flowTo(remote: Endpoint, localAddress: string): Flow {
    const send = (text: string): void => {
      this.#events.sent(text, flow);
      this.#send(text, remote);
    };
    const nothing = (): void => undefined;
    const local = { address: localAddress, port: this.#bound.port };
    const flow: Flow = {
      protocol: 'udp',
      local,
      remote,
      open: true,
      send,
      retain: nothing,
      release: nothing,
    };
    return flow;
  }

  close(): Promise<void> {
    this.#closed = true;
    return new Promise((resolve) => {
      this.#socket.close(() => {
        resolve();
      });
    });
  }

  #bind(where: ListenAddress): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.once('error', (error) => {
        reject(listenError(where, error));
      });
      this.#socket.bind({ address: where.address, port: where.port }, () => {
        this.#bound = { ...where, port: this.#socket.address().port };
        this.#socket.removeAllListeners('error');
        this.#socket.on('error', (error) => {
          this.#log('warn', 'sip server: UDP socket error', { error });
        });
        this.#socket.on('message', (datagram, source) => {
          guarded(this.#log, 'datagram', () => {
            this.#receive(datagram, source);
          });
        });
        guarded(this.#log, 'enlarging the UDP receive buffer', () => {
          this.#socket.setRecvBufferSize(RECEIVE_BUFFER);
        });
        resolve();
      });
    });
  }

  #receive(datagram: Buffer, source: RemoteInfo): void {
    if (datagram.length < SHORTEST_MESSAGE || source.port === 0) {
      this.#events.ignored();
      return;
    }
    const text = datagram.toString('latin1');
    const remote = { address: source.address, port: source.port };
    if (!isWildcard(this.#bound.address)) {
      this.#events.message(text, this.flowTo(remote, this.#bound.address));
      return;
    }
    this.#localAddresses.find(source.address, (address) => {
      guarded(this.#log, 'datagram', () => {
        this.#events.message(text, this.flowTo(remote, address));
      });
    });
  }

  #send(text: string, remote: Endpoint): void {
    if (this.#closed) return;
    this.#socket.send(Buffer.from(text, 'latin1'), remote.port, remote.address, (error) => {
      if (error !== null) this.#log('warn', 'sip server: datagram not sent', { error, remote });
    });
  }
}
