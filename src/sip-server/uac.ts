import { randomBytes } from 'node:crypto';
import { overFlow, refusal, timeOfDay, type Application, type Reply } from './application.ts';
import { extraHeaders, impliedContentType, ownHeaders } from './application-message.ts';
import { ClientTransaction, type OutgoingRequest } from './client-transaction.ts';
import { contactUri } from './contact.ts';
import type { Core } from './core.ts';
import type { Dialog } from './dialog.ts';
import type { Endpoint, Flow, Protocol } from './flow.ts';
import { forApplication } from './for-application.ts';
import { header, valueOf, type Header } from './headers.ts';
import { parseMessage, type SipRequest, type SipResponse } from './message.ts';
import { tagOf } from './name-addr.ts';
import { nextHop, targetOf } from './next-hop.ts';
import type { Route } from './network.ts';
import { composeCancel, composeRequest, type RequestParts } from './requests.ts';
import { reasonOf } from './responses.ts';
import { parseSipUri, uriHost } from './uri.ts';

/** Who wants to know how a request of ours ended. */
interface Asker {
  /** Undefined for requests the server sends of its own accord. */
  readonly application: Application | undefined;
  readonly dialog: Dialog | undefined;
}

export interface Command {
  readonly application: Application;
  readonly request: SipRequest;
  readonly reply: (reply: Reply) => void;
}

/** Requests of the application and of our own (drachtio-protocol.md sections 2, 5 and 6). */
export class Uac {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  /** A request inside a dialog, or an ACK to the answer of our re-INVITE. */
  inDialog(command: Command, dialogId: string): void {
    const dialog = this.#core.dialogs.get(dialogId);
    if (dialog?.application !== command.application || dialog.ending) {
      command.reply(refusal('Server error: unable to find dialog for dialog id provided'));
    } else if (command.request.method === 'ACK') {
      this.#acknowledge(command, dialog);
    } else if (command.request.method === 'INVITE' && dialog.ownInviteTxnId !== undefined) {
      command.reply(refusal('Server error: an INVITE of this dialog is unanswered'));
    } else {
      this.#sendInDialog(command, dialog);
    }
  }

  /** A request outside dialogs; `proxy` is the URI to send it to when not its own. */
  outOfDialog(command: Command, proxy: string | undefined): void {
    const { request, reply } = command;
    if (request.method === 'INVITE' || request.method === 'ACK' || request.method === 'SUBSCRIBE') {
      reply(refusal(`out-of-dialog ${request.method} not supported`));
      return;
    }
    const uri = parseSipUri(request.uri);
    const towards = proxy === undefined ? uri : parseSipUri(proxy);
    if (uri === undefined || towards === undefined) {
      reply(refusal(`invalid request-uri: ${request.method} ${request.uri} SIP/2.0`));
      return;
    }
    const contentType = impliedContentType(request);
    if (contentType === 'missing') {
      reply(refusal('missing content-type'));
      return;
    }
    const transport = towards.transport ?? 'udp';
    if (towards.scheme === 'sips' || (transport !== 'udp' && transport !== 'tcp')) {
      reply(refusal('requested protocol/transport not available'));
      return;
    }
    const target = targetOf(towards);
    this.#core.network.route(target).then(
      (route) => {
        if (this.#isOurs(route)) reply(refusal('can not send request to myself'));
        else this.#sendOutOfDialog(command, route, contentType === undefined ? [] : [contentType]);
      },
      (error: unknown) => {
        this.#core.log('warn', 'sip server: no way to the target of a request', { error, target });
        reply(refusal('requested protocol/transport not available'));
      },
    );
  }

  /** Cancels an INVITE of ours that has no final answer. */
  cancel(command: Command, txnId: string): void {
    const invite = this.#core.clientTransactions.byId(txnId);
    const answered = invite?.state !== 'calling' && invite?.state !== 'proceeding';
    if (invite?.request.method !== 'INVITE' || answered) {
      command.reply(refusal(`unable to cancel unknown transaction id: ${txnId}`));
      return;
    }
    command.reply(this.#cancelInvite(invite) ?? refusal(`unable to cancel unknown transaction id: ${txnId}`));
  }

  /** Ends a dialog on our own account and tells its application (drachtio-protocol.md section 3.3, unsolicited BYE). */
  endDialog(dialog: Dialog, why: string): void {
    const reason = header('Reason', `SIP;cause=200;text="${why}"`);
    const hop = nextHop(dialog);
    const { flow } = dialog;
    const parts = this.#partsInDialog(dialog, {
      method: 'BYE',
      headers: [reason],
      body: '',
      contact: undefined,
    });
    const outgoing = composeRequest(
      { ...parts, uri: hop?.uri ?? dialog.remoteTarget, routes: hop?.routes ?? [] },
      flow.protocol,
      flow.local,
    );
    dialog.ending = true;
    const transaction = this.#begin(outgoing, { application: undefined, dialog });
    dialog.application.deliver({
      source: 'application',
      bytes: outgoing.text.length,
      protocol: flow.protocol,
      peer: flow.local,
      txnId: 'unsolicited',
      dialogId: dialog.id,
      message: outgoing.text,
    });
    this.#core.dialogs.remove(dialog);
    if (hop?.target === undefined) transaction.start(flow);
    else
      this.#openAndStart(
        this.#core.network.route(hop.target).then((route) => route.open()),
        transaction,
      );
  }

  /** A response from the network. */
  response(
    response: SipResponse,
    flow: Flow,
    identity: { branch: string; method: string; bytes: number },
  ): void {
    this.#core.tally.responses += 1;
    const transaction = this.#core.clientTransactions.find(identity.branch, identity.method);
    if (transaction === undefined) this.#core.tally.dropped += 1;
    else transaction.received(response, flow, identity.bytes);
  }

  #sendInDialog(command: Command, dialog: Dialog): void {
    const { request, reply } = command;
    const contentType = impliedContentType(request);
    const hop = nextHop(dialog);
    if (contentType === 'missing' || hop === undefined) {
      reply(
        refusal(
          contentType === 'missing' ? 'missing content-type' : 'requested protocol/transport not available',
        ),
      );
      return;
    }
    const { method, body } = request;
    if (method === 'BYE') {
      const invite = this.#core.clientTransactions.byId(dialog.ownInviteTxnId ?? '');
      if (invite !== undefined) this.#cancelInvite(invite);
      dialog.ending = true;
    }
    const extra = extraHeaders(request, dialog.flow.local);
    const headers = contentType === undefined ? extra : [...extra, contentType];
    const refreshes = method === 'INVITE' || method === 'UPDATE';
    const contact = refreshes && !headers.some((each) => each.key === 'contact') ? dialog.contact : undefined;
    const uri = request.uri.includes('placeholder') ? hop.uri : request.uri;
    const parts = {
      ...this.#partsInDialog(dialog, { method, headers, body, contact }),
      uri,
      routes: hop.routes,
    };
    if (hop.target === undefined) {
      const { flow } = dialog;
      const transaction = this.#announce(command, parts, {
        dialog,
        protocol: flow.protocol,
        local: flow.local,
      });
      transaction.start(flow);
      return;
    }
    this.#core.network.route(hop.target).then(
      (route) => {
        const transaction = this.#announce(command, parts, { dialog, ...route });
        this.#openAndStart(route.open(), transaction);
      },
      () => {
        dialog.ending = false;
        reply(refusal('requested protocol/transport not available'));
      },
    );
  }

  #partsInDialog(
    dialog: Dialog,
    own: { method: string; headers: readonly Header[]; body: string; contact: string | undefined },
  ): Omit<RequestParts, 'uri' | 'routes'> {
    const { local, remote, callId } = dialog;
    return { ...own, from: local, to: remote, callId, cseq: dialog.nextCSeq() };
  }

  #sendOutOfDialog(command: Command, route: Route, contentType: readonly Header[]): void {
    const { request } = command;
    const all = ownHeaders(request, route.local);
    const given = (key: string): string | undefined => valueOf(all, key);
    const me = given('from') ?? `<sip:${uriHost(route.local.address)}:${route.local.port}>`;
    const from = tagOf(me) === undefined ? `${me};tag=${randomBytes(8).toString('hex')}` : me;
    const parts = {
      method: request.method,
      uri: request.uri,
      from,
      to: given('to') ?? `<${request.uri}>`,
      callId: given('call-id') ?? randomBytes(16).toString('hex'),
      cseq: Number(/^\d{1,9}/.exec(given('cseq') ?? '')?.[0] ?? 1),
      routes: [],
      headers: [...extraHeaders(request, route.local), ...contentType],
      body: request.body,
    };
    this.#openAndStart(route.open(), this.#announce(command, parts, { dialog: undefined, ...route }));
  }

  /** Tells the application its transaction id before anything can come back (drachtio-protocol.md section 3.1). */
  #announce(
    command: Command,
    parts: RequestParts,
    way: { dialog: Dialog | undefined; protocol: Protocol; local: Endpoint },
  ): ClientTransaction {
    const outgoing = composeRequest(parts, way.protocol, way.local);
    const transaction = this.#begin(outgoing, { application: command.application, dialog: way.dialog });
    if (way.dialog !== undefined && parts.method === 'INVITE') way.dialog.ownInviteTxnId = transaction.id;
    command.reply(sent(outgoing.text, way, transaction.id));
    return transaction;
  }

  #begin(outgoing: OutgoingRequest, asker: Asker): ClientTransaction {
    const transaction: ClientTransaction = new ClientTransaction(outgoing, this.#core, {
      response: (response, flow, bytes) => {
        this.#answered(asker, transaction, response);
        const delivery = {
          source: 'network',
          bytes,
          ...overFlow(flow),
          ...named(asker, transaction),
        } as const;
        asker.application?.deliver({ ...delivery, message: forApplication(response) });
      },
      failed: (status) => {
        const response = localResponse(outgoing.text, status);
        this.#answered(asker, transaction, response);
        const peer = { address: '', port: 0 };
        const protocol = transaction.flow?.protocol ?? 'udp';
        const delivery = {
          source: 'network',
          bytes: 0,
          protocol,
          peer,
          ...named(asker, transaction),
        } as const;
        asker.application?.deliver({ ...delivery, message: forApplication(response) });
      },
      repeatAck: () => {
        const ack = asker.dialog?.lastAck;
        if (ack !== undefined) transaction.flow?.send(ack);
      },
      ended: (ended) => {
        this.#core.clientTransactions.remove(ended);
      },
    });
    this.#core.clientTransactions.add(transaction);
    return transaction;
  }

  /** What a response of the peer does to the dialog. */
  #answered({ dialog }: Asker, { request }: ClientTransaction, response: SipResponse): void {
    if (dialog === undefined || response.status < 200) return;
    const success = response.status < 300;
    if (request.method === 'BYE') {
      const challenged = response.status === 401 || response.status === 407;
      if (challenged) dialog.ending = false;
      else this.#core.dialogs.remove(dialog);
    } else if (request.method === 'INVITE') {
      dialog.ownInviteTxnId = undefined;
      dialog.lastAck = undefined;
      dialog.ownInviteCSeq = success
        ? Number.parseInt(valueOf(response.headers, 'cseq') ?? '', 10)
        : undefined;
    }
    if (success && (request.method === 'INVITE' || request.method === 'UPDATE'))
      dialog.remoteTarget = contactUri(response) ?? dialog.remoteTarget;
  }

  #acknowledge({ request, reply }: Command, dialog: Dialog): void {
    const hop = nextHop(dialog);
    if (dialog.ownInviteCSeq === undefined || hop === undefined) {
      reply(refusal('Server error: ACK for non-success final response is automatically generated by server'));
      return;
    }
    const { flow } = dialog;
    const contentType = impliedContentType(request);
    const headers = extraHeaders(request, flow.local);
    if (contentType !== undefined && contentType !== 'missing') headers.push(contentType);
    const { local, remote, callId, ownInviteCSeq } = dialog;
    const numbers = { callId, cseq: ownInviteCSeq, from: local, to: remote };
    const parts = {
      ...numbers,
      method: 'ACK',
      uri: hop.uri,
      routes: hop.routes,
      headers,
      body: request.body,
    };
    const outgoing = composeRequest(parts, flow.protocol, flow.local);
    dialog.lastAck = outgoing.text;
    reply(sent(outgoing.text, flow, ''));
    flow.send(outgoing.text);
  }

  #cancelInvite(invite: ClientTransaction): Reply | undefined {
    const { flow } = invite;
    const original = parseMessage(invite.request.text, Number.MAX_SAFE_INTEGER);
    if (flow === undefined || original.kind === 'response') return undefined;
    const outgoing = composeCancel(original, invite.request.branch);
    const transaction = this.#begin(outgoing, { application: undefined, dialog: undefined });
    transaction.start(flow);
    return sent(outgoing.text, flow, transaction.id);
  }

  #openAndStart(opening: Promise<Flow>, transaction: ClientTransaction): void {
    opening.then(
      (flow) => {
        transaction.start(flow);
      },
      () => {
        transaction.unreachable();
      },
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

function sent(text: string, way: { protocol: Protocol; local: Endpoint }, txnId: string): Reply {
  const { protocol, local } = way;
  const tokens = [text.length, protocol, local.address, local.port, timeOfDay(), txnId];
  return { tokens: ['OK', 'application', ...tokens, 'Msg sent:', ''], message: text };
}

const named = ({ dialog }: Asker, transaction: ClientTransaction): { txnId: string; dialogId: string } => ({
  txnId: transaction.id,
  dialogId: dialog?.id ?? '',
});

/** The response the peer did not send (RFC 3261 §8.1.3.1). */
function localResponse(requestText: string, status: 408 | 503): SipResponse {
  const { headers } = parseMessage(requestText, Number.MAX_SAFE_INTEGER);
  const copied = new Set(['via', 'from', 'to', 'call-id', 'cseq']);
  return {
    kind: 'response',
    status,
    reason: reasonOf(status),
    headers: headers.filter((each) => copied.has(each.key)),
    body: '',
  };
}
