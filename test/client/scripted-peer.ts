import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket as TcpSocket } from 'node:net';
import {
  headerOf,
  MessageFramer,
  methodOf,
  parseDatagram,
  serialize,
  type SipMessage,
} from '../../src/client/sip-message.ts';

/** One received request, with the way back. */
export interface Received {
  readonly request: SipMessage;
  readonly method: string;
  readonly reply: (status: string, extra?: readonly (readonly [string, string])[], body?: string) => void;
  /** Writes octets as they are, for requests of the peer's own. */
  readonly raw: (bytes: Buffer) => void;
}

export interface RtpPacket {
  readonly sequence: number;
  readonly timestamp: number;
  readonly marker: boolean;
  readonly payloadType: number;
  readonly payload: Buffer;
  readonly at: number;
}

/** An RTP port that keeps what arrives. */
export class RtpSink {
  readonly packets: RtpPacket[] = [];
  readonly #socket: UdpSocket;

  constructor(socket: UdpSocket) {
    this.#socket = socket;
    socket.on('message', (datagram) => {
      this.packets.push({
        sequence: datagram.readUInt16BE(2),
        timestamp: datagram.readUInt32BE(4),
        marker: ((datagram[1] ?? 0) & 0x80) !== 0,
        payloadType: (datagram[1] ?? 0) & 0x7f,
        payload: Buffer.from(datagram.subarray(12)),
        at: performance.now(),
      });
    });
  }

  /** Resolves when at least this many packets have come. */
  async received(count: number): Promise<void> {
    while (this.packets.length < count) await once(this.#socket, 'message');
  }

  get port(): number {
    return this.#socket.address().port;
  }

  close(): void {
    this.#socket.close();
  }
}

export async function openSink(address = '127.0.0.1', port = 0): Promise<RtpSink> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.bind(port, address);
  await once(socket, 'listening');
  return new RtpSink(socket);
}

type Script = (received: Received) => void;

/** A SIP server that does what the test's script says, over UDP or TCP. */
export class ScriptedPeer {
  readonly requests: SipMessage[] = [];
  #waiting: (() => void)[] = [];
  readonly uri: string;
  readonly #close: () => void;

  private constructor(uri: string, close: () => void) {
    this.uri = uri;
    this.#close = close;
  }

  static async start(transport: 'udp' | 'tcp', script: Script, address = '127.0.0.1'): Promise<ScriptedPeer> {
    const host = address.includes(':') ? `[${address}]` : address;
    const running: { peer?: ScriptedPeer } = {};
    const receive = (request: SipMessage, write: (bytes: Buffer) => void): void => {
      running.peer?.keep(request);
      script({
        request,
        method: methodOf(request) ?? '',
        reply: (status, extra = [], body = '') => {
          write(response(request, status, extra, body));
        },
        raw: write,
      });
    };
    const { port, close } =
      transport === 'udp' ? await listenUdp(address, receive) : await listenTcp(address, receive);
    running.peer = new ScriptedPeer(`sip:${host}:${port};transport=${transport}`, close);
    return running.peer;
  }

  private keep(request: SipMessage): void {
    this.requests.push(request);
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Resolves when `count` requests of this method have come. */
  async seen(method: string, count = 1): Promise<void> {
    while (this.methods().filter((each) => each === method).length < count)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  methods(): readonly (string | undefined)[] {
    return this.requests.map(methodOf);
  }

  close(): void {
    this.#close();
  }
}

type Receive = (request: SipMessage, write: (bytes: Buffer) => void) => void;

async function listenUdp(address: string, receive: Receive): Promise<{ port: number; close: () => void }> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.bind(0, address);
  await once(socket, 'listening');
  socket.on('message', (datagram, from) => {
    receive(parseDatagram(datagram), (bytes) => {
      socket.send(bytes, from.port, from.address);
    });
  });
  return { port: socket.address().port, close: () => socket.close() };
}

async function listenTcp(address: string, receive: Receive): Promise<{ port: number; close: () => void }> {
  const connections = new Set<TcpSocket>();
  const server: Server = createServer((socket) => {
    connections.add(socket);
    const framer = new MessageFramer();
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      for (const request of framer.push(chunk)) receive(request, (bytes) => void socket.write(bytes));
    });
  });
  server.listen(0, address);
  await once(server, 'listening');
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : 0,
    close: () => {
      for (const socket of connections) socket.destroy();
      server.close();
    },
  };
}

function response(
  request: SipMessage,
  status: string,
  extra: readonly (readonly [string, string])[],
  body: string,
): Buffer {
  const to = headerOf(request, 'to') ?? '';
  const tagged = to.includes(';tag=') || status.startsWith('100') ? to : `${to};tag=peer`;
  const copied = request.headers.filter(([name]) => ['Via', 'From', 'Call-ID', 'CSeq'].includes(name));
  return serialize({
    startLine: `SIP/2.0 ${status}`,
    headers: [...copied, ['To', tagged], ...extra],
    body: Buffer.from(body),
  });
}

/** An answer that takes every line at the given ports; port 0 refuses one. */
export function answerSdp(ports: readonly number[], direction = 'recvonly', address = '127.0.0.1'): string {
  const family = address.includes(':') ? 'IP6' : 'IP4';
  const lines = ports.map(
    (port, index) => `m=audio ${port} RTP/AVP 8 101\r\na=label:${index + 1}\r\na=${direction}\r\n`,
  );
  return `v=0\r\no=- 7 1 IN ${family} ${address}\r\ns=-\r\nc=IN ${family} ${address}\r\nt=0 0\r\n${lines.join('')}`;
}
