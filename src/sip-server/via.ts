import type { Endpoint } from './flow.ts';
import { SipServerError } from './sip-server-error.ts';
import { uriHost } from './uri.ts';

/** The top Via of a message. */
export interface Via {
  readonly host: string;
  readonly port: number | undefined;
  readonly branch: string | undefined;
}

const VIA =
  /^SIP\s*\/\s*\d\.\d\s*\/\s*([A-Za-z0-9-]+)\s+(\[[^\]\s]+\]|[^\s;:,[\]]+)(?:\s*:\s*(\d{1,5}))?\s*(;[\s\S]*)?$/i;

/** Reads the first value of a Via header. Throws BAD_MESSAGE. */
export function parseVia(value: string): Via {
  const first = firstVia(value);
  const match = VIA.exec(first);
  if (match === null) throw new SipServerError('BAD_MESSAGE', `unreadable Via: ${first.slice(0, 80)}`);
  const [, , host = '', port, params = ''] = match;
  return {
    host,
    port: port === undefined ? undefined : Number(port),
    branch: /;\s*branch\s*=\s*([^;,\s]+)/i.exec(params)?.[1],
  };
}

/**
 * Completes the top Via with where the packet came from (RFC 3261 §18.2.1, RFC 3581 §4). rport is filled in even
 * when the peer did not ask, as drachtio-server does; received is added when asked for rport or the address differs.
 */
export function completeVia(value: string, source: Endpoint): string {
  const first = firstVia(value);
  const others = value.slice(first.length);
  const asked = /;\s*rport\s*(?=;|$)/i.test(first);
  const bare = first.replace(/\s*;\s*(?:rport|received)(?:\s*=\s*[^;,\s]*)?\s*(?=;|$)/gi, '').trimEnd();
  const { host } = parseVia(bare);
  const address = uriHost(source.address).replace(/[[\]]/g, '');
  const differs = host.replace(/[[\]]/g, '').toLowerCase() !== address.toLowerCase();
  const received = asked || differs ? `;received=${address}` : '';
  return `${bare};rport=${source.port}${received}${others}`;
}

/** No parameter of Via may hold a comma outside quotes, and nobody quotes there. */
function firstVia(value: string): string {
  const comma = value.indexOf(',');
  return comma === -1 ? value : value.slice(0, comma);
}
