import type { Log } from '../log.ts';
import { makeDtlsIdentity, type DtlsIdentity } from '../media/dtls/dtls-identity.ts';
import { dtlsObstacle } from '../media/dtls/dtls-library.ts';

/** The certificate of this process for DTLS-SRTP. Undefined where it cannot be done; then it is said, and such offers are refused. */
export async function openDtls(log: Log): Promise<DtlsIdentity | undefined> {
  const obstacle = dtlsObstacle();
  if (obstacle === undefined) return makeDtlsIdentity(Date.now());
  log('warn', `DTLS-SRTP is not available, offers that need it are refused: ${obstacle}`);
  return undefined;
}
