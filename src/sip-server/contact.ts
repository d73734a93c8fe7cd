import { isStream, type Flow } from './flow.ts';
import { splitList, valuesOf } from './headers.ts';
import type { SipRequest } from './message.ts';
import { parseNameAddr } from './name-addr.ts';
import { parseSipUri, uriHost } from './uri.ts';

/** The Contact of our dialogs when the application gives none: the address the request came in on, no user part. */
export function ownContact(flow: Flow): string {
  const transport = isStream(flow.protocol) ? `;transport=${flow.protocol}` : '';
  return `<sip:${uriHost(flow.local.address)}:${flow.local.port}${transport}>`;
}

/** The URI of the one Contact a dialog needs; undefined when there is none, several, `*` or not a SIP URI. */
export function contactUri(request: { headers: SipRequest['headers'] }): string | undefined {
  const contacts = valuesOf(request.headers, 'contact').flatMap(splitList);
  const [only] = contacts;
  if (only === undefined || contacts.length > 1) return undefined;
  const { uri } = parseNameAddr(only);
  return parseSipUri(uri) === undefined ? undefined : uri;
}
