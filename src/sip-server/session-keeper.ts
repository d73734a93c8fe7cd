import type { ClientTransaction } from './client-transaction.ts';
import type { Core } from './core.ts';
import type { Dialog } from './dialog.ts';
import type { DialogCommands } from './dialog-commands.ts';
import { header, valueOf } from './headers.ts';
import { guarded } from './log.ts';
import type { SipResponse } from './message.ts';
import type { SessionInterval } from './session-interval.ts';

/** setTimeout knows no longer time, 24 days; a session that may live longer is not watched. */
const LONGEST_TIMER = 2 ** 31 - 1;

const EXPIRED = 'Session timer expired';

/** Keeps session timers (RFC 4028): refreshes where that is our task, ends the dialogs of peers that let theirs run out. */
export class SessionKeeper {
  readonly #core: Core;
  readonly #commands: DialogCommands;

  constructor(core: Core, commands: DialogCommands) {
    this.#core = core;
    this.#commands = commands;
  }

  /** A 2xx to INVITE or UPDATE, ours or the peer's, began, prolonged or (undefined) ended the watch over a dialog. */
  agreed(dialog: Dialog, interval: SessionInterval | undefined): void {
    dialog.sessionInterval = interval;
    clearTimeout(dialog.sessionTimer);
    if (interval === undefined) return;
    const { seconds, refresher } = interval;
    if (refresher === 'us') {
      this.#refreshIn(dialog, seconds / 2);
      return;
    }
    // A little early, so that our BYE meets a peer that still knows the dialog (RFC 4028 §10).
    this.#in(dialog, seconds - Math.min(32, seconds / 3), () => {
      this.#commands.end(dialog, EXPIRED);
    });
  }

  #refreshIn(dialog: Dialog, seconds: number): void {
    this.#in(dialog, seconds, () => {
      this.#refresh(dialog);
    });
  }

  #in(dialog: Dialog, seconds: number, work: () => void): void {
    clearTimeout(dialog.sessionTimer);
    const delay = seconds * this.#core.timers.second;
    if (delay > LONGEST_TIMER) return;
    dialog.sessionTimer = setTimeout(() => {
      guarded(this.#core.log, 'session timer', () => {
        if (this.#core.dialogs.get(dialog.id) === dialog && !dialog.ending) work();
      });
    }, delay);
  }

  #refresh(dialog: Dialog): void {
    const { sessionInterval: interval, ownInviteTxnId, peerInviteTxnId, unacknowledged } = dialog;
    if (interval === undefined) return;
    if (ownInviteTxnId !== undefined || peerInviteTxnId !== undefined || unacknowledged !== undefined) {
      this.#refreshIn(dialog, interval.seconds / 16);
      return;
    }
    const byUpdate = dialog.peerAllowsUpdate || dialog.localSdp === '';
    const headers = [
      header('Session-Expires', `${interval.seconds};refresher=uac`),
      header('Supported', 'timer'),
      ...(byUpdate ? [] : [header('Content-Type', 'application/sdp')]),
    ];
    const request = byUpdate
      ? { method: 'UPDATE', headers, body: '' }
      : { method: 'INVITE', headers, body: dialog.localSdp };
    // Should no answer ever come (no way to the peer, a provisional answer and nothing more), it is tried again.
    this.#refreshIn(dialog, interval.seconds / 2);
    this.#commands.ownRequest(dialog, request, (response, transaction) => {
      this.#answered(dialog, response, transaction);
    });
  }

  /** A 2xx has been taken over by `agreed` already. */
  #answered(dialog: Dialog, response: SipResponse, { request }: ClientTransaction): void {
    if (response.status >= 300) this.#refused(dialog, response, request.method);
    else if (request.method === 'INVITE') this.#commands.acknowledge(dialog);
  }

  #refused(dialog: Dialog, response: SipResponse, method: string): void {
    const { status } = response;
    const interval = dialog.sessionInterval;
    if (interval === undefined || this.#core.dialogs.get(dialog.id) !== dialog) return;
    if (status === 408 || status === 481) {
      this.#commands.end(dialog, EXPIRED);
    } else if (status === 422 && shortestOf(response) > interval.seconds) {
      dialog.sessionInterval = { ...interval, seconds: shortestOf(response) };
      this.#refresh(dialog);
    } else if (method === 'UPDATE' && UNKNOWN_METHOD.has(status) && dialog.localSdp !== '') {
      dialog.peerAllowsUpdate = false;
      this.#refresh(dialog);
    } else {
      // Whoever answers is there. It may end the call itself; we do not end a recording over a formality.
      this.#core.log('warn', 'sip server: a session refresh was refused', { callId: dialog.callId, status });
      this.#refreshIn(dialog, interval.seconds / 8);
    }
  }
}

const UNKNOWN_METHOD = new Set([405, 501]);

/** Min-SE; 0 when there is none. */
const shortestOf = (response: SipResponse): number =>
  Number.parseInt(valueOf(response.headers, 'min-se') ?? '0', 10);
