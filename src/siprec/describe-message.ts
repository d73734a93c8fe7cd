import { identityFrom } from './address.ts';
import { parseBody } from './body.ts';
import { describeCall, type CallDescription, type DescriptionInput } from './description.ts';
import { applyUpdate } from './metadata-state.ts';
import { parseMetadata } from './metadata.ts';
import { ownOffer } from './offer.ts';
import { parseSdp } from './sdp.ts';
import { headersToKeep } from './vendor-headers.ts';

/** Trunk settings that decide how a call is described. */
type TrunkSettings = Pick<DescriptionInput, 'profile' | 'ownNumbers' | 'srcTimeZone'>;

/**
 * What an INVITE says of its call, as octets somebody saved from a trace: for people who ask what the rules would say. Throws SiprecError as for
 * a call.
 */
export function describeMessage(message: Uint8Array, trunk: TrunkSettings, at: number): CallDescription {
  const text = Buffer.from(message).toString('utf8').replaceAll(/\r?\n/g, '\r\n');
  const end = text.indexOf('\r\n\r\n');
  const headers = headersOf(end === -1 ? text : text.slice(0, end));
  const body = parseBody(headers.get('content-type'), end === -1 ? '' : text.slice(end + 4));
  const state =
    body.metadata === undefined ? undefined : applyUpdate(undefined, parseMetadata(body.metadata), at);
  const [from, to] = [identityFrom(headers.get('from') ?? ''), identityFrom(headers.get('to') ?? '')];
  return describeCall({
    offer: body.sdp === undefined ? ownOffer() : parseSdp(body.sdp),
    state,
    metadataStatus: state?.mode ?? 'absent',
    headers: headersToKeep(Object.fromEntries(headers)),
    ...(from && { from }),
    ...(to && { to }),
    ...trunk,
  });
}

const SHORT: Readonly<Record<string, string>> = {
  f: 'from',
  t: 'to',
  c: 'content-type',
  i: 'call-id',
  m: 'contact',
};

function headersOf(head: string): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const line of head
    .replaceAll(/\r\n[ \t]+/g, ' ')
    .split('\r\n')
    .slice(1)) {
    const [, name = '', value = ''] = /^([^:]+?)\s*:\s*(.*?)\s*$/.exec(line) ?? [];
    const key = SHORT[name.toLowerCase()] ?? name.toLowerCase();
    headers.set(key, headers.has(key) ? `${headers.get(key) ?? ''},${value}` : value);
  }
  return headers;
}
