import { randomUUID } from 'node:crypto';
import type { Application } from './application.ts';
import type { Dialog } from './dialog.ts';
import { isStream, type Flow } from './flow.ts';
import { guarded } from './log.ts';
import type { SipRequest } from './message.ts';
import type { RequestFacts } from './request-facts.ts';
import {
  nextInviteServer,
  nextNonInviteServer,
  statusEvent,
  type ServerEffect,
  type ServerEvent,
  type ServerState,
} from './server-states.ts';
import type { Shared } from './shared.ts';
import { transactionTimeout } from './timers.ts';

/** What is needed to answer; forgotten with the final answer, like the dialog, so that a finished transaction holds one string at most. */
export interface PendingRequest {
  readonly request: SipRequest;
  readonly facts: RequestFacts;
}

export interface TransactionEvents {
  /** It has its final answer, and lingers for what comes again. */
  finished(transaction: ServerTransaction): void;
  /** Nothing can come any more. */
  ended(transaction: ServerTransaction): void;
  /** The application did not answer in time. */
  silent(transaction: ServerTransaction): void;
}

/** Runs one server transaction: keeps the state of server-states.ts, the last response and the timers. */
export class ServerTransaction {
  readonly id = randomUUID();
  readonly key: string;
  /** Recognises the same request on another way (RFC 3261 §8.2.2.2). */
  readonly mergeKey: string | undefined;
  readonly method: string;
  /** An INVITE, or a request within a dialog. */
  readonly isOfCall: boolean;
  readonly flow: Flow;
  /** Who answers; undefined while nobody was asked. */
  application: Application | undefined;
  /** While it is unanswered. */
  dialog: Dialog | undefined;
  localTag: string;
  /** Where the peer wants to be reached once this is answered 2xx (RFC 3261 §12.2.2). */
  newTarget: string | undefined;
  #pending: PendingRequest | undefined;
  #state: ServerState;
  #lastResponse = '';
  #resendAfter: number;
  #resendTimer: NodeJS.Timeout | undefined;
  #endTimer: NodeJS.Timeout | undefined;
  #expiryTimer: NodeJS.Timeout | undefined;
  readonly #shared: Shared;
  readonly #events: TransactionEvents;

  constructor(
    pending: PendingRequest,
    identity: Pick<ServerTransaction, 'key' | 'mergeKey' | 'localTag' | 'flow' | 'isOfCall'>,
    shared: Shared,
    events: TransactionEvents,
  ) {
    this.#pending = pending;
    this.key = identity.key;
    this.mergeKey = identity.mergeKey;
    this.localTag = identity.localTag;
    this.flow = identity.flow;
    this.isOfCall = identity.isOfCall;
    this.method = pending.request.method;
    this.#state = this.method === 'INVITE' ? 'proceeding' : 'trying';
    this.#shared = shared;
    this.#events = events;
    this.#resendAfter = shared.timers.t1;
    this.#waitForApplication();
  }

  /** True for an INVITE answered 300–699, whose ACK belongs to the transaction. */
  get wasRefused(): boolean {
    return this.#state === 'completed' || this.#state === 'confirmed';
  }

  /** The request while it is unanswered. */
  get pending(): PendingRequest | undefined {
    return this.#pending;
  }

  /** Sends a response and remembers it. Only while `pending`. */
  respond(status: number, text: string): void {
    // A 2xx to an INVITE is repeated by its dialog, and by nobody else (server-states.ts).
    this.#lastResponse = this.method === 'INVITE' && status >= 200 && status < 300 ? '' : text;
    this.#shared.tally.responses += 1;
    this.flow.send(text);
    if (status >= 200) {
      this.#pending = undefined;
      this.dialog = undefined;
      clearTimeout(this.#endTimer);
      clearTimeout(this.#expiryTimer);
    } else if (status > 100) this.#waitForApplication();
    this.#happens(statusEvent(status));
    if (status >= 200 && this.#state !== 'terminated') this.#events.finished(this);
  }

  /** Calls back after `delay` ms unless there is a final answer by then (RFC 3261 §13.3.1). */
  expireIn(delay: number, expired: () => void): void {
    this.#expiryTimer = setTimeout(() => {
      guarded(this.#shared.log, 'expiry of an INVITE', expired);
    }, delay);
  }

  /** The same request came again. */
  repeated(): void {
    this.#shared.tally.retransmissions += 1;
    this.#happens('request');
  }

  acknowledged(): void {
    this.#happens('ack');
  }

  /** Ends without another word: shutdown, or nobody left to answer to. */
  abandon(): void {
    this.#pending = undefined;
    this.#state = 'terminated';
    this.#clear();
  }

  #happens(event: ServerEvent): void {
    const next = this.method === 'INVITE' ? nextInviteServer : nextNonInviteServer;
    const { state, effects } = next(this.#state, event, isStream(this.flow.protocol));
    this.#state = state;
    for (const effect of effects) this.#run(effect);
  }

  #run(effect: ServerEffect): void {
    const { timers, log } = this.#shared;
    switch (effect) {
      case 'resend':
        if (this.#lastResponse !== '') this.flow.send(this.#lastResponse);
        return;
      case 'arm-resend':
        this.#resendTimer = this.#later(this.#resendAfter, 'resend-timer');
        this.#resendAfter = Math.min(2 * this.#resendAfter, timers.t2);
        return;
      case 'stop-resend':
        clearTimeout(this.#resendTimer);
        return;
      case 'arm-end':
        this.#endTimer = this.#later(transactionTimeout(timers), 'end-timer');
        return;
      case 'arm-end-after-ack':
        clearTimeout(this.#endTimer);
        this.#endTimer = this.#later(timers.t4, 'end-timer');
        return;
      case 'no-ack-came':
        log('debug', 'sip server: no ACK for a refused INVITE', { remote: this.flow.remote });
        return;
      case 'end':
        this.#clear();
        this.#events.ended(this);
        return;
      default:
        effect satisfies never;
    }
  }

  #waitForApplication(): void {
    clearTimeout(this.#endTimer);
    this.#endTimer = setTimeout(() => {
      guarded(this.#shared.log, 'giving up on the application', () => {
        this.#events.silent(this);
      });
    }, this.#shared.timers.applicationSilence);
  }

  #later(delay: number, event: ServerEvent): NodeJS.Timeout {
    return setTimeout(() => {
      guarded(this.#shared.log, 'server transaction timer', () => {
        this.#happens(event);
      });
    }, delay);
  }

  #clear(): void {
    clearTimeout(this.#resendTimer);
    clearTimeout(this.#endTimer);
    clearTimeout(this.#expiryTimer);
  }
}
