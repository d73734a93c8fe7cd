/* Many SIPREC calls that are set up, held and ended over one TCP connection, through the recorder's real SIP stack. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { CryptoLine } from '../../src/client/leg-encryption.ts';
import type { DtlsAttributes } from '../../src/client/leg-handshake.ts';
import { buildBody, buildMetadata, newMetadataIds } from '../../src/client/metadata.ts';
import { buildOffer, parseAnswer } from '../../src/client/session-description.ts';
import { formatOf } from '../../src/client/stream-format.ts';
import { AF_INET, loadLibc } from '../../src/media/receiver/libc.ts';
import { SUITE } from './rtp-load.ts';

const FORMAT = formatOf({ audio: Buffer.alloc(0), law: 'PCMA' });

/**
 * Where the clients take what the recorder sends on its own: audio and reports of the two lines of every call. A port that nobody has would be answered
 * with an error, and a reader would be woken, both in the time of whoever sends, which a client on another host does not cost: so there is a port, and
 * what comes is dropped.
 */
const OWN_PORT = 9400;
const OWN_PORTS = 4;

/** Dialogs that wait for an answer at the same time. */
const AT_ONCE = 20;

export const callerNumber = (call: number): string => `+4989${5_000_000 + call}`;

export interface Kind {
  /** Of the first call; the others count on. */
  readonly number: number;
  /** Master key of every line, where they are encrypted (SDES). */
  readonly key?: Buffer | undefined;
  /** SHA-256 of the certificate that the clients show, where their keys come from a handshake that they begin. */
  readonly fingerprint?: string | undefined;
  /** The clients speak ICE. */
  readonly ice?: boolean;
}

/** What the clients call themselves in ICE. */
export const THEIR_ICE = '8hhY';

type Encryption =
  | { readonly profile: string; readonly cryptos: CryptoLine[] }
  | { readonly profile: string; readonly attributes: DtlsAttributes };

let bound = false;

function bindOwnPorts(): void {
  if (bound) return;
  bound = true;
  const libc = loadLibc();
  for (let port = OWN_PORT; port < OWN_PORT + OWN_PORTS; port += 1) {
    const fd = libc.udpSocket(AF_INET);
    libc.setReceiveBuffer(fd, 0);
    libc.bind(fd, '127.0.0.1', port);
  }
}

/** A call that is under way. */
export interface Dialog {
  readonly id: string;
  /** `;tag=…` of the recorder. */
  to: string;
  uri: string;
  ports: readonly number[];
  /** The recorder's words of the first line. */
  ice?: { readonly ufrag: string; readonly password: string };
}

export class HeldCalls {
  readonly #socket: Socket;
  readonly #run = `${process.pid}-${Date.now()}`;
  readonly #dialogs: Dialog[] = [];
  readonly #waiting = new Map<string, (message: string) => void>();
  #left = '';
  readonly #kind: Kind;

  private constructor(socket: Socket, kind: Kind) {
    this.#socket = socket;
    this.#kind = kind;
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      this.#cut(chunk);
    });
  }

  static async connect(port: number, kind: Kind): Promise<HeldCalls> {
    bindOwnPorts();
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new HeldCalls(socket, kind);
  }

  /** Sets up `count` calls; returns the ports to send to, two a call, and how long a set-up took, in ms. */
  async open(
    count: number,
  ): Promise<{ readonly ports: readonly number[]; readonly setUp: readonly number[] }> {
    const setUp: number[] = [];
    const first = this.#dialogs.length;
    await inParallel(count, async (index) => {
      const begun = performance.now();
      this.#dialogs[first + index] = await this.begin(first + index);
      setUp.push(performance.now() - begun);
    });
    return { ports: this.#dialogs.slice(first).flatMap(({ ports }) => ports), setUp };
  }

  /** Ends all calls. */
  async hangUp(): Promise<void> {
    await inParallel(this.#dialogs.length, async (index) => {
      const dialog = this.#dialogs[index];
      if (dialog !== undefined) await this.end(dialog);
    });
    this.#dialogs.length = 0;
  }

  /** Ends one call. */
  async end(dialog: Dialog): Promise<void> {
    const answer = await this.#request(`${this.#head('BYE', dialog, 2)}Content-Length: 0\r\n\r\n`, dialog.id);
    if (!answer.startsWith('SIP/2.0 200')) throw new Error(`BYE: ${answer.split('\r\n')[0] ?? ''}`);
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Sets up one call, which `hangUp` knows nothing of. */
  async begin(call: number): Promise<Dialog> {
    const dialog: Dialog = {
      id: `${this.#run}-${performance.now()}-${call}`,
      to: '',
      uri: 'sip:srs@127.0.0.1',
      ports: [],
    };
    const labels = ['1', '2'];
    const offer = buildOffer({
      address: '127.0.0.1',
      sessionId: call + 1,
      version: 1,
      direction: 'sendonly',
      lines: labels.map((label, line) => ({
        port: OWN_PORT + 2 * line,
        format: FORMAT,
        label,
        encryption: this.#encryption,
      })),
    });
    const parties = [{ number: callerNumber(this.#kind.number + call) }, { number: '+4930555' }];
    const metadata = buildMetadata({
      ids: newMetadataIds(2),
      parties,
      labels,
      host: '127.0.0.1',
      startedAt: Date.now(),
    });
    const { contentType, bytes } = buildBody(this.#completed(offer), metadata);
    const answer = await this.#request(
      `${this.#head('INVITE', dialog, 1)}Contact: <sip:src@127.0.0.1;transport=tcp>;+sip.src\r\nRequire: siprec\r\n` +
        `Content-Type: ${contentType}\r\nContent-Length: ${bytes.length}\r\n\r\n${bytes.toString('latin1')}`,
      dialog.id,
    );
    if (!answer.startsWith('SIP/2.0 200'))
      throw new Error(
        `INVITE: ${answer.split('\r\n')[0] ?? ''} ${/^(?:Warning|Reason):.*/m.exec(answer)?.[0] ?? ''}`,
      );
    dialog.to = /\r\nTo:[^\r]*?(;tag=[^;\s]+)/i.exec(answer)?.[1] ?? '';
    dialog.uri = /\r\nContact: *<([^>]+)>/i.exec(answer)?.[1] ?? '';
    dialog.ports = parseAnswer(answer.slice(answer.indexOf('\r\n\r\n') + 4)).map(({ port }) => port);
    const [, ufrag, password] = /a=ice-ufrag:(\S+)\r\na=ice-pwd:(\S+)/.exec(answer) ?? [];
    if (ufrag !== undefined && password !== undefined) dialog.ice = { ufrag, password };
    this.#socket.write(`${this.#head('ACK', dialog, 1)}Content-Length: 0\r\n\r\n`);
    return dialog;
  }

  /** Reports share the port with a handshake, and with what ICE finds. */
  #completed(offer: string): string {
    const { fingerprint, ice } = this.#kind;
    const words = `a=ice-ufrag:${THEIR_ICE}\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\n`;
    if (ice === true) return offer.replaceAll('a=label:', `a=rtcp-mux\r\n${words}a=label:`);
    return fingerprint === undefined ? offer : offer.replaceAll('a=label:', 'a=rtcp-mux\r\na=label:');
  }

  get #encryption(): Encryption | undefined {
    const { key, fingerprint } = this.#kind;
    if (fingerprint !== undefined)
      return {
        profile: 'UDP/TLS/RTP/SAVP',
        attributes: { setup: 'active', fingerprint: { type: 'sha-256', hash: fingerprint } },
      };
    if (key === undefined) return undefined;
    const config = `inline:${key.toString('base64')}|2^31`;
    return { profile: 'RTP/SAVP', cryptos: [{ id: 1, suite: SUITE, config }] };
  }

  #request(message: string, id: string): Promise<string> {
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#socket.write(message, 'latin1');
    });
  }

  #head(method: string, { id, to, uri }: Dialog, cseq: number): string {
    return (
      `${method} ${uri} SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:5060;branch=z9hG4bK-${id}-${method}\r\nMax-Forwards: 70\r\n` +
      `From: <sip:src@127.0.0.1>;tag=f-${id}\r\nTo: <sip:srs@127.0.0.1>${to}\r\nCall-ID: ${id}\r\nCSeq: ${cseq} ${method}\r\n`
    );
  }

  /** Takes the whole messages off the stream. */
  #cut(chunk: string): void {
    const text = this.#left + chunk;
    let from = 0;
    for (;;) {
      const end = text.indexOf('\r\n\r\n', from);
      const length = Number(/\r\nContent-Length: *(\d+)/i.exec(text.slice(from, end))?.[1] ?? 0);
      if (end < 0 || text.length < end + 4 + length) break;
      this.#take(text.slice(from, end + 4 + length));
      from = end + 4 + length;
    }
    this.#left = text.slice(from);
  }

  #take(message: string): void {
    const id = /\r\nCall-ID: *(\S+)/i.exec(message)?.[1] ?? '';
    if (!message.startsWith('SIP/2.0')) {
      // What the recorder asks on its own (a watchdog's OPTIONS) is answered, so that it lets the call be.
      const head = message.split('\r\n').filter((line) => /^(?:Via|From|To|Call-ID|CSeq):/i.test(line));
      this.#socket.write(`SIP/2.0 200 OK\r\n${head.join('\r\n')}\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    if (message.startsWith('SIP/2.0 1')) return;
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.(message);
  }
}

async function inParallel(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) await work(index);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
