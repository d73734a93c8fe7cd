import { isIP } from 'node:net';
import type { Protocol } from './flow.ts';
import { SipServerError } from './sip-server-error.ts';
import { uriHost } from './uri.ts';

export interface ListenAddress {
  readonly protocol: Protocol;
  readonly address: string;
  readonly port: number;
}

const ENTRY = /^(udp|tcp|tls):\/\/(\[[^\]]+\]|[^:/[\]]+)(?::(\d{1,5}))?$/;

/** Where a protocol is spoken when nobody says another port (RFC 3261 §19.1.2). */
export const defaultPort = (protocol: Protocol): number => (protocol === 'tls' ? 5061 : 5060);

/** Reads `udp://0.0.0.0:5060`, `tcp://[::]:5060` or `tls://0.0.0.0`; without a port the usual one. Throws BAD_ADDRESS. */
export function parseListenAddress(text: string): ListenAddress {
  const match = ENTRY.exec(text);
  const address = match?.[2]?.replace(/^\[|\]$/g, '') ?? '';
  const protocol = (match?.[1] ?? 'udp') as Protocol;
  const port = Number(match?.[3] ?? defaultPort(protocol));
  if (match === null || isIP(address) === 0 || port > 65_535)
    throw new SipServerError(
      'BAD_ADDRESS',
      `not a SIP listen address: "${text}" (expected like udp://0.0.0.0:5060)`,
    );
  return { protocol, address, port };
}

const formatListenAddress = ({ protocol, address, port }: ListenAddress): string =>
  `${protocol}://${uriHost(address)}:${port}`;

/** Turns what the system says about a refused listen into the operator's words. */
export function listenError(where: ListenAddress, error: unknown): SipServerError {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  const name = formatListenAddress(where);
  switch (code) {
    case 'EADDRINUSE':
      return new SipServerError('ADDRESS_IN_USE', `${name} is already in use by another program`, {
        cause: error,
      });
    case 'EADDRNOTAVAIL':
      return new SipServerError('ADDRESS_UNAVAILABLE', `${name}: this machine has no such address`, {
        cause: error,
      });
    case 'EACCES':
      return new SipServerError('ADDRESS_FORBIDDEN', `${name}: not permitted to use this port`, {
        cause: error,
      });
    default:
      return new SipServerError('LISTEN_FAILED', `${name}: cannot listen (${code ?? String(error)})`, {
        cause: error,
      });
  }
}
