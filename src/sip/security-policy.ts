import type { SecurityPolicy } from '../siprec/secure-offer.ts';
import type { Trunk } from './trunks.ts';

/**
 * What the offers of a call are held to (SRTP-5): keys in the clear are no keys, and a fingerprint that anybody can replace proves nothing. `transport`
 * is that of the request that opened the dialog.
 */
export function securityPolicy(
  trunk: Pick<Trunk, 'srtp' | 'srtpWithoutTls' | 'ice'>,
  transport: string | undefined,
  dtlsFingerprint?: string,
): SecurityPolicy {
  return {
    srtp: trunk.srtp ?? 'preferred',
    ice: trunk.ice ?? 'lite',
    keysAreSafe: trunk.srtpWithoutTls === true || transport === 'tls' || transport === 'wss',
    dtlsFingerprint,
  };
}
