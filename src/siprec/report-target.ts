import { isNoAddress } from './held.ts';
import type { OfferedLine } from './sdp.ts';

/** An address and no name: digits and dots, or anything with a colon. Whether it can be reached shows when something is sent. */
const ADDRESS = /^(?:[\d.]+|[\da-f:.]*:[\da-f:.]*)$/i;

export const isAddress = (text: string): boolean => ADDRESS.test(text);

/** Ports below are nobody's for audio; 9 is written where there is none (RFC 863). */
const FIRST_PORT = 1024;

/**
 * `address:port` (`[v6]:port`) at which a client takes the reports of a line: what `a=rtcp` says (RFC 3605), else the port above that of its
 * audio, else that one where both are shared (RTP-5). Undefined for a name, and for what stands for no address (SDP-14).
 */
export function reportTarget(line: OfferedLine): string | undefined {
  const address = line.rtcp?.address ?? line.address;
  return usable(address, line.rtcp?.port ?? line.port + (line.rtcpMux === true ? 0 : 1));
}

/** The same for the port of its audio, where it takes none but something may be sent to keep the way open (RTP-3). */
export const audioTarget = ({ address, port }: OfferedLine): string | undefined => usable(address, port);

function usable(address: string | undefined, port: number): string | undefined {
  if (address === undefined || !isAddress(address) || isNoAddress(address)) return undefined;
  if (port < FIRST_PORT || port > 65_535) return undefined;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
