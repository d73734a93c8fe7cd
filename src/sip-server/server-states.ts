/** Server transactions as values: RFC 3261 §17.2 with the Accepted state of RFC 6026 §7.1. */
export type ServerState = 'trying' | 'proceeding' | 'accepted' | 'completed' | 'confirmed' | 'terminated';

export type ServerEvent =
  /** The request again. */
  | 'request'
  | 'provisional'
  | 'success'
  | 'failure'
  | 'ack'
  /** Timer G. */
  | 'resend-timer'
  /** Timer H, I, J or L. */
  | 'end-timer';

export type ServerEffect =
  'resend' | 'arm-resend' | 'stop-resend' | 'arm-end' | 'arm-end-after-ack' | 'end' | 'no-ack-came';

export interface ServerStep {
  readonly state: ServerState;
  readonly effects: readonly ServerEffect[];
}

const stay = (state: ServerState, ...effects: ServerEffect[]): ServerStep => ({ state, effects });

/** `reliable`: TCP, where nothing is repeated and finished transactions need not linger. */
export function nextInviteServer(state: ServerState, event: ServerEvent, reliable: boolean): ServerStep {
  switch (state) {
    case 'trying':
    case 'proceeding':
      return proceeding(event, reliable);
    case 'completed':
      return completed(event, reliable);
    // The 2xx itself is repeated by the dialog until the ACK comes (§13.3.1.4); so an INVITE that comes again is absorbed.
    case 'accepted':
      if (event === 'end-timer') return stay('terminated', 'end');
      return event === 'ack' && reliable ? stay('terminated', 'end') : stay(state);
    case 'confirmed':
      return event === 'end-timer' ? stay('terminated', 'end') : stay(state);
    case 'terminated':
      return stay(state);
    default:
      return state satisfies never;
  }
}

function proceeding(event: ServerEvent, reliable: boolean): ServerStep {
  switch (event) {
    case 'request':
      return stay('proceeding', 'resend');
    case 'success':
      return stay('accepted', 'arm-end');
    case 'failure':
      return reliable ? stay('completed', 'arm-end') : stay('completed', 'arm-end', 'arm-resend');
    default:
      return stay('proceeding');
  }
}

function completed(event: ServerEvent, reliable: boolean): ServerStep {
  switch (event) {
    case 'request':
      return stay('completed', 'resend');
    case 'resend-timer':
      return stay('completed', 'resend', 'arm-resend');
    case 'ack':
      return reliable ? stay('terminated', 'end') : stay('confirmed', 'stop-resend', 'arm-end-after-ack');
    case 'end-timer':
      return stay('terminated', 'no-ack-came', 'end');
    default:
      return stay('completed');
  }
}

/** Every method but INVITE and ACK (RFC 3261 §17.2.2). */
export function nextNonInviteServer(state: ServerState, event: ServerEvent, reliable: boolean): ServerStep {
  if (event === 'end-timer') return stay('terminated', 'end');
  switch (state) {
    case 'trying':
    case 'proceeding':
      if (event === 'provisional') return stay('proceeding');
      if (event === 'request') return state === 'proceeding' ? stay(state, 'resend') : stay(state);
      if (event !== 'success' && event !== 'failure') return stay(state);
      return reliable ? stay('terminated', 'end') : stay('completed', 'arm-end');
    case 'completed':
      return event === 'request' ? stay(state, 'resend') : stay(state);
    default:
      return stay(state);
  }
}

/** Which event a response of this status is. */
export function statusEvent(status: number): ServerEvent {
  if (status < 200) return 'provisional';
  return status < 300 ? 'success' : 'failure';
}
