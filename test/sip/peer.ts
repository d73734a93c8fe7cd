import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { EventEmitter, once } from 'node:events';
import { connect, isIPv6, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';

/** A SIP message as it came from the wire. */
export interface Received {
  readonly startLine: string;
  /** 0 for requests. */
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  readonly bytes: number;
}

export type Protocol = 'udp' | 'tcp' | 'tls';

const PATIENCE = 20_000;

/** A bare socket that speaks to a SIP server, message by message. */
export class Peer {
  readonly protocol: Protocol;
  readonly #udp: UdpSocket | undefined;
  readonly #tcp: Socket | undefined;
  readonly #server: { readonly address: string; readonly port: number };
  readonly #arrived = new EventEmitter();
  #waiting: Received[] = [];
  #stream = '';

  private constructor(
    server: { readonly address: string; readonly port: number },
    sockets: { readonly udp?: UdpSocket; readonly tcp?: Socket; readonly secure?: boolean },
  ) {
    this.protocol = sockets.udp ? 'udp' : sockets.secure === true ? 'tls' : 'tcp';
    this.#server = server;
    this.#udp = sockets.udp;
    this.#tcp = sockets.tcp;
    sockets.udp?.on('message', (datagram) => {
      this.#take(parse(datagram.toString('utf8')));
    });
    sockets.tcp?.on('data', (data) => {
      this.#stream += data.toString('utf8');
      this.#frame();
    });
  }

  static async open(
    protocol: Protocol,
    server: { readonly address: string; readonly port: number },
    tls: ConnectionOptions = {},
  ): Promise<Peer> {
    if (protocol === 'udp') {
      const udp = createSocket(isIPv6(server.address) ? 'udp6' : 'udp4');
      udp.bind(0, server.address);
      await once(udp, 'listening');
      return new Peer(server, { udp });
    }
    if (protocol === 'tls') {
      const secure = connectTls({
        host: server.address,
        port: server.port,
        rejectUnauthorized: false,
        ...tls,
      });
      await once(secure, 'secureConnect');
      return new Peer(server, { tcp: secure, secure: true });
    }
    const tcp = connect(server.port, server.address);
    await once(tcp, 'connect');
    return new Peer(server, { tcp });
  }

  /** One that the server has connected to. */
  static on(socket: Socket, secure: boolean): Peer {
    const { remoteAddress = '', remotePort = 0 } = socket;
    return new Peer({ address: remoteAddress, port: remotePort }, { tcp: socket, secure });
  }

  /** Says yes to a request of the server. */
  accept(request: Received, headers: Readonly<Record<string, string>> = {}): void {
    const copied = ['via', 'from', 'to', 'call-id', 'cseq'].map(
      (name) => `${name}: ${request.headers.get(name) ?? ''}`,
    );
    const added = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    this.send(`SIP/2.0 200 OK\r\n${[...copied, ...added].join('\r\n')}\r\nContent-Length: 0\r\n\r\n`);
  }

  /** `address:port` for Via and Contact. */
  get address(): string {
    const { address } = this.#server;
    return `${isIPv6(address) ? `[${address}]` : address}:${this.#udp?.address().port ?? this.#tcp?.localPort ?? 0}`;
  }

  send(text: string | Buffer): void {
    this.#udp?.send(text, this.#server.port, this.#server.address);
    this.#tcp?.write(text);
  }

  /** The next message for which `match` holds, taken out of the queue; earlier ones stay. */
  async receive(match: (message: Received) => boolean): Promise<Received> {
    const deadline = AbortSignal.timeout(PATIENCE);
    for (;;) {
      const index = this.#waiting.findIndex(match);
      const [found] = index === -1 ? [] : this.#waiting.splice(index, 1);
      if (found !== undefined) return found;
      try {
        await once(this.#arrived, 'message', { signal: deadline });
      } catch {
        throw new Error(
          `nothing fitting came; got: ${this.#waiting.map(({ startLine }) => startLine).join(' | ')}`,
        );
      }
    }
  }

  /** The final response with this CSeq value, for example `1 INVITE`. */
  final(cseq: string): Promise<Received> {
    return this.receive(({ status, headers }) => status >= 200 && headers.get('cseq') === cseq);
  }

  /** Statuses of the provisional responses that came. */
  get provisional(): readonly number[] {
    return this.#waiting.map(({ status }) => status).filter((status) => status > 0 && status < 200);
  }

  close(): void {
    this.#udp?.close();
    this.#tcp?.destroy();
  }

  #frame(): void {
    for (;;) {
      const end = this.#stream.indexOf('\r\n\r\n');
      if (end === -1) return;
      const length = Number(/^content-length:\s*(\d+)/im.exec(this.#stream.slice(0, end))?.[1] ?? 0);
      if (this.#stream.length < end + 4 + length) return;
      this.#take(parse(this.#stream.slice(0, end + 4 + length)));
      this.#stream = this.#stream.slice(end + 4 + length);
    }
  }

  #take(message: Received): void {
    this.#waiting.push(message);
    this.#arrived.emit('message');
  }
}

function parse(text: string): Received {
  const end = text.indexOf('\r\n\r\n');
  const [startLine = '', ...lines] = text.slice(0, end).split('\r\n');
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers.set(name, headers.has(name) ? `${headers.get(name) ?? ''}, ${value}` : value);
  }
  const status = Number(/^SIP\/2\.0 (\d{3}) /.exec(startLine)?.[1] ?? 0);
  return { startLine, status, headers, body: text.slice(end + 4), bytes: Buffer.byteLength(text) };
}
