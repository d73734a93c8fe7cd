import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Received } from './peer.ts';
import type { RecordingClient, RequestParts } from './recording-client.ts';
import { sdpOf } from './recording-client.ts';

/** What a caller heard: payloads in the order of their timestamps, and where each stood. */
export interface HeardCall {
  readonly status: number;
  readonly warning: string;
  readonly sdp: string;
  readonly packets: readonly Buffer[];
}

/** A phone: a SIP dialog and a socket for its audio. */
export class ListeningClient {
  readonly packets: Buffer[] = [];
  readonly #client: RecordingClient;
  readonly #socket: Socket;

  private constructor(client: RecordingClient, socket: Socket) {
    this.#client = client;
    this.#socket = socket;
    socket.on('message', (packet) => this.packets.push(packet));
  }

  static async open(client: RecordingClient): Promise<ListeningClient> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new ListeningClient(client, socket);
  }

  get client(): RecordingClient {
    return this.#client;
  }

  /** An offer of one line; `format`: its numbers and attributes. */
  offer(numbers: string, attributes: readonly string[] = [], profile = 'RTP/AVP'): string {
    const lines = attributes.map((each) => `a=${each}\r\n`).join('');
    return sdpOf(`m=audio ${this.#socket.address().port} ${profile} ${numbers}\r\n${lines}`);
  }

  invite(uri: string, parts: RequestParts): Promise<Received> {
    return this.#client.request('INVITE', {
      uri,
      ...parts,
      headers: {
        Contact: `<sip:phone@${this.#client.peer.address}>`,
        ...(parts.body !== undefined && { 'Content-Type': 'application/sdp' }),
        ...parts.headers,
      },
    });
  }

  /** Waits until it is hung up, and says yes to it. */
  async hungUp(): Promise<void> {
    const { peer, callId } = this.#client;
    const bye = await peer.receive(({ startLine }) => startLine.startsWith('BYE '));
    const [via, from, to, cseq] = ['via', 'from', 'to', 'cseq'].map((name) => bye.headers.get(name) ?? '');
    peer.send(
      `SIP/2.0 200 OK\r\nVia: ${via ?? ''}\r\nFrom: ${from ?? ''}\r\nTo: ${to ?? ''}\r\nCall-ID: ${callId}\r\nCSeq: ${cseq ?? ''}\r\nContent-Length: 0\r\n\r\n`,
    );
  }

  close(): void {
    this.#socket.close();
  }

  /** The whole of a call that hears something, or is turned down. */
  async hear(uri: string, parts: RequestParts): Promise<HeardCall> {
    const answer = await this.invite(uri, parts);
    if (answer.status === 200) {
      this.#client.ack();
      await this.hungUp();
      // What was sent before the BYE may lie in the socket yet.
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    this.close();
    const { status, body, headers } = answer;
    return { status, sdp: body, packets: this.packets, warning: headers.get('warning') ?? '' };
  }
}
