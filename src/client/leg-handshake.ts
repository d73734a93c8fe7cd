import type { Socket } from 'node:dgram';
import { DtlsEndpoint } from '../media/dtls/dtls-endpoint.ts';
import { makeDtlsIdentity, type DtlsIdentity } from '../media/dtls/dtls-identity.ts';
import { DtlsSession } from '../media/dtls/dtls-session.ts';
import { packetKind } from '../media/dtls/dtls-records.ts';
import { isAnnounced, type Fingerprint } from '../media/dtls/fingerprint.ts';
import { formatSource } from '../media/receiver/source-keys.ts';
import { threadSrtp } from '../media/srtp/load-engine.ts';
import { SrtpSender } from '../media/srtp/srtp-sender.ts';
import { ClientError } from './client-error.ts';

/** A test call whose keys come from a handshake beside the media (RFC 5763). */
export interface CallHandshake {
  readonly dtls: true;
  /** What our offer says of who begins; `actpass` by default. */
  readonly setup?: 'actpass' | 'active' | 'passive';
  /** Announces another certificate than it shows, as somebody in the middle would have to. */
  readonly wrongCertificate?: boolean;
  /** Told of every master key with salt, ours and the server's, for those who look where keys must not be. */
  readonly onKey?: (key: Buffer) => void;
}

/** DTLS as an m-line has it. */
export interface DtlsAttributes {
  readonly setup: string;
  readonly fingerprint: { readonly type: string; readonly hash: string };
}

/** So long a handshake may take, and so often its timers are looked at, in ms. */
const PATIENCE = 10_000;
const LOOK_EVERY = 50;

/** One end of DTLS on the socket of a leg, and the packets under the keys it brings. */
export class LegHandshake {
  readonly #wish: CallHandshake;
  #identity: DtlsIdentity | undefined;
  #announced = '';
  #answer: DtlsAttributes | undefined;
  #session: DtlsSession | undefined;
  #sender: SrtpSender | undefined;
  #suite = 'none';
  readonly profile = 'UDP/TLS/RTP/SAVP';

  constructor(wish: CallHandshake) {
    this.#wish = wish;
  }

  /** Makes the certificate that the offer announces. */
  async prepare(): Promise<void> {
    this.#identity = await makeDtlsIdentity(Date.now());
    const shown = this.#wish.wrongCertificate === true ? await makeDtlsIdentity(Date.now()) : this.#identity;
    this.#announced = shown.fingerprint;
  }

  get attributes(): DtlsAttributes {
    const setup = this.#wish.setup ?? 'actpass';
    return { setup, fingerprint: { type: 'sha-256', hash: this.#announced } };
  }

  /** Crypto suite in use, `none` before there are keys. */
  get name(): string {
    return this.#suite;
  }

  /** Throws ClientError BAD_ANSWER when the answer is none to our offer (RFC 5763 §5). */
  answered(answer: DtlsAttributes | undefined): void {
    const wanted = { actpass: /^(?:active|passive)$/, active: /^passive$/, passive: /^active$/ };
    if (answer === undefined || !wanted[this.#wish.setup ?? 'actpass'].test(answer.setup))
      throw new ClientError('BAD_ANSWER', 'the answer does not take the handshake we offered');
    this.#answer = answer;
  }

  /** Resolves when there are keys. Rejects with ClientError TIMEOUT, BAD_ANSWER. Does nothing the second time. */
  async shakeHands(socket: Socket, to: { readonly address: string; readonly port: number }): Promise<void> {
    if (this.#identity === undefined || this.#answer === undefined || this.#session !== undefined) return;
    const endpoint = new DtlsEndpoint(this.#identity);
    if (this.#answer.setup === 'passive') this.#session = endpoint.connect();
    const flush = (datagrams: readonly Buffer[]): void => {
      for (const datagram of datagrams) socket.send(datagram, to.port, to.address, () => undefined);
    };
    // Stays for the rest of the call: the last flight may have to be said again.
    socket.on('message', (datagram, { address, port }) => {
      if (packetKind(datagram[0] ?? 0) === 'dtls')
        flush(this.#take(endpoint, datagram, formatSource(address, port)));
    });
    this.#secure(await this.#established(flush), this.#answer);
  }

  /** The packet as it goes out. */
  protect(packet: Buffer): Buffer {
    if (this.#sender === undefined) return packet;
    const room = Buffer.concat([packet, Buffer.alloc(this.#sender.overhead)]);
    return room.subarray(0, this.#sender.protect(room, packet.length));
  }

  /** What is to be sent back for a datagram. */
  #take(endpoint: DtlsEndpoint, datagram: Buffer, source: string): readonly Buffer[] {
    if (this.#session === undefined) {
      const heard = endpoint.listen(datagram, source);
      if (!(heard instanceof DtlsSession)) return heard;
      this.#session = heard;
    } else this.#session.take(datagram);
    return this.#session.outgoing();
  }

  async #established(flush: (datagrams: readonly Buffer[]) => void): Promise<DtlsSession> {
    const deadline = performance.now() + PATIENCE;
    for (;;) {
      const session = this.#session;
      session?.expire();
      flush(session?.outgoing() ?? []);
      if (session?.state.name === 'established') return session;
      if (performance.now() > deadline || session?.state.name === 'failed')
        throw new ClientError('TIMEOUT', 'the DTLS handshake came to nothing');
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
    }
  }

  #secure(session: DtlsSession, { fingerprint }: DtlsAttributes): void {
    const announced = [{ hash: fingerprint.type, value: fingerprint.hash.toUpperCase() }] as Fingerprint[];
    if (!isAnnounced(session.peerCertificate(), announced))
      throw new ClientError('BAD_ANSWER', 'the server shows another certificate than its answer announces');
    const keys = session.exportKeys();
    if (keys === undefined) throw new ClientError('BAD_ANSWER', 'no SRTP protection profile in common');
    for (const { masters } of [keys.own, keys.theirs])
      for (const { bytes } of masters) this.#wish.onKey?.(Buffer.from(bytes));
    this.#suite = keys.own.suite;
    this.#sender = new SrtpSender(threadSrtp(), keys.own);
  }
}
