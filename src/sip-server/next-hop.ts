import type { Dialog } from './dialog.ts';
import { isStream, type Flow, type Protocol } from './flow.ts';
import { defaultPort } from './listen-address.ts';
import { parseNameAddr } from './name-addr.ts';
import type { Target } from './network.ts';
import { parseSipUri, type SipUri } from './uri.ts';

export interface Hop {
  /** The request URI. */
  readonly uri: string;
  readonly routes: readonly string[];
  /** Where to send it; undefined: the way the dialog's last request came. */
  readonly target: Target | undefined;
}

/** Where a URI without further ado leads (RFC 3263 without DNS records: names are looked up as hosts). */
export function targetOf(uri: SipUri): Target {
  const protocol = protocolOf(uri);
  return { protocol, host: uri.host, port: uri.port ?? defaultPort(protocol) };
}

/** `sips:` is TLS whatever its transport parameter says (RFC 3261 §19.1.2). */
function protocolOf({ scheme, transport }: SipUri): Protocol {
  if (scheme === 'sips' || transport === 'tls') return 'tls';
  return transport === 'tcp' ? 'tcp' : 'udp';
}

/**
 * Where a request inside a dialog goes (RFC 3261 §12.2.1.1, drachtio-protocol.md section 6): TCP on the connection the
 * dialog lives on while it is open; UDP without routes to where the peer's packets come from (NAT); else first route,
 * else remote target. `target` is undefined for the dialog's own flow. Undefined when the way cannot be read.
 */
export function nextHop(dialog: Dialog): Hop | undefined {
  const [first, ...others] = dialog.routeSet;
  const route = first === undefined ? undefined : parseSipUri(parseNameAddr(first).uri);
  if (first !== undefined && route === undefined) return undefined;

  const strict = route?.looseRouting === false && first !== undefined;
  const uri = strict ? parseNameAddr(first).uri : dialog.remoteTarget;
  const routes = strict ? [...others, `<${dialog.remoteTarget}>`] : dialog.routeSet;
  const { flow } = dialog;
  if (isStream(flow.protocol) ? flow.open : route === undefined)
    return { uri, routes, target: sourceOfFormer(flow) };

  const towards = route ?? parseSipUri(dialog.remoteTarget);
  return towards === undefined ? undefined : { uri, routes, target: likeDialog(towards, flow.protocol) };
}

/** Of a dialog that another process had over UDP; undefined for the flows of this one. */
const sourceOfFormer = ({ open, protocol, remote }: Flow): Target | undefined =>
  open ? undefined : { protocol, host: remote.address, port: remote.port };

/** A URI that names no transport is reached the way the dialog goes. */
function likeDialog(uri: SipUri, protocol: Protocol): Target {
  const target = targetOf(uri);
  if (uri.transport !== undefined || uri.scheme === 'sips') return target;
  return { ...target, protocol, port: uri.port ?? defaultPort(protocol) };
}
