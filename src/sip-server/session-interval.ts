import { header, valueOf, type Header } from './headers.ts';
import type { SipMessage, SipRequest, SipResponse } from './message.ts';

/** How long a session lives without a refresh, and whose task the refresh is (RFC 4028). */
export interface SessionInterval {
  readonly seconds: number;
  readonly refresher: 'us' | 'peer';
}

/** RFC 4028 §4: nothing below is a sensible interval. */
export const SHORTEST_INTERVAL = 90;

interface SessionExpires {
  readonly seconds: number;
  readonly refresher: 'uac' | 'uas' | undefined;
}

/** The Session-Expires header; undefined when there is none that can be read. */
export function sessionExpires(message: SipMessage): SessionExpires | undefined {
  const text = valueOf(message.headers, 'session-expires');
  const match = /^\s*(\d{1,10})\s*(;.*)?$/.exec(text ?? '');
  if (match === null) return undefined;
  const named = /;\s*refresher\s*=\s*"?(uac|uas)\b/i.exec(match[2] ?? '')?.[1]?.toLowerCase();
  const refresher = named === 'uac' || named === 'uas' ? named : undefined;
  return { seconds: Number(match[1]), refresher };
}

/** Whether a message lists an option tag, in Supported or Require. */
const supports = (message: SipMessage, tag: string): boolean =>
  lists(message, 'supported', tag) || lists(message, 'require', tag);

const lists = (message: SipMessage, key: string, tag: string): boolean =>
  message.headers
    .filter((each) => each.key === key)
    .flatMap((each) => each.value.split(','))
    .some((each) => each.trim().toLowerCase() === tag);

/**
 * What the server adds to the application's 2xx when the peer named the refresher and the application says nothing: the
 * peer's own words (drachtio-protocol.md section 6). A peer that does not know timers gets none (TMR-4).
 */
export function sessionHeaders(request: SipRequest, response: SipResponse): readonly Header[] {
  const asked = sessionExpires(request);
  if (asked?.refresher === undefined || sessionExpires(response) !== undefined) return [];
  if (!supports(request, 'timer')) return [];
  const { seconds, refresher } = asked;
  const said = header('Session-Expires', `${seconds};refresher=${refresher}`);
  return refresher === 'uac' && !lists(response, 'require', 'timer')
    ? [said, header('Require', 'timer')]
    : [said];
}

/** What our 2xx, as sent, agrees to (RFC 4028 §9 table 2); undefined: the session has no end of its own. */
export function agreedByUs(request: SipRequest, sent: SipResponse): SessionInterval | undefined {
  const said = sessionExpires(sent);
  if (said === undefined) return undefined;
  const refresher = said.refresher ?? (supports(request, 'timer') ? 'uac' : 'uas');
  return { seconds: atLeast(said.seconds), refresher: refresher === 'uas' ? 'us' : 'peer' };
}

/** What the peer's 2xx to a request of ours agrees to (RFC 4028 §7.2). */
export function agreedByPeer(response: SipResponse): SessionInterval | undefined {
  const said = sessionExpires(response);
  if (said === undefined) return undefined;
  return { seconds: atLeast(said.seconds), refresher: said.refresher === 'uas' ? 'peer' : 'us' };
}

const atLeast = (seconds: number): number => Math.max(seconds, SHORTEST_INTERVAL);
