import { overFlow, timeOfDay, type Application, type Reply } from './application.ts';
import { ClientTransaction, type OutgoingRequest } from './client-transaction.ts';
import { contactUri } from './contact.ts';
import type { Core } from './core.ts';
import type { Dialog } from './dialog.ts';
import type { Endpoint, Flow, Protocol } from './flow.ts';
import { forApplication } from './for-application.ts';
import { valueOf } from './headers.ts';
import { parseMessage, type SipRequest, type SipResponse } from './message.ts';
import { composeRequest, type RequestParts } from './requests.ts';
import { reasonOf } from './responses.ts';

/** A request of the application, and where its answer goes. */
export interface Command {
  readonly application: Application;
  readonly request: SipRequest;
  readonly reply: (reply: Reply) => void;
}

/** Who wants to know how a request of ours ended. */
interface Asker {
  /** Undefined for requests the server sends of its own accord. */
  readonly application: Application | undefined;
  readonly dialog: Dialog | undefined;
  /** Hears the final answer after the dialog has taken it over. */
  readonly answered?: (response: SipResponse, transaction: ClientTransaction) => void;
}

/** Our requests on their way: their transactions, the news of them for the application and what they do to the dialog. */
export class Sender {
  readonly #core: Core;
  readonly #refreshed: (dialog: Dialog, response: SipResponse) => void;

  /** `refreshed` hears of every 2xx to an INVITE or UPDATE of ours. */
  constructor(core: Core, refreshed: (dialog: Dialog, response: SipResponse) => void) {
    this.#core = core;
    this.#refreshed = refreshed;
  }

  /**
   * Makes the transaction of an application's request and tells the application its id before anything can come back
   * (drachtio-protocol.md section 3.1).
   */
  announce(
    command: Command,
    parts: RequestParts,
    way: { dialog: Dialog | undefined; protocol: Protocol; local: Endpoint },
  ): ClientTransaction {
    const outgoing = composeRequest(parts, way.protocol, way.local);
    const transaction = this.begin(outgoing, { application: command.application, dialog: way.dialog });
    if (way.dialog !== undefined && parts.method === 'INVITE') way.dialog.ownInviteTxnId = transaction.id;
    if (way.dialog !== undefined && parts.method === 'UPDATE' && /^v=0/m.test(parts.body))
      way.dialog.ownUpdateTxnId = transaction.id;
    command.reply(sentReply(outgoing.text, way, transaction.id));
    return transaction;
  }

  /** Makes a transaction; the caller starts it. */
  begin(outgoing: OutgoingRequest, asker: Asker): ClientTransaction {
    const transaction: ClientTransaction = new ClientTransaction(outgoing, this.#core, {
      response: (response, flow, bytes) => {
        this.#answered(asker, transaction, response);
        this.#tell(asker, transaction, response, { bytes, ...overFlow(flow) });
        if (response.status >= 200) asker.answered?.(response, transaction);
      },
      failed: (status) => {
        const response = localResponse(outgoing.text, status);
        const protocol = transaction.flow?.protocol ?? 'udp';
        this.#answered(asker, transaction, response);
        this.#tell(asker, transaction, response, { bytes: 0, protocol, peer: { address: '', port: 0 } });
        asker.answered?.(response, transaction);
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

  /** Starts a transaction when its way is open; 503 when it does not open. */
  startOn(opening: Promise<Flow>, transaction: ClientTransaction): void {
    opening.then(
      (flow) => {
        transaction.start(flow);
      },
      () => {
        transaction.unreachable();
      },
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

  #tell(
    { application, dialog }: Asker,
    transaction: ClientTransaction,
    response: SipResponse,
    from: { bytes: number; protocol: string; peer: Endpoint },
  ): void {
    const identity = { txnId: transaction.id, dialogId: dialog?.id ?? '' };
    application?.deliver({ source: 'network', ...from, ...identity, message: forApplication(response) });
  }

  /** What a final response does to the dialog. */
  #answered({ dialog }: Asker, { request, id }: ClientTransaction, response: SipResponse): void {
    if (dialog === undefined || response.status < 200) return;
    if (request.method === 'BYE') this.#byeAnswered(dialog, response.status);
    if (request.method === 'INVITE') inviteAnswered(dialog, response);
    if (dialog.ownUpdateTxnId === id) dialog.ownUpdateTxnId = undefined;
    const refreshes = request.method === 'INVITE' || request.method === 'UPDATE';
    if (!refreshes || response.status >= 300) return;
    dialog.remoteTarget = contactUri(response) ?? dialog.remoteTarget;
    this.#refreshed(dialog, response);
  }

  /** The dialog goes with whatever answer, unless the peer only wants credentials first. */
  #byeAnswered(dialog: Dialog, status: number): void {
    if (status === 401 || status === 407) dialog.ending = false;
    else this.#core.dialogs.remove(dialog);
  }
}

function inviteAnswered(dialog: Dialog, response: SipResponse): void {
  const cseq = Number.parseInt(valueOf(response.headers, 'cseq') ?? '', 10);
  dialog.ownInviteTxnId = undefined;
  dialog.lastAck = undefined;
  dialog.ownInviteCSeq = response.status < 300 ? cseq : undefined;
}

/** What the application is told about a request it sent. */
export function sentReply(text: string, way: { protocol: Protocol; local: Endpoint }, txnId: string): Reply {
  const { protocol, local } = way;
  const tokens = [text.length, protocol, local.address, local.port, timeOfDay(), txnId];
  return { tokens: ['OK', 'application', ...tokens, 'Msg sent:', ''], message: text };
}

/** The response the peer did not send (RFC 3261 §8.1.3.1). */
function localResponse(requestText: string, status: 408 | 503): SipResponse {
  const { headers } = parseMessage(requestText, Number.MAX_SAFE_INTEGER);
  const copied = new Set(['via', 'from', 'to', 'call-id', 'cseq']);
  const kept = headers.filter((each) => copied.has(each.key));
  return { kind: 'response', status, reason: reasonOf(status), headers: kept, body: '' };
}
