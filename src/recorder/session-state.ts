import type { EndReason, RecordingStatus } from './events.ts';

/** architecture.md: the first states of a recording; sealing and delivery follow in the log. */
export type SessionState =
  | { readonly name: 'recording'; readonly paused: boolean; readonly damaged: boolean }
  | { readonly name: 'ending'; readonly reason: EndReason; readonly damaged: boolean };

export type SessionEvent =
  | { readonly type: 're-offered'; readonly paused: boolean }
  | { readonly type: 'write-failed' }
  | { readonly type: 'hung-up'; readonly reason: EndReason };

export const initialState: SessionState = { name: 'recording', paused: false, damaged: false };

/** The next state, or the same object when the event changes nothing (second BYE, repeated hold). */
export function next(state: SessionState, event: SessionEvent): SessionState {
  switch (event.type) {
    case 're-offered':
      return state.name === 'ending' || state.paused === event.paused
        ? state
        : { ...state, paused: event.paused };
    case 'write-failed':
      return state.damaged ? state : { ...state, damaged: true };
    case 'hung-up':
      return state.name === 'ending'
        ? state
        : { name: 'ending', reason: event.reason, damaged: state.damaged };
    default:
      return event satisfies never;
  }
}

/** The status the evidence log will state (evidence.md 1.4). Audio that could not be written makes a recording partial. */
export function statusOf(reason: EndReason, damaged: boolean): RecordingStatus {
  if (damaged) return 'partial';
  switch (reason) {
    case 'bye':
    // Whole as far as it was to be kept; the entry `pause` and the info file say that it was stopped.
    case 'stopped':
    case 'replaced':
      return 'complete';
    case 'crash':
      return 'recovered';
    case 'cancelled':
    case 'no-ack':
    case 'shutdown':
      return 'interrupted';
    default:
      return reason satisfies never;
  }
}
