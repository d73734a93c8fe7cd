import { isIPv6 } from 'node:net';
import { ClientError } from './client-error.ts';

export type Transport = 'udp' | 'tcp' | 'tls';

/** Where a call goes. */
export interface Target {
  /** The URI as it goes into the request line. */
  readonly uri: string;
  /** Name or address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  readonly transport: Transport;
}

const SIP_URI = /^sip:(?:([^@\s;>]+)@)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::(\d{1,5}))?((?:;[^\s;>]+)*)$/;

/**
 * Reads `sip:[user@]host[:port][;transport=udp|tcp|tls]` (RFC 3261 §19.1). `transport` wins over the URI's parameter; the default is UDP, the
 * port of TLS 5061.
 * Throws ClientError BAD_TARGET.
 */
export function parseTarget(text: string, transport?: Transport): Target {
  const match = SIP_URI.exec(text);
  if (match === null)
    throw new ClientError('BAD_TARGET', `"${text}" is not a SIP address such as sip:127.0.0.1:5060`);
  const [, user, hostText = '', portText, parameters = ''] = match;
  const chosen = transport ?? transportParameter(parameters);
  const port = portText === undefined ? (chosen === 'tls' ? 5061 : 5060) : Number(portText);
  if (port < 1 || port > 65535) throw new ClientError('BAD_TARGET', `${port} is not a port`);
  const address = `${hostText}${portText === undefined ? '' : `:${portText}`}`;
  return {
    uri: `sip:${user === undefined ? '' : `${user}@`}${address}${transportOf(chosen)}`,
    host: hostText.replace(/^\[|\]$/g, ''),
    port,
    transport: chosen,
  };
}

function transportParameter(parameters: string): Transport {
  const value = /;transport=([^;]+)/i.exec(parameters)?.[1]?.toLowerCase() ?? 'udp';
  if (value !== 'udp' && value !== 'tcp' && value !== 'tls')
    throw new ClientError('BAD_TARGET', `transport ${value} is not supported, only udp, tcp and tls`);
  return value;
}

/** The URI parameter that says so; UDP needs none. */
export const transportOf = (transport: Transport): string =>
  transport === 'udp' ? '' : `;transport=${transport}`;

/** An address as it stands before a port: IPv6 in brackets. */
export function bracketed(address: string): string {
  return isIPv6(address) ? `[${address}]` : address;
}
