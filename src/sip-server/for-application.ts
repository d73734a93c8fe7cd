import { splitList, type Header } from './headers.ts';
import { serialise, type SipMessage, type SipRequest } from './message.ts';
import { closeUnterminatedBracket, quoteDisplayName } from './name-addr.ts';

const WITH_BRACKETS = new Set(['contact', 'from', 'to', 'p-asserted-identity', 'remote-party-id']);

/**
 * The message as drachtio-srf can read it: compact names expanded and header lines that are none left out (by the
 * parser), Content-Length always there (srf cuts the body at its first blank line otherwise), brackets closed.
 */
export function forApplication(message: SipMessage): string {
  return serialise({ ...message, headers: message.headers.filter(useful).map(readable) });
}

const useful = ({ key, value }: Header): boolean => key !== 'contact' || value !== '';

function readable(each: Header): Header {
  if (!WITH_BRACKETS.has(each.key)) return each;
  // An empty list element makes drachtio-srf throw after it has sent the 200.
  const items = each.key === 'contact' ? splitList(each.value) : [each.value];
  return { ...each, value: items.map((item) => quoteDisplayName(closeUnterminatedBracket(item))).join(', ') };
}

/** Puts another value into the topmost Via. */
export function withTopVia(request: SipRequest, value: string): SipRequest {
  const top = request.headers.findIndex((each) => each.key === 'via');
  return {
    ...request,
    headers: request.headers.map((each, index) => (index === top ? { ...each, value } : each)),
  };
}
