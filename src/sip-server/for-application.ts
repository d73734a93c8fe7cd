import { isUtf8 } from 'node:buffer';
import type { Flow } from './flow.ts';
import { header, splitList, type Header } from './headers.ts';
import { serialise, type SipMessage, type SipRequest } from './message.ts';
import { closeUnterminatedBracket, quoteDisplayName } from './name-addr.ts';
import { certificateHeader } from './peer-certificate.ts';

/** Headers of this beginning are ours: only this server may say them to the application. */
const OWN = 'x-sealtape-';

const WITH_BRACKETS = new Set(['contact', 'from', 'to', 'p-asserted-identity', 'remote-party-id']);

/**
 * A message from the network with what the application cannot see by itself: the peer's TLS certificate, and the octets
 * of a body that is not UTF-8, which drachtio's text protocol would damage. The same headers from the network are taken away.
 */
export function annotated<M extends SipMessage>(message: M, flow: Flow): M {
  const foreign = message.headers.some(isReserved);
  const headers = foreign ? message.headers.filter((each) => !isReserved(each)) : message.headers;
  if (message.kind === 'response') return foreign ? { ...message, headers } : message;
  const own: Header[] = [];
  if (flow.peerCertificate !== undefined)
    own.push(header('X-Sealtape-Peer-Certificate', certificateHeader(flow.peerCertificate)));
  if (wouldBeDamaged(message.body))
    own.push(header('X-Sealtape-Raw-Body', Buffer.from(message.body, 'latin1').toString('base64')));
  return own.length > 0 || foreign ? { ...message, headers: [...headers, ...own] } : message;
}

/** drachtio-srf decodes `%58` in names, so a name with a per cent sign could become any other. */
const isReserved = ({ key }: Header): boolean => key.startsWith(OWN) || key.includes('%');

const wouldBeDamaged = (body: string): boolean =>
  /[\x80-\xff]/.test(body) && !isUtf8(Buffer.from(body, 'latin1'));

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
