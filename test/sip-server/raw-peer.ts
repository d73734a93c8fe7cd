import { randomBytes } from 'node:crypto';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect, createServer, isIPv6, type Server, type Socket as TcpSocket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { StreamFramer } from '../../src/sip-server/stream-framer.ts';

const WAIT_MS = 20_000;

export interface Call {
  readonly callId: string;
  readonly fromTag: string;
  toTag: string | undefined;
  cseq: number;
}

export interface RequestOptions {
  readonly branch?: string;
  readonly cseq?: string;
  readonly headers?: readonly string[];
  /** Lines left out, by the beginning of the line. */
  readonly without?: readonly string[];
  readonly body?: string;
  readonly toTag?: string;
  readonly contact?: string;
  readonly via?: string;
}

export const newCall = (): Call => ({
  callId: `${randomBytes(6).toString('hex')}@peer.example`,
  fromTag: randomBytes(4).toString('hex'),
  toTag: undefined,
  cseq: 1,
});

export const newBranch = (): string => `z9hG4bK${randomBytes(8).toString('hex')}`;

/** A SIP peer of bare sockets: sends what the test writes, keeps what comes in. */
export abstract class RawPeer {
  readonly received: string[] = [];
  /** Octets that are no message: keep-alive answers. */
  stray = '';
  #waiting: (() => void)[] = [];
  #taken = 0;

  abstract readonly protocol: 'UDP' | 'TCP' | 'TLS';
  abstract readonly address: string;
  abstract readonly port: number;
  abstract sendOctets(octets: Buffer): void;
  abstract close(): void;

  send(text: string): void {
    this.sendOctets(Buffer.from(text, 'utf8'));
  }

  /** Host and port as they stand in a Via or URI. */
  get hostPort(): string {
    return `${isIPv6(this.address) ? `[${this.address}]` : this.address}:${this.port}`;
  }

  /** Sends a request built from the call and tells its branch. */
  request(method: string, call: Call, options: RequestOptions = {}): string {
    const branch = options.branch ?? newBranch();
    this.send(this.compose(method, call, { ...options, branch }));
    return branch;
  }

  compose(method: string, call: Call, options: RequestOptions = {}): string {
    const toTag = options.toTag ?? call.toTag;
    const body = options.body ?? '';
    const transport = this.protocol === 'UDP' ? '' : `;transport=${this.protocol.toLowerCase()}`;
    const lines = [
      `${method} sip:srs@recorder.example SIP/2.0`,
      options.via ??
        `Via: SIP/2.0/${this.protocol} ${this.hostPort};branch=${options.branch ?? newBranch()};rport`,
      `From: "Caller" <sip:+4930@peer.example>;tag=${call.fromTag}`,
      `To: <sip:srs@recorder.example>${toTag === undefined ? '' : `;tag=${toTag}`}`,
      `Call-ID: ${call.callId}`,
      `CSeq: ${options.cseq ?? `${call.cseq} ${method}`}`,
      options.contact ?? `Contact: <sip:src@${this.hostPort}${transport}>`,
      'Max-Forwards: 70',
      ...(options.headers ?? []),
      ...(body === '' ? [] : ['Content-Type: application/sdp']),
      `Content-Length: ${Buffer.byteLength(body)}`,
    ].filter((line) => !(options.without ?? []).some((start) => line.startsWith(start)));
    return `${lines.join('\r\n')}\r\n\r\n${body}`;
  }

  /** Answers a request the server sent. */
  answer(request: string, status: string, headers: readonly string[] = []): void {
    const copied = request.split('\r\n').filter((line) => /^(Via|From|To|Call-ID|CSeq):/.test(line));
    this.send([`SIP/2.0 ${status}`, ...copied, ...headers, 'Content-Length: 0', '', ''].join('\r\n'));
  }

  /** The next message that begins with or matches `wanted`, in the order of arrival; others in between are skipped. */
  async next(wanted: RegExp): Promise<string> {
    const deadline = Date.now() + WAIT_MS;
    for (;;) {
      while (this.#taken < this.received.length) {
        const message = this.received[this.#taken] ?? '';
        this.#taken += 1;
        if (wanted.test(message)) return message;
      }
      await this.#arrival(deadline, wanted);
    }
  }

  /** The INVITE–200–ACK of a call; returns the 200. */
  async setUp(call: Call, options: RequestOptions = {}): Promise<string> {
    this.request('INVITE', call, options);
    const ok = await this.next(/^SIP\/2\.0 200 /);
    call.toTag = toTagOf(ok);
    this.request('ACK', call);
    return ok;
  }

  /** BYE and its 200. */
  async hangUp(call: Call): Promise<string> {
    call.cseq += 1;
    this.request('BYE', call);
    return this.next(/^SIP\/2\.0 200 [\s\S]*CSeq: \d+ BYE/);
  }

  protected arrived(message: string): void {
    this.received.push(message);
    this.wake();
  }

  protected wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const each of waiting) each();
  }

  /** Waits until `condition` holds after something came in. */
  async until(condition: () => boolean): Promise<void> {
    const deadline = Date.now() + WAIT_MS;
    while (!condition()) await this.#arrival(deadline, condition);
  }

  #arrival(deadline: number, what: unknown): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`nothing matched ${String(what)}; received:\n${this.received.join('\n---\n')}`));
      }, deadline - Date.now());
      this.#waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

export class UdpPeer extends RawPeer {
  readonly protocol = 'UDP';
  readonly #socket: UdpSocket;
  readonly #to: { address: string; port: number };
  #closed = false;

  private constructor(socket: UdpSocket, to: { address: string; port: number }) {
    super();
    this.#socket = socket;
    this.#to = to;
    socket.on('message', (datagram) => {
      this.arrived(datagram.toString('latin1'));
    });
  }

  static async open(to: { address: string; port: number }): Promise<UdpPeer> {
    const socket = createSocket(isIPv6(to.address) ? 'udp6' : 'udp4');
    await new Promise<void>((resolve) => socket.bind(0, isIPv6(to.address) ? '::1' : '127.0.0.1', resolve));
    return new UdpPeer(socket, to);
  }

  get address(): string {
    return this.#socket.address().address;
  }

  get port(): number {
    return this.#socket.address().port;
  }

  sendOctets(octets: Buffer): void {
    this.#socket.send(octets, this.#to.port, this.#to.address);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
  }
}

export class TcpPeer extends RawPeer {
  readonly protocol: 'TCP' | 'TLS' = 'TCP';
  readonly socket: TcpSocket;
  closed = false;
  readonly #framer = new StreamFramer(1_000_000);

  protected constructor(socket: TcpSocket) {
    super();
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed = true;
      this.wake();
    });
    socket.on('data', (segment: Buffer) => {
      if (/^[\r\n]+$/.test(segment.toString('latin1'))) this.stray += segment.toString('latin1');
      this.#framer.push(segment);
      for (let framed = this.#framer.next(); framed !== undefined; framed = this.#framer.next())
        if (framed.type === 'message') this.received.push(framed.text);
      this.wake();
    });
  }

  static async open(to: { address: string; port: number }): Promise<TcpPeer> {
    const socket = connect({ host: to.address, port: to.port });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new TcpPeer(socket);
  }

  get address(): string {
    return this.socket.localAddress ?? '';
  }

  get port(): number {
    return this.socket.localPort ?? 0;
  }

  sendOctets(octets: Buffer): void {
    this.socket.write(octets);
  }

  close(): void {
    this.socket.destroy();
  }
}

export class TlsPeer extends TcpPeer {
  override readonly protocol = 'TLS';
  declare readonly socket: TLSSocket;

  /** Rejects when the handshake fails. Whatever certificate the server shows is taken. */
  static connect(to: { address: string; port: number }, options: ConnectionOptions = {}): Promise<TlsPeer> {
    const socket = connectTls({ host: to.address, port: to.port, rejectUnauthorized: false, ...options });
    return new Promise((resolve, reject) => {
      socket.once('secureConnect', () => {
        resolve(new TlsPeer(socket));
      });
      socket.once('error', reject);
    });
  }
}

export const toTagOf = (message: string): string | undefined => /^To:.*;tag=([^;\s]+)/m.exec(message)?.[1];

export const headerOf = (message: string, name: string): string | undefined =>
  new RegExp(`^${name}: *(.*)\\r$`, 'im').exec(message)?.[1];

/** A TCP peer that waits for the server to connect. */
export class ListeningPeer extends RawPeer {
  readonly protocol = 'TCP';
  readonly address = '127.0.0.1';
  readonly port: number;
  readonly #server: Server;
  #socket: TcpSocket | undefined;

  private constructor(server: Server, port: number) {
    super();
    this.#server = server;
    this.port = port;
    server.on('connection', (socket) => {
      this.#socket = socket;
      const framer = new StreamFramer(1_000_000);
      socket.on('error', () => undefined);
      socket.on('data', (segment: Buffer) => {
        framer.push(segment);
        for (let framed = framer.next(); framed !== undefined; framed = framer.next())
          if (framed.type === 'message') this.arrived(framed.text);
      });
    });
  }

  static async open(): Promise<ListeningPeer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    return new ListeningPeer(server, typeof address === 'object' && address !== null ? address.port : 0);
  }

  sendOctets(octets: Buffer): void {
    this.#socket?.write(octets);
  }

  close(): void {
    this.#socket?.destroy();
    this.#server.close();
  }
}
