import type { SecurityPolicy } from '../siprec/secure-offer.ts';
import type { Trunk } from './trunks.ts';

/**
 * What the offers of a call are held to (SRTP-5): keys in the clear are no keys. `transport`
 * is that of the request that opened the dialog.
 */
export function securityPolicy(
  trunk: Pick<Trunk, 'srtp' | 'srtpWithoutTls'>,
  transport: string | undefined,
): SecurityPolicy {
  return {
    srtp: trunk.srtp ?? 'preferred',
    keysAreSafe: trunk.srtpWithoutTls === true || transport === 'tls' || transport === 'wss',
  };
}
