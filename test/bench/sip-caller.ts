/*
 * The clients of the signalling benchmark: many SIPREC calls on one UDP socket or TCP connection, without media.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { performance } from 'node:perf_hooks';

export type Transport = 'udp' | 'tcp';

/** Dialogs begun and not yet ended, at most, when saturated. */
export const OUTSTANDING = 100;
const RESEND_AFTER = 500;
const GIVE_UP_AFTER = 16_000;
/** From dist/bench/test/bench. */
export const ROOT = new URL('../../../../', import.meta.url);

export interface LoadPlan {
  readonly transport: Transport;
  readonly port: number;
  readonly calls: number;
  /** Calls a second; 0 keeps `OUTSTANDING` dialogs open. */
  readonly rate: number;
}

export interface LoadResult {
  readonly seconds: number;
  readonly done: number;
  /** Final answers other than 200, and `lost` for calls never answered, with their number. */
  readonly refused: Readonly<Record<string, number>>;
  readonly resent: number;
  /** INVITE to 200 in milliseconds, in order. */
  readonly setUp: readonly number[];
}

interface Dialog {
  readonly id: string;
  readonly begun: number;
  sentAt: number;
  /** What is sent again while the answer is missing. */
  pending: string;
  ack: string | undefined;
}

/** SDP and metadata of the standard's own example. */
export const BODY = bodyOf(readFileSync(new URL('fixtures/siprec/rfc-basic.sip', ROOT), 'utf8'));

function bodyOf(message: string): string {
  const from = message.search(/\r?\n\r?\n/);
  return message.slice(from).trimStart().replace(/\r?\n/g, '\r\n');
}

/** Plays clients on one socket. Every message is laid out once; only numbers and the server's tag are filled in. */
export class Caller {
  readonly #plan: LoadPlan;
  readonly #dialogs = new Map<string, Dialog>();
  readonly #run = `${process.pid}-${Date.now()}`;
  readonly #setUp: number[] = [];
  readonly #refused: Record<string, number> = {};
  #send: (message: string) => void = () => undefined;
  #local = '';
  #begun = 0;
  #done = 0;
  #resent = 0;
  #finished: () => void = () => undefined;

  constructor(plan: LoadPlan) {
    this.#plan = plan;
  }

  async run(onProgress: (done: number) => void): Promise<LoadResult> {
    const { calls, rate } = this.#plan;
    const close = await this.#open();
    const end = new Promise<void>((resolve) => (this.#finished = resolve));
    const start = performance.now();
    let told = 0;
    const tick = setInterval(() => {
      const due = rate === 0 ? calls : Math.ceil(((performance.now() - start) / 1000) * rate);
      while (this.#begun < Math.min(due, calls) && rate > 0) this.#begin();
      this.#sweep();
      if (this.#done - told >= calls / 20) onProgress((told = this.#done));
    }, 2);
    if (rate === 0) while (this.#begun < Math.min(calls, OUTSTANDING)) this.#begin();
    await end;
    const seconds = (performance.now() - start) / 1000;
    clearInterval(tick);
    close();
    return { seconds, done: this.#done, refused: this.#refused, resent: this.#resent, setUp: this.#setUp };
  }

  async #open(): Promise<() => void> {
    const { transport, port } = this.#plan;
    if (transport === 'udp') {
      const socket = createSocket({ type: 'udp4', recvBufferSize: 4_194_304 });
      socket.bind(0, '127.0.0.1');
      await once(socket, 'listening');
      socket.on('message', (datagram) => {
        this.#receive(datagram.toString('latin1'));
      });
      this.#local = `127.0.0.1:${socket.address().port}`;
      this.#send = (message) => {
        socket.send(message, port, '127.0.0.1');
      };
      return () => socket.close();
    }
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    this.#local = `127.0.0.1:${socket.localPort ?? 0}`;
    let left = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      left = this.#cut(left + chunk);
    });
    this.#send = (message) => void socket.write(message);
    return () => socket.destroy();
  }

  /** Takes the whole messages off a stream. Returns what is left. */
  #cut(text: string): string {
    let from = 0;
    for (;;) {
      const end = text.indexOf('\r\n\r\n', from);
      if (end < 0) return text.slice(from);
      const length = Number(/\r\nContent-Length: *(\d+)/i.exec(text.slice(from, end))?.[1] ?? 0);
      if (text.length < end + 4 + length) return text.slice(from);
      this.#receive(text.slice(from, end + 4));
      from = end + 4 + length;
    }
  }

  #begin(): void {
    const id = `${this.#run}-${this.#begun++}`;
    const now = performance.now();
    const pending =
      this.#head('INVITE', 'sip:srs@127.0.0.1', { id, cseq: 1, to: '' }) +
      `Contact: <sip:src@${this.#local};transport=${this.#plan.transport}>;+sip.src\r\nRequire: siprec\r\n` +
      `Accept: application/sdp, application/rs-metadata\r\nContent-Type: multipart/mixed;boundary=foobar\r\n` +
      `Content-Length: ${Buffer.byteLength(BODY)}\r\n\r\n${BODY}`;
    this.#dialogs.set(id, { id, begun: now, sentAt: now, pending, ack: undefined });
    this.#send(pending);
  }

  #head(
    method: string,
    uri: string,
    call: { readonly id: string; readonly cseq: number; readonly to: string },
  ): string {
    const { id, cseq, to } = call;
    const via = `SIP/2.0/${this.#plan.transport.toUpperCase()} ${this.#local};branch=z9hG4bK-${id}-${method}`;
    return (
      `${method} ${uri} SIP/2.0\r\nVia: ${via}\r\nMax-Forwards: 70\r\nFrom: <sip:+15550100@src.example>;tag=f-${id}\r\n` +
      `To: <sip:srs@127.0.0.1>${to}\r\nCall-ID: ${id}\r\nCSeq: ${cseq} ${method}\r\n`
    );
  }

  #receive(text: string): void {
    const status = Number(text.slice(8, 11));
    const id = /\r\nCall-ID: *(\S+)/i.exec(text)?.[1] ?? '';
    const dialog = this.#dialogs.get(id);
    if (dialog !== undefined && text.startsWith('SIP/2.0 ') && status >= 200)
      this.#final(dialog, status, text);
  }

  #final(dialog: Dialog, status: number, text: string): void {
    const to = /\r\nTo:[^\r]*?(;tag=[^;\s]+)/i.exec(text)?.[1] ?? '';
    if (/\r\nCSeq: *\d+ BYE/i.test(text)) this.#end(dialog, status === 200 ? undefined : `BYE ${status}`);
    else if (status >= 300) this.#refuse(dialog, status, to);
    else if (dialog.ack !== undefined) this.#send(dialog.ack);
    else this.#answered(dialog, /\r\nContact: *<([^>]+)>/i.exec(text)?.[1] ?? '', to);
  }

  #answered(dialog: Dialog, uri: string, to: string): void {
    const { id } = dialog;
    dialog.sentAt = performance.now();
    this.#setUp.push(dialog.sentAt - dialog.begun);
    dialog.ack = `${this.#head('ACK', uri, { id, cseq: 1, to })}Content-Length: 0\r\n\r\n`;
    dialog.pending = `${this.#head('BYE', uri, { id, cseq: 2, to })}Content-Length: 0\r\n\r\n`;
    this.#send(dialog.ack);
    this.#send(dialog.pending);
  }

  #refuse(dialog: Dialog, status: number, to: string): void {
    const ack = this.#head('ACK', 'sip:srs@127.0.0.1', { id: dialog.id, cseq: 1, to });
    this.#send(`${ack.replace(/-ACK\r\n/, '-INVITE\r\n')}Content-Length: 0\r\n\r\n`);
    this.#end(dialog, String(status));
  }

  #end(dialog: Dialog, why: string | undefined): void {
    if (!this.#dialogs.delete(dialog.id)) return;
    if (why === undefined) this.#done += 1;
    else this.#refused[why] = (this.#refused[why] ?? 0) + 1;
    if (this.#plan.rate === 0 && this.#begun < this.#plan.calls) this.#begin();
    if (this.#dialogs.size === 0 && this.#begun >= this.#plan.calls) this.#finished();
  }

  /** Sends again what a full socket buffer lost; the oldest dialogs come first in the map. */
  #sweep(): void {
    const now = performance.now();
    for (const dialog of this.#dialogs.values()) {
      if (now - dialog.begun > GIVE_UP_AFTER) this.#end(dialog, 'lost');
      if (now - dialog.sentAt < RESEND_AFTER || this.#plan.transport === 'tcp') continue;
      dialog.sentAt = now;
      this.#resent += 1;
      this.#send(dialog.pending);
    }
  }
}
