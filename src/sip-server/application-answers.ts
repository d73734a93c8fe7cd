import { refusal, timeOfDay, type Application, type Reply } from './application.ts';
import { atThisHost, extraHeaders, impliedContentType, KEEP_WITHOUT_ACK } from './application-message.ts';
import { contactUri, ownContact } from './contact.ts';
import type { Core } from './core.ts';
import { Dialog } from './dialog.ts';
import type { Flow } from './flow.ts';
import { valueOf, type Header } from './headers.ts';
import { serialise, type SipRequest, type SipResponse } from './message.ts';
import { tagOf } from './name-addr.ts';
import { detached, dialogIdOf } from './request-facts.ts';
import { composeResponse, recordRoutes } from './responses.ts';
import type { PendingRequest, ServerTransaction } from './server-transaction.ts';
import { agreedByUs, sessionHeaders, type SessionInterval } from './session-interval.ts';
import { UnacknowledgedOk } from './unacknowledged-ok.ts';

export interface DialogEvents {
  /** A 2xx was never acknowledged. */
  ackTimeout(dialog: Dialog): void;
  /** A 2xx of ours says how long the session lives without a refresh; undefined: for ever. */
  agreed(dialog: Dialog, interval: SessionInterval | undefined): void;
}

/** The application's responses: onto the wire, and what they do to dialogs (drachtio-protocol.md sections 3.1 and 5). */
export class ApplicationAnswers {
  readonly #core: Core;
  readonly #events: DialogEvents;

  constructor(core: Core, events: DialogEvents) {
    this.#core = core;
    this.#events = events;
  }

  /** Sends one response and returns what the application is told about it. */
  respond(application: Application, txnId: string, response: SipResponse): Reply {
    const transaction = this.#core.serverTransactions.byId(txnId);
    const pending = transaction?.pending;
    if (transaction?.application !== application || pending === undefined)
      return refusal('Response not sent due to unknown transaction');
    const { flow } = transaction;
    if (!flow.open) {
      this.#forget(transaction);
      return refusal('transport for response has been shutdown or closed');
    }

    const composed = this.#compose(transaction, pending, response);
    const text = serialise(composed);
    const dialog = this.#followDialog(transaction, pending, response);
    transaction.respond(response.status, text);
    if (dialog !== undefined && isSuccess(response))
      this.#afterSuccess(transaction, { dialog, pending, composed, text, keep: isToBeKept(response) });
    const { remote, protocol } = flow;
    const tokens = [text.length, protocol, remote.address, remote.port, timeOfDay(), txnId, dialog?.id ?? ''];
    return { tokens: ['OK', 'application', ...tokens, '', 'Msg sent:', ''], message: text };
  }

  #compose(transaction: ServerTransaction, { request }: PendingRequest, response: SipResponse): SipResponse {
    const { flow, dialog } = transaction;
    const chosen = tagOf(valueOf(response.headers, 'to') ?? '');
    if (dialog === undefined && chosen !== undefined && /^[^|\s]+$/.test(chosen))
      transaction.localTag = chosen;

    const headers = answerHeaders(request, response, flow);
    const { status, reason, body } = response;
    const bare = needsContact(request, response) && !headers.some((each) => each.key === 'contact');
    const contact = bare ? (dialog?.contact ?? ownContact(flow)) : undefined;
    return composeResponse(request, {
      status,
      reason,
      localTag: transaction.localTag,
      contact,
      headers,
      body,
    });
  }

  /** Makes, confirms or ends the dialog of an INVITE. */
  #followDialog(
    transaction: ServerTransaction,
    pending: PendingRequest,
    response: SipResponse,
  ): Dialog | undefined {
    const { status } = response;
    if (transaction.method !== 'INVITE' || status === 100) return transaction.dialog;
    const known = transaction.dialog;
    if (status >= 300) {
      if (known !== undefined) known.peerInviteTxnId = undefined;
      if (known?.confirmed === false) this.#core.dialogs.remove(known);
      return known;
    }
    const dialog = known ?? this.#newDialog(transaction, pending);
    if (dialog === undefined) return undefined;
    transaction.dialog = dialog;
    const given = valueOf(response.headers, 'contact');
    if (status >= 200) {
      dialog.confirmed = true;
      dialog.peerInviteTxnId = undefined;
      if (given !== undefined) dialog.contact = detached(atThisHost(given, transaction.flow.local));
    }
    return dialog;
  }

  #newDialog(transaction: ServerTransaction, { request, facts }: PendingRequest): Dialog | undefined {
    const { application, flow, localTag } = transaction;
    const remoteTarget = contactUri(request);
    if (application === undefined || facts.fromTag === undefined || remoteTarget === undefined)
      return undefined;
    const dialog = new Dialog({
      id: dialogIdOf(facts.callId, facts.fromTag),
      callId: facts.callId,
      localTag,
      local: `${valueOf(request.headers, 'to') ?? ''};tag=${localTag}`,
      remote: valueOf(request.headers, 'from') ?? '',
      cseq: facts.cseq,
      remoteTarget,
      routeSet: recordRoutes(request),
      contact: ownContact(flow),
      peerAllowsUpdate: /\bUPDATE\b/i.test(valueOf(request.headers, 'allow') ?? ''),
      application,
      flow,
    });
    dialog.peerInviteTxnId = transaction.id;
    this.#core.dialogs.add(dialog);
    return dialog;
  }

  #afterSuccess(
    transaction: ServerTransaction,
    sent: { dialog: Dialog; pending: PendingRequest; composed: SipResponse; text: string; keep: boolean },
  ): void {
    const { dialog, pending, composed, text, keep } = sent;
    if (transaction.newTarget !== undefined) dialog.remoteTarget = detached(transaction.newTarget);
    transaction.newTarget = undefined;
    if (mayRefresh(pending.request)) {
      if (composed.body.startsWith('v=0')) dialog.localSdp = detached(composed.body);
      this.#events.agreed(dialog, agreedByUs(pending.request, composed));
    }
    if (transaction.method !== 'INVITE') return;
    dialog.acknowledged();
    const { flow, id: txnId } = transaction;
    const resend = (): void => {
      flow.send(text);
    };
    const giveUp = (): void => {
      if (keep) this.#keep(dialog);
      else this.#events.ackTimeout(dialog);
    };
    dialog.unacknowledged = new UnacknowledgedOk(
      { cseq: pending.facts.cseq, txnId, resend, giveUp },
      this.#core,
    );
  }

  #keep(dialog: Dialog): void {
    this.#core.log('info', 'sip server: no ACK came; the application keeps the call', {
      callId: dialog.callId,
    });
    dialog.acknowledged();
  }

  #forget(transaction: ServerTransaction): void {
    transaction.abandon();
    this.#core.serverTransactions.remove(transaction);
    const { dialog } = transaction;
    if (dialog?.confirmed === false) this.#core.dialogs.remove(dialog);
  }
}

function answerHeaders(request: SipRequest, response: SipResponse, flow: Flow): Header[] {
  const headers = extraHeaders(response, flow.local);
  const contentType = impliedContentType(response);
  if (contentType !== undefined && contentType !== 'missing') headers.push(contentType);
  if (mayRefresh(request) && isSuccess(response)) headers.push(...sessionHeaders(request, response));
  return headers;
}

const isToBeKept = ({ headers }: SipResponse): boolean => valueOf(headers, KEEP_WITHOUT_ACK) === 'yes';

const isSuccess = ({ status }: SipResponse): boolean => status >= 200 && status < 300;

/** RFC 3261 table 2 and RFC 3311 §5.2: Contact in every 2xx that makes or refreshes a dialog. */
const needsContact = (request: SipRequest, response: SipResponse): boolean =>
  mayRefresh(request) && isSuccess(response);

/** Methods that make or refresh a session. */
const mayRefresh = ({ method }: SipRequest): boolean => method === 'INVITE' || method === 'UPDATE';
