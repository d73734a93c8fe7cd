import type { Endpoint } from './flow.ts';
import { header, valueOf, wireName, type Header } from './headers.ts';
import type { SipMessage } from './message.ts';
import { uriHost } from './uri.ts';

/** Replaces `@localhost` by the address the peer knows us by. */
export const atThisHost = (value: string, local: Endpoint): string =>
  value.replaceAll('@localhost', `@${uriHost(local.address)}:${local.port}`);

/**
 * `X-Sealtape-Keep-Without-Ack: yes` on a 2xx to INVITE: the dialog lives on when no ACK comes, and the application decides what
 * becomes of it (siprec-interop.md DLG-6). It never reaches the wire. A drachtio-server knows nothing of it.
 */
export const KEEP_WITHOUT_ACK = 'x-sealtape-keep-without-ack';

/** What the server writes itself, whatever the application says (drachtio-protocol.md section 2). */
const NEVER = new Set(['via', 'route', 'record-route', 'rseq', 'content-length', KEEP_WITHOUT_ACK]);
const OF_THE_TRANSACTION = new Set(['from', 'to', 'call-id', 'cseq']);
const ADDRESSED = new Set(['from', 'to', 'contact', 'p-asserted-identity']);

/** The application's headers for the wire, without those the transaction dictates. */
export function extraHeaders(message: SipMessage, local: Endpoint): Header[] {
  return ownHeaders(message, local).filter((each) => !OF_THE_TRANSACTION.has(each.key));
}

/** The application's headers for the wire: canonical names, `@localhost` replaced by where we are. */
export function ownHeaders(message: SipMessage, local: Endpoint): Header[] {
  return message.headers
    .filter((each) => !NEVER.has(each.key))
    .map(({ name, key, value }) =>
      header(wireName(name), ADDRESSED.has(key) ? atThisHost(value, local) : value),
    );
}

/** The Content-Type the body needs and the application did not give: SDP is recognised, anything else is not. */
export function impliedContentType(message: SipMessage): Header | 'missing' | undefined {
  if (message.body === '' || valueOf(message.headers, 'content-type') !== undefined) return undefined;
  return message.body.startsWith('v=0') ? header('Content-Type', 'application/sdp') : 'missing';
}
