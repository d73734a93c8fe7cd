import type { Endpoint, Flow } from './flow.ts';

/** One message for the application (drachtio-protocol.md section 3.3). */
export interface Delivery {
  readonly source: 'network' | 'application';
  readonly bytes: number;
  readonly protocol: string;
  readonly peer: Endpoint;
  readonly txnId: string;
  readonly dialogId: string;
  /** Where a new request came in; absent inside dialogs and for responses. */
  readonly receivedOn?: Endpoint;
  readonly message: string;
}

/** An authenticated control connection, as the SIP side sees it. */
export interface Application {
  /** False once the connection is gone. */
  readonly open: boolean;
  deliver(delivery: Delivery): void;
}

/** Chooses among the connections that routed a verb. */
export interface Applications {
  pick(verb: string): Application | undefined;
}

/** The answer to one message of the application: tokens behind `response|<id>|`, and the message as sent. */
export interface Reply {
  readonly tokens: readonly (string | number)[];
  readonly message?: string;
}

export const refusal = (text: string): Reply => ({ tokens: ['NOK', text] });

export const overFlow = (flow: Flow): Pick<Delivery, 'protocol' | 'peer'> => ({
  protocol: flow.protocol,
  peer: flow.remote,
});

/** `21:06:59.340615`: time of day in UTC as drachtio-server writes it; our clock has milliseconds. */
export function timeOfDay(): string {
  const now = Date.now();
  if (now !== told.at) told = { at: now, text: `${new Date(now).toISOString().slice(11, 23)}000` };
  return told.text;
}

/** Many messages fall into one millisecond. */
let told = { at: NaN, text: '' };
