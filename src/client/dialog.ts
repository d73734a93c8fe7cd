import { randomBytes } from 'node:crypto';
import type { MessageBody } from './metadata.ts';
import { headerOf, headersOf, methodOf, statusOf, type SipMessage } from './sip-message.ts';
import { bracketed, transportOf, type Target } from './target.ts';
import type { Transactions } from './transactions.ts';

export interface DialogIdentity {
  readonly target: Target;
  readonly local: { readonly address: string; readonly port: number };
  readonly software: string;
}

type Header = readonly [string, string];

const METHODS = 'INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE';
const NO_BODY: MessageBody = { contentType: '', bytes: Buffer.alloc(0) };

const token = (): string => randomBytes(8).toString('hex');

/** The requests of one recording dialog, seen from the client (RFC 3261 §12, RFC 7866 §6). */
export class RecordingDialog {
  readonly callId: string;
  readonly #identity: DialogIdentity;
  readonly #transactions: Transactions;
  readonly #from: string;
  readonly #contact: string;
  #to: string;
  #remoteTarget: string;
  #routes: readonly string[] = [];
  #sequence = 0;

  constructor(identity: DialogIdentity, transactions: Transactions) {
    const host = bracketed(identity.local.address);
    this.#identity = identity;
    this.#transactions = transactions;
    this.callId = `${token()}@${host}`;
    this.#from = `<sip:src@${host}>;tag=${token()}`;
    const transport = transportOf(identity.target.transport);
    this.#contact = `<sip:src@${host}:${identity.local.port}${transport}>;+sip.src`;
    this.#to = `<${identity.target.uri}>`;
    this.#remoteTarget = identity.target.uri;
  }

  /** A new INVITE, the first or a later one. Not sent yet. */
  invite(body: MessageBody): SipMessage {
    this.#sequence++;
    return this.#request('INVITE', body, [
      ['Contact', this.#contact],
      ['Require', 'siprec'],
      ['Allow', METHODS],
      ['Accept', 'application/sdp, application/rs-metadata+xml, application/rs-metadata'],
    ]);
  }

  /** Takes over what the server's answer says about the dialog and acknowledges it. */
  async acknowledge(invite: SipMessage, answer: SipMessage, delay = 0): Promise<void> {
    const success = (statusOf(answer) ?? 0) < 300;
    if (success) this.#adopt(answer);
    const ack = success ? this.#request('ACK', NO_BODY, []) : this.#failureAck(invite, answer);
    if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay));
    this.#transactions.acknowledge(invite, ack);
  }

  /** Ends the dialog; resolves with the final response. */
  bye(): Promise<SipMessage> {
    this.#sequence++;
    return this.#transactions.request(this.#request('BYE', NO_BODY, []));
  }

  /** The CANCEL of an INVITE: same branch, same sequence (RFC 3261 §9.1). */
  cancel(invite: SipMessage): Promise<SipMessage> {
    return this.#transactions.request(this.#derive(invite, 'CANCEL', headerOf(invite, 'to') ?? ''));
  }

  /** Answers a request of the server: BYE, OPTIONS and UPDATE are fine, the rest is not for a client like this. */
  answer(request: SipMessage): void {
    const method = methodOf(request);
    if (method === 'ACK' || method === undefined) return;
    const accepted = ['BYE', 'OPTIONS', 'UPDATE'].includes(method);
    const copied = request.headers.filter(([name]) => /^(via|v|from|f|to|t|call-id|i|cseq)$/i.test(name));
    this.#transactions.respond({
      startLine: accepted ? 'SIP/2.0 200 OK' : 'SIP/2.0 405 Method Not Allowed',
      headers: [...copied, ['Contact', this.#contact], ['Allow', METHODS]],
      body: NO_BODY.bytes,
    });
  }

  #adopt(answer: SipMessage): void {
    this.#to = headerOf(answer, 'to') ?? this.#to;
    const contact = headerOf(answer, 'contact');
    const uri = contact === undefined ? undefined : (/<([^>]+)>/.exec(contact)?.[1] ?? contact.split(';')[0]);
    this.#remoteTarget = uri ?? this.#remoteTarget;
    // A client takes the recorded routes in reverse order (RFC 3261 §12.1.2).
    this.#routes = [...headersOf(answer, 'record-route')].reverse();
  }

  #request(method: string, body: MessageBody, extra: readonly Header[]): SipMessage {
    const { local, target, software } = this.#identity;
    const via = `SIP/2.0/${target.transport.toUpperCase()} ${bracketed(local.address)}:${local.port}`;
    const type: readonly Header[] = body.contentType === '' ? [] : [['Content-Type', body.contentType]];
    return {
      startLine: `${method} ${this.#remoteTarget} SIP/2.0`,
      headers: [
        ['Via', `${via};branch=z9hG4bK${token()};rport`],
        ['Max-Forwards', '70'],
        ...this.#routes.map((route): Header => ['Route', route]),
        ['From', this.#from],
        ['To', this.#to],
        ['Call-ID', this.callId],
        ['CSeq', `${this.#sequence} ${method}`],
        ['User-Agent', software],
        ...extra,
        ...type,
      ],
      body: body.bytes,
    };
  }

  #failureAck(invite: SipMessage, answer: SipMessage): SipMessage {
    return this.#derive(invite, 'ACK', headerOf(answer, 'to') ?? '');
  }

  /** A request inside the INVITE's own transaction (RFC 3261 §9.1, §17.1.1.3). */
  #derive(invite: SipMessage, method: string, to: string): SipMessage {
    const sequence = headerOf(invite, 'cseq')?.split(' ')[0] ?? '';
    const kept = invite.headers.filter(([name]) =>
      ['Via', 'Max-Forwards', 'Route', 'From', 'Call-ID'].includes(name),
    );
    return {
      startLine: invite.startLine.replace(/^INVITE/, method),
      headers: [...kept, ['To', to], ['CSeq', `${sequence} ${method}`]],
      body: NO_BODY.bytes,
    };
  }
}
