import { randomBytes } from 'node:crypto';
import { overFlow, type Application } from './application.ts';
import { contactUri } from './contact.ts';
import type { Core } from './core.ts';
import type { Dialog } from './dialog.ts';
import { isStream, type Flow } from './flow.ts';
import { forApplication, withTopVia } from './for-application.ts';
import { header, valueOf, type Header } from './headers.ts';
import { parseMessage, serialise, type SipMessage, type SipRequest } from './message.ts';
import { detached, dialogIdOf, readFacts, transactionKey, type RequestFacts } from './request-facts.ts';
import { composeCancel } from './requests.ts';
import { composeResponse, statelessTag } from './responses.ts';
import { ServerTransaction } from './server-transaction.ts';
import { SipServerError } from './sip-server-error.ts';
import { completeVia } from './via.ts';

/** One request on its way through the checks. */
export interface Incoming {
  readonly request: SipRequest;
  readonly facts: RequestFacts;
  readonly flow: Flow;
  readonly bytes: number;
}

/** Methods that only make sense inside a dialog; without one they get 481 whatever the application routed. */
const ONLY_IN_DIALOG = new Set(['BYE', 'UPDATE', 'PRACK']);
const KNOWN = new Set([
  ...['INVITE', 'OPTIONS', 'REGISTER', 'SUBSCRIBE', 'MESSAGE', 'INFO', 'NOTIFY', 'REFER', 'PUBLISH'],
  ...ONLY_IN_DIALOG,
]);

/** The server's side of requests from the network, outside dialogs (RFC 3261 §8.2, drachtio-protocol.md section 6). */
export class Uas {
  readonly #core: Core;
  readonly #inDialog: (incoming: Incoming, dialog: Dialog) => void;

  /** `inDialog` takes the requests that belong to a dialog. */
  constructor(core: Core, inDialog: (incoming: Incoming, dialog: Dialog) => void) {
    this.#core = core;
    this.#inDialog = inDialog;
  }

  /** Handles one request. Throws BAD_MESSAGE when it lacks what every request needs: the caller answers 400. */
  request(received: SipRequest, flow: Flow, bytes: number): void {
    this.#core.tally.requests += 1;
    const topVia = received.headers.find((each) => each.key === 'via')?.value;
    if (topVia === undefined) throw new SipServerError('BAD_MESSAGE', 'no via header');
    const request = withTopVia(received, completeVia(topVia, flow.remote));
    const incoming = { request, facts: readFacts(request), flow, bytes };

    if (request.method === 'ACK') this.#ack(incoming);
    else if (!this.#isRepeated(incoming)) this.#fresh(incoming);
  }

  #isRepeated({ request, facts }: Incoming): boolean {
    const known = this.#core.serverTransactions.byKey(transactionKey(facts, request.method));
    known?.repeated();
    return known !== undefined;
  }

  #fresh(incoming: Incoming): void {
    const { request, facts } = incoming;
    const { method } = request;
    const dialog = this.#dialogOf(incoming);
    if (facts.cseqMethod !== method && !(dialog !== undefined && this.#isForgiven(incoming)))
      throw new SipServerError('BAD_MESSAGE', 'CSeq names another method');

    if (dialog === undefined && this.#isTooMuch(incoming)) return;
    if (method === 'CANCEL') this.#cancel(incoming);
    else if (dialog !== undefined) this.#inDialog(incoming, dialog);
    else if (facts.toTag !== undefined || ONLY_IN_DIALOG.has(method)) this.#unknownDialog(incoming);
    else if (method === 'INVITE') this.#invite(incoming);
    else this.#outOfDialog(incoming);
  }

  /** A BYE with `CSeq: n INVITE` ends its dialog all the same: an orphan recording is worse (siprec-interop.md DLG-7). */
  #isForgiven(incoming: Incoming): boolean {
    return incoming.request.method === 'BYE' && this.isLenient(incoming);
  }

  /** Answers or drops what is too much, of its source or of all together; what ends something that is known here never is. */
  #isTooMuch(incoming: Incoming): boolean {
    const { serverTransactions, limits } = this.#core;
    if (this.#endsSomething(incoming)) return false;
    if (this.#isTooFast(incoming)) return true;
    if (serverTransactions.pending < limits.pendingTransactions) return false;
    this.refuse(incoming, 503, [header('Retry-After', '5')]);
    return true;
  }

  /** A CANCEL of something pending, or the BYE of a dialog that a process before this one had. */
  #endsSomething(incoming: Incoming): boolean {
    const { request, facts } = incoming;
    if (request.method === 'BYE') return this.#isFormer(incoming);
    const { serverTransactions } = this.#core;
    return (
      request.method === 'CANCEL' && serverTransactions.byKey(transactionKey(facts, 'INVITE')) !== undefined
    );
  }

  #isTooFast(incoming: Incoming): boolean {
    const { rates, tally } = this.#core;
    const verdict = rates.take(incoming.flow.remote.address);
    if (verdict === 'pass') return false;
    tally.rateLimited += 1;
    if (verdict === 'refuse') this.refuse(incoming, 503, [header('Retry-After', '1')]);
    return true;
  }

  /** The dialog a request names; a BYE that forgot the To tag may name it by Call-ID, From tag and source. */
  #dialogOf(incoming: Incoming): Dialog | undefined {
    const { request, facts, flow } = incoming;
    if (facts.fromTag === undefined) return undefined;
    const dialog = this.#core.dialogs.get(dialogIdOf(facts.callId, facts.fromTag));
    if (dialog === undefined || facts.toTag === dialog.localTag) return dialog;
    const forgiven =
      request.method === 'BYE' &&
      facts.toTag === undefined &&
      dialog.flow.remote.address === flow.remote.address &&
      this.isLenient(incoming);
    return forgiven ? dialog : undefined;
  }

  /** Of a dialog that a process before this one had the BYE is worth telling: the application knows what it ends (DLG-11). */
  #unknownDialog(incoming: Incoming): void {
    const { toTag } = incoming.facts;
    if (incoming.request.method === 'BYE' && this.#isFormer(incoming))
      this.#offer(incoming, this.startTransaction(incoming, toTag));
    else this.refuse(incoming, 481);
  }

  #isFormer({ facts: { callId, fromTag = '', toTag } }: Incoming): boolean {
    return toTag !== undefined && this.#core.dialogs.formerTag(dialogIdOf(callId, fromTag)) === toTag;
  }

  /** Whether the sender is forgiven what siprec-interop.md DLG-6 and DLG-7 list. */
  isLenient({ flow }: Incoming): boolean {
    return this.#core.lenient(flow.remote.address);
  }

  #invite(incoming: Incoming): void {
    const { facts, request } = incoming;
    if (facts.fromTag === undefined) throw new SipServerError('BAD_MESSAGE', 'INVITE without From tag');
    if (contactUri(request) === undefined)
      throw new SipServerError('BAD_MESSAGE', 'INVITE without one SIP Contact');
    const dialog = this.#core.dialogs.get(dialogIdOf(facts.callId, facts.fromTag));
    const isMerged = this.#isMerged(incoming);
    // Its transaction was forgotten before its time; the dialog repeats the answer by itself.
    if (!isMerged && dialog?.unacknowledged?.cseq === facts.cseq) return;
    if (isMerged || dialog?.remoteCSeq === facts.cseq) {
      this.refuse(incoming, 482);
      return;
    }
    // drachtio's dialog id has no place for our tag: a second dialog would overwrite the first (section 4).
    if (dialog !== undefined) throw new SipServerError('BAD_MESSAGE', 'Call-ID and From tag are in use');
    const transaction = this.startTransaction(incoming);
    this.answer(transaction, 100);
    this.#limitWait(incoming, transaction);
    this.#offer(incoming, transaction);
  }

  /** An INVITE whose Expires runs out unanswered is over, as if it were cancelled (UAS-20). */
  #limitWait(incoming: Incoming, transaction: ServerTransaction): void {
    const { request, bytes } = incoming;
    const seconds = /^\d{1,6}$/.exec(valueOf(request.headers, 'expires') ?? '')?.[0];
    if (seconds === undefined || Number(seconds) === 0) return;
    transaction.expireIn(Number(seconds) * this.#core.timers.second, () => {
      const cancel = parseMessage(composeCancel(request, '').text, Number.MAX_SAFE_INTEGER);
      this.#terminate(transaction, cancel, bytes);
    });
  }

  #outOfDialog(incoming: Incoming): void {
    const { method } = incoming.request;
    if (this.#isMerged(incoming)) this.refuse(incoming, 482);
    else if (!KNOWN.has(method) && this.#core.applications.pick(method) === undefined)
      this.refuse(incoming, 501);
    else this.#offer(incoming, this.startTransaction(incoming));
  }

  #isMerged(incoming: Incoming): boolean {
    const key = mergeKey(incoming);
    return key !== undefined && this.#core.serverTransactions.byMergeKey(key) !== undefined;
  }

  #offer(incoming: Incoming, transaction: ServerTransaction): void {
    const application = this.#core.applications.pick(incoming.request.method);
    if (application === undefined) this.answer(transaction, 503);
    else this.deliver(incoming, transaction, application);
  }

  #cancel(incoming: Incoming): void {
    const invite = this.#core.serverTransactions.byKey(transactionKey(incoming.facts, 'INVITE'));
    const pending = invite?.pending;
    if (invite === undefined || pending === undefined) {
      this.refuse(incoming, 481);
      return;
    }
    const own = this.startTransaction(incoming, invite.localTag);
    this.answer(own, 200);
    this.#terminate(invite, incoming.request, incoming.bytes);
  }

  /** Ends an unanswered INVITE; the application hears of it by the CANCEL. */
  #terminate(invite: ServerTransaction, cancel: SipMessage, bytes: number): void {
    const { dialog } = invite;
    this.answer(invite, 487);
    if (dialog !== undefined && !dialog.confirmed) this.#core.dialogs.remove(dialog);
    if (dialog !== undefined) dialog.peerInviteTxnId = undefined;
    invite.application?.deliver({
      source: 'network',
      bytes,
      ...overFlow(invite.flow),
      txnId: invite.id,
      dialogId: dialog?.confirmed === true ? dialog.id : '',
      message: forApplication(cancel),
    });
  }

  #ack(incoming: Incoming): void {
    const { facts, request, flow, bytes } = incoming;
    const { serverTransactions, dialogs, tally } = this.#core;
    const refused = serverTransactions.byKey(transactionKey(facts, 'INVITE'));
    if (refused?.wasRefused === true) {
      refused.acknowledged();
      return;
    }
    // By Call-ID and From tag alone: ACKs with a wrong To tag or CSeq are seen in the field (siprec-interop.md DLG-6).
    const dialog = dialogs.get(dialogIdOf(facts.callId, facts.fromTag ?? ''));
    const waiting = dialog?.unacknowledged;
    if (
      dialog === undefined ||
      waiting === undefined ||
      !this.#acknowledges(incoming, dialog, waiting.cseq)
    ) {
      tally.dropped += 1;
      return;
    }
    dialogs.adopt(dialog, this.#core.applications.pick('invite'));
    dialog.acknowledged();
    serverTransactions.byId(waiting.txnId)?.acknowledged();
    dialog.application.deliver({
      source: 'network',
      bytes,
      ...overFlow(flow),
      txnId: waiting.txnId,
      dialogId: dialog.id,
      message: forApplication(request),
    });
  }

  #acknowledges(incoming: Incoming, dialog: Dialog, cseq: number): boolean {
    const { facts } = incoming;
    if (facts.cseq === dialog.lastAcknowledgedCSeq) return false;
    if (facts.cseq === cseq && facts.toTag === dialog.localTag) return true;
    const taken = this.isLenient(incoming);
    this.#core.log('debug', 'sip server: an ACK with wrong CSeq or To tag', { callId: facts.callId, taken });
    return taken;
  }

  /** Begins to remember a request. */
  startTransaction(incoming: Incoming, localTag = randomBytes(8).toString('hex')): ServerTransaction {
    const { request, facts, flow } = incoming;
    const [key, merge] = [transactionKey(facts, request.method), mergeKey(incoming)];
    // Where a transaction lingers, nothing of it may keep the whole message in memory.
    const keep = isStream(flow.protocol) ? (text: string) => text : detached;
    const identity = {
      key: keep(key),
      mergeKey: merge === undefined ? undefined : keep(merge),
      localTag,
      flow,
      isOfCall: request.method === 'INVITE' || facts.toTag !== undefined,
    };
    const transaction = new ServerTransaction({ request, facts }, identity, this.#core, {
      finished: (finished) => {
        this.#core.serverTransactions.finish(finished);
      },
      ended: (ended) => {
        this.#core.serverTransactions.remove(ended);
      },
      silent: (silent) => {
        this.#core.log('warn', 'sip server: the application did not answer', { method: silent.method });
        this.answer(silent, 500);
      },
    });
    this.#core.serverTransactions.add(transaction);
    return transaction;
  }

  /** Answers by ourselves through the transaction; nothing when it has its final answer. */
  answer(transaction: ServerTransaction, status: number, headers: readonly Header[] = []): void {
    const { pending, localTag } = transaction;
    if (pending === undefined) return;
    transaction.respond(status, serialise(composeResponse(pending.request, { status, localTag, headers })));
  }

  /** Answers by ourselves and remembers nothing (RFC 3261 §8.2.7). */
  refuse(
    { request, flow }: Pick<Incoming, 'request' | 'flow'>,
    status: number,
    headers: readonly Header[] = [],
  ): void {
    if (request.method === 'ACK') return;
    this.#core.tally.responses += 1;
    flow.send(serialise(composeResponse(request, { status, localTag: statelessTag(request), headers })));
  }

  /** Hands a request to its application. */
  deliver(incoming: Incoming, transaction: ServerTransaction, application: Application): void {
    transaction.application = application;
    const { dialog } = transaction;
    application.deliver({
      source: 'network',
      bytes: incoming.bytes,
      ...overFlow(incoming.flow),
      txnId: transaction.id,
      dialogId: dialog?.id ?? '',
      ...(dialog === undefined ? { receivedOn: incoming.flow.local } : {}),
      message: forApplication(incoming.request),
    });
  }
}

function mergeKey({ facts, request }: Incoming): string | undefined {
  if (facts.toTag !== undefined || facts.fromTag === undefined || request.method === 'CANCEL')
    return undefined;
  return `${facts.callId}|${facts.fromTag}|${facts.cseq}|${request.method}`;
}
