import type { Core } from './core.ts';
import { isStream, type Flow } from './flow.ts';
import { annotated, withTopVia } from './for-application.ts';
import { valueOf } from './headers.ts';
import {
  parseMessage,
  readHeader,
  unfold,
  withBodyOfLength,
  type SipMessage,
  type SipRequest,
} from './message.ts';
import { readCSeq } from './request-facts.ts';
import type { Sender } from './sender.ts';
import { SipServerError } from './sip-server-error.ts';
import type { Uas } from './uas.ts';
import { completeVia, parseVia } from './via.ts';

/** Reads what the network brings and passes it on; what cannot be read is answered 400 where that is possible. */
export class Inbound {
  readonly #core: Core;
  readonly #uas: Uas;
  readonly #sender: Sender;

  constructor(core: Core, uas: Uas, sender: Sender) {
    this.#core = core;
    this.#uas = uas;
    this.#sender = sender;
  }

  /** One message as framed by its transport. */
  message(text: string, flow: Flow): void {
    try {
      const read = withBodyOfLength(parseMessage(text, this.#core.limits.headerCount));
      requireLengthOnStreams(read, flow);
      const message = annotated(read, flow);
      if (message.kind === 'request') this.#uas.request(message, flow, text.length);
      else this.#response(message, flow, text.length);
    } catch (error) {
      if (!(error instanceof SipServerError)) throw error;
      this.#core.log('info', 'sip server: malformed message', { reason: error.message, remote: flow.remote });
      this.malformed(text, flow, OTHER_VERSION.test(text) ? 505 : 400);
    }
  }

  /** Counts octets that are no message; `head` is answered with `status` if enough of it can be read and its source is not too fast. */
  malformed(head: string, flow: Flow, status: 400 | 413 | 505): void {
    const { tally, rates } = this.#core;
    tally.malformed += 1;
    if (rates.take(flow.remote.address) !== 'pass') {
      tally.rateLimited += 1;
      return;
    }
    const request = salvage(head, flow);
    if (request !== undefined) this.#uas.refuse({ request, flow }, status);
  }

  #response(response: SipResponse, flow: Flow, bytes: number): void {
    const { branch } = parseVia(valueOf(response.headers, 'via') ?? '');
    const { cseqMethod } = readCSeq(response);
    if (branch === undefined) throw new SipServerError('BAD_MESSAGE', 'response without branch');
    this.#sender.response(response, flow, { branch, method: cseqMethod, bytes });
  }
}

type SipResponse = Extract<SipMessage, { kind: 'response' }>;

/** Without Content-Length a body on a stream is lost (RFC 3261 §20.14): better refused than taken for an empty one. */
function requireLengthOnStreams(message: SipMessage, flow: Flow): void {
  const has = (key: string): boolean => valueOf(message.headers, key) !== undefined;
  if (isStream(flow.protocol) && has('content-type') && !has('content-length'))
    throw new SipServerError('BAD_MESSAGE', 'body without Content-Length');
}

/** A request line of another version of SIP (RFC 3261 §21.5.6). */
const OTHER_VERSION = /^\S+[ \t]+\S+[ \t]+SIP\/(?!2\.0\s)\d+\.\d+[ \t]*\r?\n/i;

const MOST_LINES = 1_000;

/** Enough of a broken request to answer it: the headers every response repeats. Undefined when it cannot be answered. */
function salvage(text: string, flow: Flow): SipRequest | undefined {
  const gap = text.search(/\r?\n\r?\n/);
  const [start = '', ...lines] = unfold(gap === -1 ? text : text.slice(0, gap)).slice(0, MOST_LINES);
  if (/^SIP\/2\.0/i.test(start)) return undefined;
  const headers = lines.flatMap((line) => readHeader(line) ?? []);
  const method = /^\S+/.exec(start)?.[0] ?? '';
  const cseqMethod = /\S+$/.exec(valueOf(headers, 'cseq') ?? '')?.[0] ?? '';
  if (method.toUpperCase() === 'ACK' || cseqMethod === 'ACK') return undefined;
  const complete = ['via', 'from', 'to', 'call-id', 'cseq'].every(
    (key) => (valueOf(headers, key) ?? '') !== '',
  );
  return complete ? withWayBack({ kind: 'request', method, uri: '', headers, body: '' }, flow) : undefined;
}

function withWayBack(request: SipRequest, flow: Flow): SipRequest | undefined {
  try {
    return withTopVia(request, completeVia(valueOf(request.headers, 'via') ?? '', flow.remote));
  } catch (error) {
    if (error instanceof SipServerError) return undefined;
    throw error;
  }
}
