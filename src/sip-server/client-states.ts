/** Client transactions as values: RFC 3261 §17.1 with the Accepted state of RFC 6026 §7.2. */
export type ClientState = 'calling' | 'proceeding' | 'accepted' | 'completed' | 'terminated';

export type ClientEvent =
  | 'provisional'
  | 'success'
  | 'failure'
  /** Timer A or E. */
  | 'resend-timer'
  /** Timer B or F. */
  | 'timeout'
  /** Timer D, K or M. */
  | 'end-timer'
  | 'transport-error';

export type ClientEffect =
  | 'deliver'
  | 'resend'
  | 'arm-resend'
  | 'stop-resend'
  | 'stop-timeout'
  | 'arm-end'
  | 'send-ack'
  | 'repeat-ack'
  | 'report-timeout'
  | 'report-unreachable'
  | 'end';

export interface ClientStep {
  readonly state: ClientState;
  readonly effects: readonly ClientEffect[];
}

const step = (state: ClientState, ...effects: ClientEffect[]): ClientStep => ({ state, effects });
const QUIET = ['stop-resend', 'stop-timeout'] as const;

export function nextInviteClient(state: ClientState, event: ClientEvent, reliable: boolean): ClientStep {
  const ends = reliable ? ('end' as const) : ('arm-end' as const);
  switch (state) {
    case 'calling':
    case 'proceeding':
      return inviteUnanswered(state, event, ends);
    case 'accepted':
      if (event === 'end-timer') return step('terminated', 'end');
      return event === 'success' ? step(state, 'repeat-ack') : step(state);
    case 'completed':
      if (event === 'end-timer') return step('terminated', 'end');
      return event === 'failure' ? step(state, 'send-ack') : step(state);
    case 'terminated':
      return step(state);
    default:
      return state satisfies never;
  }
}

function inviteUnanswered(state: ClientState, event: ClientEvent, ends: 'end' | 'arm-end'): ClientStep {
  switch (event) {
    case 'provisional':
      return step('proceeding', ...QUIET, 'deliver');
    case 'success':
      // Stays on TCP too: a 2xx is repeated there until our ACK arrives (§13.3.1.4).
      return step('accepted', ...QUIET, 'arm-end', 'deliver');
    case 'failure':
      return step(ends === 'end' ? 'terminated' : 'completed', ...QUIET, 'send-ack', 'deliver', ends);
    case 'resend-timer':
      return state === 'calling' ? step(state, 'resend', 'arm-resend') : step(state);
    case 'timeout':
      return step('terminated', 'report-timeout', 'end');
    case 'transport-error':
      return step('terminated', 'report-unreachable', 'end');
    default:
      return step(state);
  }
}

export function nextNonInviteClient(state: ClientState, event: ClientEvent, reliable: boolean): ClientStep {
  if (state === 'completed' || state === 'accepted')
    return event === 'end-timer' ? step('terminated', 'end') : step(state);
  if (state === 'terminated') return step(state);
  switch (event) {
    case 'provisional':
      return step('proceeding', 'deliver');
    case 'success':
    case 'failure':
      return reliable
        ? step('terminated', ...QUIET, 'deliver', 'end')
        : step('completed', ...QUIET, 'deliver', 'arm-end');
    case 'resend-timer':
      return step(state, 'resend', 'arm-resend');
    case 'timeout':
      return step('terminated', 'report-timeout', 'end');
    case 'transport-error':
      return step('terminated', 'report-unreachable', 'end');
    default:
      return step(state);
  }
}
