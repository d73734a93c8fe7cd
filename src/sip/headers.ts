import type { HeaderIdentity } from '../siprec/description.ts';
import { plainText } from '../siprec/plain-text.ts';
import { optionTags } from '../siprec/recognise.ts';
import type { SipRequest } from './drachtio.ts';

/** UAS-2. */
export const ALLOW = 'INVITE, ACK, BYE, CANCEL, UPDATE, OPTIONS, INFO';
/** UAS-13; both metadata types, RFC 9806. */
export const ACCEPT =
  'application/sdp, application/rs-metadata+xml, application/rs-metadata, multipart/mixed';
export const SUPPORTED = 'timer, siprec';

/** RFC 4028 §5; a smaller Session-Expires is refused. */
export const SHORTEST_SESSION = 90;

/** `Warning: 399 <host> "text"` (RFC 3261 §20.43), the text cut and cleaned so that it cannot break the header. */
export function warning(host: string, text: string): Readonly<Record<string, string>> {
  const clean = text
    .replace(/["\\]/g, "'")
    .replace(/[^\x20-\x7e]+/g, '?')
    .slice(0, 160);
  return { Warning: `399 ${host === '' ? 'sealtape' : host} "${clean}"` };
}

/** What every 2xx of a dialog carries: `+sip.srs` (UAS-14) and what we can do (UAS-13); what it requires is a matter of the trunk (UAS-15). */
export function dialogHeaders(
  request: SipRequest,
  transport: string,
  { requireSiprec = false }: { readonly requireSiprec?: boolean | undefined } = {},
): Readonly<Record<string, string>> {
  const timer = sessionTimer(request);
  const required = [...(requireSiprec && request.method === 'INVITE' ? ['siprec'] : []), timer['Require']];
  const tags = required.filter((tag) => tag !== undefined);
  return {
    Contact: contactOf(transport),
    Allow: ALLOW,
    Supported: SUPPORTED,
    Accept: ACCEPT,
    ...timer,
    ...(tags.length > 0 && { Require: tags.join(', ') }),
  };
}

/** Our Contact (UAS-14). The SIP server puts its own host and port for `localhost`. */
export const contactOf = (transport: string): string =>
  `<sip:srs@localhost${transport === 'tcp' || transport === 'tls' ? `;transport=${transport}` : ''}>;+sip.srs`;

/** The seconds asked for in Session-Expires; undefined without the header. */
export function sessionExpires(request: SipRequest): number | undefined {
  const match = /^\s*(\d{1,10})/.exec(timerOf(request));
  return match ? Number(match[1]) : undefined;
}

/**
 * RFC 4028 §9: the interval unchanged and the client as refresher (TMR-2, TMR-3). Nothing is said, which starts no timer,
 * to a client without `timer` (TMR-4) and to one that wants us to refresh: a drachtio-server answers that by itself, and
 * an expiry that nobody prevents would end a recording.
 */
function sessionTimer(request: SipRequest): Readonly<Record<string, string>> {
  const seconds = sessionExpires(request);
  if (seconds === undefined) return {};
  const tags = [...tagsOf(request, 'supported'), ...tagsOf(request, 'require')];
  if (!tags.includes('timer') || /;\s*refresher\s*=\s*uas/i.test(timerOf(request))) return {};
  return { 'Session-Expires': `${seconds};refresher=uac`, Require: 'timer' };
}

/** The seconds that a 2xx of ours agreed to; undefined: the session has no end of its own. */
export function agreedSeconds(headers: Readonly<Record<string, string>>): number | undefined {
  const match = /^\d{1,10}/.exec(headers['Session-Expires'] ?? '');
  return match ? Number(match[0]) : undefined;
}

const timerOf = (request: SipRequest): string => request.get('session-expires') ?? request.get('x') ?? '';

export const tagsOf = (request: SipRequest, header: 'require' | 'supported'): readonly string[] =>
  optionTags(request.get(header) ?? '');

/** Name and address of From or To; undefined when the header cannot be read. Never throws. */
export function identityOf(request: SipRequest, header: 'from' | 'to'): HeaderIdentity | undefined {
  try {
    const { name, uri } = request.getParsedHeader(header);
    const plain = name?.trim().replace(/^"|"$/g, '').replace(/\\(.)/g, '$1');
    return { aor: plainText(uri), ...(plain !== undefined && plain !== '' && { name: plainText(plain) }) };
  } catch {
    return undefined;
  }
}

/** Host of our end of `address:port`, as drachtio tells it; '' when it does not. */
export function localAddress(request: SipRequest): string {
  const text = request.receivedOn ?? '';
  const colon = text.lastIndexOf(':');
  return (colon === -1 ? text : text.slice(0, colon))
    .replace(/^\[|\]$/g, '')
    .replace(/^::ffff:(?=\d+\.)/i, '');
}
