import { randomBytes } from 'node:crypto';
import { refusal } from './application.ts';
import { extraHeaders, impliedContentType, ownHeaders } from './application-message.ts';
import type { Core } from './core.ts';
import { valueOf, type Header } from './headers.ts';
import type { SipRequest } from './message.ts';
import { tagOf } from './name-addr.ts';
import type { Route, Target } from './network.ts';
import { targetOf } from './next-hop.ts';
import type { RequestParts } from './requests.ts';
import type { Command, Sender } from './sender.ts';
import { parseSipUri, uriHost } from './uri.ts';

const NO_WAY = refusal('requested protocol/transport not available');
const TRANSPORTS = new Set(['udp', 'tcp', 'tls']);
/** They would make dialogs of ours, which the embedded server leaves out (drachtio-protocol.md section 9). */
const WITH_DIALOG = new Set(['INVITE', 'ACK', 'SUBSCRIBE']);

/** Requests of the application outside dialogs: OPTIONS, MESSAGE, REGISTER and their like. */
export class OutOfDialog {
  readonly #core: Core;
  readonly #sender: Sender;

  constructor(core: Core, sender: Sender) {
    this.#core = core;
    this.#sender = sender;
  }

  /** `proxy` is the URI to send the request to when not its own. */
  send(command: Command, proxy: string | undefined): void {
    const { request, reply } = command;
    const target = targetFor(request, proxy);
    const contentType = impliedContentType(request);
    if (WITH_DIALOG.has(request.method)) reply(refusal(`out-of-dialog ${request.method} not supported`));
    else if (target === 'unreadable')
      reply(refusal(`invalid request-uri: ${request.method} ${request.uri} SIP/2.0`));
    else if (target === 'unavailable') reply(NO_WAY);
    else if (contentType === 'missing') reply(refusal('missing content-type'));
    else this.#route(command, target, contentType === undefined ? [] : [contentType]);
  }

  #route(command: Command, target: Target, contentType: readonly Header[]): void {
    this.#core.network.route(target).then(
      (route) => {
        if (this.#isOurs(route)) command.reply(refusal('can not send request to myself'));
        else this.#start(command, route, contentType);
      },
      (error: unknown) => {
        this.#core.log('warn', 'sip server: no way to the target of a request', { error, target });
        command.reply(NO_WAY);
      },
    );
  }

  #start(command: Command, route: Route, contentType: readonly Header[]): void {
    const parts = requestParts(command.request, route, contentType);
    this.#sender.startOn(
      route.open(),
      this.#sender.announce(command, parts, { dialog: undefined, ...route }),
    );
  }

  #isOurs({ protocol, local, remote }: Route): boolean {
    const here =
      remote.address === local.address || remote.address === '127.0.0.1' || remote.address === '::1';
    return (
      here && this.#core.network.bound.some((each) => each.protocol === protocol && each.port === remote.port)
    );
  }
}

function targetFor(request: SipRequest, proxy: string | undefined): Target | 'unreadable' | 'unavailable' {
  const uri = parseSipUri(request.uri);
  const towards = proxy === undefined ? uri : parseSipUri(proxy);
  if (uri === undefined || towards === undefined) return 'unreadable';
  return TRANSPORTS.has(towards.transport ?? 'udp') ? targetOf(towards) : 'unavailable';
}

/** The application may choose From, To, Call-ID and CSeq; what it leaves out is made up here. */
function requestParts(request: SipRequest, route: Route, contentType: readonly Header[]): RequestParts {
  const own = ownHeaders(request, route.local);
  const given = (key: string): string | undefined => valueOf(own, key);
  const from = given('from') ?? `<sip:${uriHost(route.local.address)}:${route.local.port}>`;
  return {
    method: request.method,
    uri: request.uri,
    from: tagOf(from) === undefined ? `${from};tag=${randomBytes(8).toString('hex')}` : from,
    to: given('to') ?? `<${request.uri}>`,
    callId: given('call-id') ?? randomBytes(16).toString('hex'),
    cseq: Number(/^\d{1,9}/.exec(given('cseq') ?? '')?.[0] ?? 1),
    routes: [],
    headers: [...extraHeaders(request, route.local), ...contentType],
    body: request.body,
  };
}
