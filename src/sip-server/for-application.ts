import type { Header } from './headers.ts';
import { serialise, type SipMessage, type SipRequest } from './message.ts';
import { closeUnterminatedBracket } from './name-addr.ts';

const WITH_BRACKETS = new Set(['contact', 'from', 'to', 'p-asserted-identity', 'remote-party-id']);

/**
 * The message as drachtio-srf can read it: compact names expanded and header lines that are none left out (by the
 * parser), Content-Length always there (srf cuts the body at its first blank line otherwise), brackets closed.
 */
export function forApplication(message: SipMessage): string {
  return serialise({ ...message, headers: message.headers.map(readable) });
}

function readable(each: Header): Header {
  return WITH_BRACKETS.has(each.key) ? { ...each, value: closeUnterminatedBracket(each.value) } : each;
}

/** Puts another value into the topmost Via. */
export function withTopVia(request: SipRequest, value: string): SipRequest {
  const top = request.headers.findIndex((each) => each.key === 'via');
  return {
    ...request,
    headers: request.headers.map((each, index) => (index === top ? { ...each, value } : each)),
  };
}
