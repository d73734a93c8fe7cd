import { randomUUID } from 'node:crypto';
import {
  nextInviteClient,
  nextNonInviteClient,
  type ClientEffect,
  type ClientEvent,
  type ClientState,
} from './client-states.ts';
import { isStream, type Flow } from './flow.ts';
import { guarded } from './log.ts';
import type { SipResponse } from './message.ts';
import type { Shared } from './shared.ts';
import { transactionTimeout } from './timers.ts';

export interface ClientEvents {
  /** A response for the user of the transaction; `bytes` as it came. */
  response(response: SipResponse, flow: Flow, bytes: number): void;
  /** No answer will come: 408 or 503. */
  failed(status: 408 | 503): void;
  /** The 2xx to our INVITE came again. */
  repeatAck(): void;
  ended(transaction: ClientTransaction): void;
}

export interface OutgoingRequest {
  readonly method: string;
  readonly branch: string;
  readonly text: string;
  /** The ACK to a refusal of this INVITE (RFC 3261 §17.1.1.3). */
  ackFor(response: SipResponse): string;
}

export const clientKey = (branch: string, method: string): string => `${branch}|${method}`;

/** Runs one client transaction: keeps the state of client-states.ts and the timers. */
export class ClientTransaction {
  readonly id = randomUUID();
  readonly request: OutgoingRequest;
  #state: ClientState = 'calling';
  #flow: Flow | undefined;
  #resendAfter: number;
  #resendTimer: NodeJS.Timeout | undefined;
  #endTimer: NodeJS.Timeout | undefined;
  #arrived: { response: SipResponse; flow: Flow; bytes: number } | undefined;
  readonly #shared: Shared;
  readonly #events: ClientEvents;

  constructor(request: OutgoingRequest, shared: Shared, events: ClientEvents) {
    this.request = request;
    this.#shared = shared;
    this.#events = events;
    this.#resendAfter = shared.timers.t1;
  }

  get key(): string {
    return clientKey(this.request.branch, this.request.method);
  }

  get state(): ClientState {
    return this.#state;
  }

  get flow(): Flow | undefined {
    return this.#flow;
  }

  /** Sends the request and starts the timers A/E and B/F. */
  start(flow: Flow): void {
    this.#flow = flow;
    this.#shared.tally.requests += 1;
    this.#endTimer = this.#later(transactionTimeout(this.#shared.timers), 'timeout');
    if (!flow.open) {
      this.#happens('transport-error');
      return;
    }
    flow.send(this.request.text);
    if (flow.protocol === 'udp') this.#run('arm-resend');
  }

  /** The way to the peer could not be opened. */
  unreachable(): void {
    this.#happens('transport-error');
  }

  received(response: SipResponse, flow: Flow, bytes: number): void {
    this.#arrived = { response, flow, bytes };
    if (response.status < 200) this.#happens('provisional');
    else this.#happens(response.status < 300 ? 'success' : 'failure');
    this.#arrived = undefined;
  }

  abandon(): void {
    this.#state = 'terminated';
    this.#clear();
  }

  #happens(event: ClientEvent): void {
    const next = this.request.method === 'INVITE' ? nextInviteClient : nextNonInviteClient;
    const { state, effects } = next(
      this.#state,
      event,
      this.#flow !== undefined && isStream(this.#flow.protocol),
    );
    this.#state = state;
    for (const effect of effects) this.#run(effect);
  }

  #run(effect: ClientEffect): void {
    switch (effect) {
      case 'deliver':
        if (this.#arrived !== undefined)
          this.#events.response(this.#arrived.response, this.#arrived.flow, this.#arrived.bytes);
        return;
      case 'resend':
        this.#shared.tally.retransmissions += 1;
        this.#flow?.send(this.request.text);
        return;
      case 'send-ack':
        if (this.#arrived !== undefined) this.#flow?.send(this.request.ackFor(this.#arrived.response));
        return;
      case 'repeat-ack':
        this.#events.repeatAck();
        return;
      case 'report-timeout':
        this.#events.failed(408);
        return;
      case 'report-unreachable':
        this.#events.failed(503);
        return;
      case 'end':
        this.#clear();
        this.#events.ended(this);
        return;
      default:
        this.#runTimer(effect);
    }
  }

  #runTimer(effect: 'arm-resend' | 'stop-resend' | 'stop-timeout' | 'arm-end'): void {
    const { timers } = this.#shared;
    switch (effect) {
      case 'arm-resend': {
        this.#resendTimer = this.#later(this.#resendAfter, 'resend-timer');
        const doubled = 2 * this.#resendAfter;
        // Timer A doubles without a ceiling, Timer E up to T2 (RFC 3261 §17.1.1.2, §17.1.2.2).
        this.#resendAfter = this.request.method === 'INVITE' ? doubled : Math.min(doubled, timers.t2);
        return;
      }
      case 'stop-resend':
        clearTimeout(this.#resendTimer);
        return;
      case 'stop-timeout':
        clearTimeout(this.#endTimer);
        return;
      case 'arm-end': {
        const lingering = this.request.method === 'INVITE' ? transactionTimeout(timers) : timers.t4;
        this.#endTimer = this.#later(lingering, 'end-timer');
        return;
      }
      default:
        effect satisfies never;
    }
  }

  #later(delay: number, event: ClientEvent): NodeJS.Timeout {
    return setTimeout(() => {
      guarded(this.#shared.log, 'client transaction timer', () => {
        this.#happens(event);
      });
    }, delay);
  }

  #clear(): void {
    clearTimeout(this.#resendTimer);
    clearTimeout(this.#endTimer);
  }
}
