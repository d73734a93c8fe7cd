/** A SIP URI as far as the server needs it (RFC 3261 §19.1). `host` is without brackets. */
export interface SipUri {
  readonly scheme: 'sip' | 'sips';
  readonly user: string | undefined;
  readonly host: string;
  readonly port: number | undefined;
  readonly transport: string | undefined;
  readonly looseRouting: boolean;
}

const SIP_URI =
  /^(sips?):(?:([^@\s<>"]*)@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?(;[^?\s<>]*)?(?:\?\S*)?$/i;

/** Reads a SIP URI; undefined when it is none. Unknown and misspelt parameters are ignored. */
export function parseSipUri(text: string): SipUri | undefined {
  const match = SIP_URI.exec(text);
  if (match === null) return undefined;
  const [, scheme = '', user, bracketed = '', portText, params = ''] = match;
  const port = portText === undefined ? undefined : Number(portText);
  if (port !== undefined && !isPort(port)) return undefined;
  return {
    scheme: scheme.toLowerCase() === 'sips' ? 'sips' : 'sip',
    user,
    host: bracketed.replace(/[[\]]/g, ''),
    port,
    transport: /;transport=([^;]+)/i.exec(params)?.[1]?.toLowerCase(),
    looseRouting: /;lr(?:[;=]|$)/i.test(params),
  };
}

const isPort = (port: number): boolean => port > 0 && port <= 65_535;

/** An address as it stands in a URI or Via: IPv6 in brackets, without the zone. */
export function uriHost(address: string): string {
  const plain = address.split('%', 1)[0] ?? address;
  return plain.includes(':') ? `[${plain}]` : plain;
}
