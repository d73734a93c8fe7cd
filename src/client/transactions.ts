import { ClientError } from './client-error.ts';
import type { Channel } from './channel.ts';
import { headerOf, methodOf, serialize, statusOf, type SipMessage } from './sip-message.ts';

/** RFC 3261 §17.1.1.1, in milliseconds. */
export interface SipTimers {
  readonly t1: number;
  readonly t2: number;
  /** How long to wait for a final answer after the last sign of life. */
  readonly timeout: number;
}

export const DEFAULT_TIMERS: SipTimers = { t1: 500, t2: 4000, timeout: 32_000 };

interface Pending {
  readonly method: string;
  readonly bytes: Buffer;
  readonly resolve: (response: SipMessage) => void;
  readonly reject: (error: ClientError) => void;
  readonly onProvisional: (response: SipMessage) => void;
  interval: number;
  repeat: NodeJS.Timeout | undefined;
  deadline: NodeJS.Timeout | undefined;
}

export interface TransactionOptions {
  readonly timers: SipTimers;
  /** Sends each request twice over UDP, as a network that duplicates does. */
  readonly sendTwice: boolean;
  /** Requests from the server. */
  readonly onRequest: (request: SipMessage) => void;
  readonly onFailure: (error: ClientError) => void;
}

const keyOf = (message: SipMessage): string => {
  const branch = /;\s*branch=([^;,\s]+)/i.exec(headerOf(message, 'via') ?? '')?.[1] ?? '';
  const method = methodOf(message) ?? headerOf(message, 'cseq')?.split(/\s+/)[1] ?? '';
  return `${branch} ${method}`;
};

/** Client transactions over one channel (RFC 3261 §17.1, RFC 6026): repeats requests, pairs responses, repeats ACKs. */
export class Transactions {
  readonly #channel: Channel;
  readonly #options: TransactionOptions;
  readonly #pending = new Map<string, Pending>();
  readonly #acks = new Map<string, Buffer>();

  constructor(channel: Channel, options: TransactionOptions) {
    this.#channel = channel;
    this.#options = options;
    channel.listen(
      (message) => {
        this.#receive(message);
      },
      (error) => {
        this.#failAll(error);
      },
    );
  }

  /** Sends a request and resolves with the final response, whatever its status. Rejects with ClientError TIMEOUT, UNREACHABLE, CONNECTION_LOST. */
  request(
    message: SipMessage,
    onProvisional: (response: SipMessage) => void = () => undefined,
  ): Promise<SipMessage> {
    return new Promise((resolve, reject) => {
      const pending: Pending = {
        method: methodOf(message) ?? '',
        bytes: serialize(message),
        resolve,
        reject,
        onProvisional,
        interval: this.#options.timers.t1,
        repeat: undefined,
        deadline: undefined,
      };
      const key = keyOf(message);
      this.#pending.set(key, pending);
      this.#transmit(pending.bytes);
      this.#waitForAnswer(key, pending);
      if (!this.#channel.reliable) this.#repeatLater(pending);
    });
  }

  /** Sends the ACK of an INVITE and sends it again whenever the final response comes again. */
  acknowledge(invite: SipMessage, ack: SipMessage): void {
    const bytes = serialize(ack);
    this.#acks.set(keyOf(invite), bytes);
    this.#channel.send(bytes);
  }

  respond(response: SipMessage): void {
    this.#channel.send(serialize(response));
  }

  /** Gives up whatever is unanswered without telling anyone. */
  close(): void {
    for (const pending of this.#pending.values()) stopTimers(pending);
    this.#pending.clear();
  }

  #transmit(bytes: Buffer): void {
    this.#channel.send(bytes);
    if (this.#options.sendTwice && !this.#channel.reliable) this.#channel.send(bytes);
  }

  #waitForAnswer(key: string, pending: Pending): void {
    clearTimeout(pending.deadline);
    const { timeout } = this.#options.timers;
    pending.deadline = setTimeout(() => {
      this.#settle(key, pending);
      pending.reject(
        new ClientError('TIMEOUT', `no answer to ${pending.method} within ${timeout / 1000} seconds`),
      );
    }, timeout);
  }

  #repeatLater(pending: Pending): void {
    pending.repeat = setTimeout(() => {
      this.#channel.send(pending.bytes);
      pending.interval = Math.min(
        pending.interval * 2,
        pending.method === 'INVITE' ? Infinity : this.#options.timers.t2,
      );
      this.#repeatLater(pending);
    }, pending.interval);
  }

  #receive(message: SipMessage): void {
    const status = statusOf(message);
    if (status === undefined) {
      this.#options.onRequest(message);
      return;
    }
    const key = keyOf(message);
    const pending = this.#pending.get(key);
    if (pending === undefined) {
      const ack = this.#acks.get(key);
      if (ack !== undefined && status >= 200) this.#channel.send(ack);
    } else if (status >= 200) {
      this.#settle(key, pending);
      pending.resolve(message);
    } else {
      this.#provisional(key, pending, message);
    }
  }

  #provisional(key: string, pending: Pending, message: SipMessage): void {
    if (pending.method === 'INVITE') {
      clearTimeout(pending.repeat);
      this.#waitForAnswer(key, pending);
    } else {
      pending.interval = this.#options.timers.t2;
    }
    pending.onProvisional(message);
  }

  #settle(key: string, pending: Pending): void {
    stopTimers(pending);
    this.#pending.delete(key);
  }

  #failAll(error: ClientError): void {
    for (const [key, pending] of this.#pending) {
      this.#settle(key, pending);
      pending.reject(error);
    }
    this.#options.onFailure(error);
  }
}

function stopTimers(pending: Pending): void {
  clearTimeout(pending.repeat);
  clearTimeout(pending.deadline);
}
