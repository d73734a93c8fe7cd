import { randomInt } from 'node:crypto';
import { overFlow } from './application.ts';
import { contactUri } from './contact.ts';
import type { Core } from './core.ts';
import type { Dialog } from './dialog.ts';
import { forApplication } from './for-application.ts';
import { header } from './headers.ts';
import type { SipRequest } from './message.ts';
import { SHORTEST_INTERVAL, sessionExpires } from './session-interval.ts';
import type { Incoming, Uas } from './uas.ts';

const MIN_SE = header('Min-SE', String(SHORTEST_INTERVAL));

/** Requests from the network inside a dialog (RFC 3261 §12.2.2, siprec-interop.md section 1.4). */
export class DialogRequests {
  readonly #core: Core;
  readonly #uas: Uas;

  constructor(core: Core, uas: Uas) {
    this.#core = core;
    this.#uas = uas;
  }

  handle(incoming: Incoming, dialog: Dialog): void {
    const { request, facts } = incoming;
    this.#core.dialogs.adopt(dialog, this.#core.applications.pick('invite'));
    // An equal CSeq is not covered by the RFC: a BYE counts (DLG-3). A lower one counts where we are lenient (DLG-7).
    const timely = facts.cseq >= dialog.remoteCSeq || this.#uas.isLenient(incoming);
    if (request.method === 'BYE' && timely) this.#bye(incoming, dialog);
    else if (dialog.ending) this.#uas.refuse(incoming, 481);
    else if (facts.cseq <= dialog.remoteCSeq) this.#uas.refuse(incoming, 500);
    else if (this.#tooShort(incoming)) this.#uas.refuse(incoming, 422, [MIN_SE]);
    // Nobody can answer it now; the dialog outlives a 500 (RFC 3261 §14.1).
    else if (!dialog.application.open) this.#uas.refuse(incoming, 500, [header('Retry-After', '3')]);
    else this.#other(incoming, dialog);
  }

  /** TMR-1; the application is not asked (drachtio-protocol.md section 6). */
  #tooShort({ request }: Incoming): boolean {
    if (request.method !== 'INVITE' && request.method !== 'UPDATE') return false;
    return (sessionExpires(request)?.seconds ?? SHORTEST_INTERVAL) < SHORTEST_INTERVAL;
  }

  /** The dialog ends here and now. The application answers. */
  #bye(incoming: Incoming, dialog: Dialog): void {
    const transaction = this.#uas.startTransaction(incoming, dialog.localTag);
    this.#core.dialogs.remove(dialog);
    const invite = this.#core.serverTransactions.byId(dialog.peerInviteTxnId ?? '');
    if (invite !== undefined) this.#uas.answer(invite, 487);
    if (dialog.ending) {
      // Two BYEs crossed: the application has let go of the dialog already.
      this.#uas.answer(transaction, 200);
      return;
    }
    if (!dialog.application.open) {
      this.#uas.answer(transaction, 200);
      this.#core.dialogs.addFarewell({
        source: 'application',
        bytes: incoming.bytes,
        ...overFlow(incoming.flow),
        txnId: 'unsolicited',
        dialogId: dialog.id,
        message: forApplication(incoming.request),
      });
      return;
    }
    transaction.dialog = dialog;
    this.#uas.deliver(incoming, transaction, dialog.application);
  }

  #other(incoming: Incoming, dialog: Dialog): void {
    const { request, facts, flow } = incoming;
    const conflict = this.#conflict(incoming, dialog);
    if (conflict !== undefined) {
      this.#uas.refuse(
        incoming,
        conflict,
        conflict === 500 ? [header('Retry-After', String(randomInt(1, 10)))] : [],
      );
      return;
    }
    dialog.remoteCSeq = facts.cseq;
    dialog.useFlow(flow);
    const transaction = this.#uas.startTransaction(incoming, dialog.localTag);
    transaction.dialog = dialog;
    if (request.method === 'INVITE' || request.method === 'UPDATE')
      transaction.newTarget = contactUri(request);
    if (request.method === 'INVITE') {
      dialog.peerInviteTxnId = transaction.id;
      this.#uas.answer(transaction, 100);
    } else if (isOffer(request)) dialog.peerUpdateTxnId = transaction.id;
    this.#uas.deliver(incoming, transaction, dialog.application);
  }

  /** Two offers must not cross: 491 when one is ours, 500 when both are the peer's (RFC 3261 §14.2, RFC 3311 §5.2; DLG-4). */
  #conflict({ request }: Incoming, dialog: Dialog): 491 | 500 | undefined {
    if (!isOffer(request)) return undefined;
    if (dialog.ownInviteTxnId !== undefined || dialog.ownUpdateTxnId !== undefined) return 491;
    const { serverTransactions } = this.#core;
    const unanswered = (txnId: string | undefined): boolean =>
      txnId !== undefined && serverTransactions.byId(txnId)?.pending !== undefined;
    return unanswered(dialog.peerInviteTxnId) || unanswered(dialog.peerUpdateTxnId) ? 500 : undefined;
  }
}

/** A re-INVITE always asks for an agreement about media; an UPDATE does when it brings SDP. */
const isOffer = ({ method, body }: SipRequest): boolean =>
  method === 'INVITE' || (method === 'UPDATE' && /^v=0/m.test(body));
