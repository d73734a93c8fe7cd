import { randomInt } from 'node:crypto';
import { contactUri } from './contact.ts';
import type { Core } from './core.ts';
import type { Dialog } from './dialog.ts';
import { header } from './headers.ts';
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
    const { method } = incoming.request;
    if (method === 'BYE') this.#bye(incoming, dialog);
    else if (dialog.ending) this.#uas.refuse(incoming, 481);
    else if (incoming.facts.cseq <= dialog.remoteCSeq) this.#uas.refuse(incoming, 500);
    else if (this.#tooShort(incoming)) this.#uas.refuse(incoming, 422, [MIN_SE]);
    else this.#other(incoming, dialog);
  }

  /** TMR-1; the application is not asked (drachtio-protocol.md section 6). */
  #tooShort({ request }: Incoming): boolean {
    if (request.method !== 'INVITE' && request.method !== 'UPDATE') return false;
    return (sessionExpires(request)?.seconds ?? SHORTEST_INTERVAL) < SHORTEST_INTERVAL;
  }

  /** The dialog ends here and now; a low CSeq does not save it (DLG-7). The application answers. */
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
    }
    this.#uas.deliver(incoming, transaction, dialog.application);
  }

  /** Two offers must not cross (RFC 3261 §14.2, RFC 3311 §5.2). */
  #conflict({ request }: Incoming, dialog: Dialog): 491 | 500 | undefined {
    const offers = request.method === 'INVITE' || (request.method === 'UPDATE' && request.body !== '');
    if (!offers) return undefined;
    if (dialog.ownInviteTxnId !== undefined) return 491;
    return request.method === 'INVITE' && dialog.peerInviteTxnId !== undefined ? 500 : undefined;
  }
}
