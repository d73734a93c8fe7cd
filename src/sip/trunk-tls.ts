import type { SipRequest } from './drachtio.ts';
import type { Refusal } from './refusal.ts';

/** What a trunk wants to see of its clients' TLS; everything that is set must hold (SIG-2, SIG-3). */
export interface TrunkTls {
  /** Requests must come over TLS. */
  readonly required?: boolean | undefined;
  /** The client must show a certificate of our client authorities. */
  readonly clientCa?: 'required' | undefined;
  /** SHA-256 fingerprints of certificates, with or without colons; the client must show one of them, whoever signed it. */
  readonly fingerprints?: readonly string[] | undefined;
  /** The certificate must be of our client authorities and name one of these hosts, domains or addresses. */
  readonly names?: readonly string[] | undefined;
}

interface ShownCertificate {
  readonly fingerprint: string;
  readonly verified: boolean;
  readonly names: readonly string[];
}

/**
 * Refuses a request whose transport is not what its trunk demands. `embeddedServer`: only the embedded SIP server takes a client's own
 * X-Sealtape headers away, so behind another server no certificate is believed.
 */
export function checkTls(
  request: SipRequest,
  tls: TrunkTls | undefined,
  embeddedServer: boolean,
): Refusal | undefined {
  if (tls === undefined) return undefined;
  const { required, clientCa, fingerprints, names } = tls;
  const certificateNeeded = (clientCa ?? fingerprints ?? names) !== undefined;
  if ((required === true || certificateNeeded) && request.protocol !== 'tls')
    return forbidden('this trunk needs TLS');
  if (!certificateNeeded) return undefined;
  const shown = embeddedServer ? readCertificate(request) : undefined;
  return shown === undefined ? forbidden('no client certificate') : checkCertificate(shown, tls);
}

function checkCertificate(
  shown: ShownCertificate,
  { clientCa, fingerprints, names }: TrunkTls,
): Refusal | undefined {
  if ((clientCa ?? names) !== undefined && !shown.verified)
    return forbidden('client certificate of no authority of ours, or out of date');
  if (fingerprints?.some((each) => plainHex(each) === shown.fingerprint) === false)
    return forbidden('client certificate is not one of this trunk');
  if (names?.some((name) => shown.names.includes(name.toLowerCase())) === false)
    return forbidden('client certificate has none of the names of this trunk');
  return undefined;
}

const forbidden = (detail: string): Refusal => ({ status: 403, detail, headers: {} });

const plainHex = (fingerprint: string): string => fingerprint.replaceAll(':', '').toUpperCase();

/** Reads what the embedded server says; undefined without a certificate. */
function readCertificate(request: SipRequest): ShownCertificate | undefined {
  const value = request.get('X-Sealtape-Peer-Certificate') ?? '';
  const match = /^([0-9A-F:]+);verified=(yes|no);subject="[^"]*";san="([^"]*)"$/.exec(value);
  if (match === null) return undefined;
  const [, fingerprint = '', verified, names = ''] = match;
  return {
    fingerprint: plainHex(fingerprint),
    verified: verified === 'yes',
    names: names.split(', ').map(identityOf),
  };
}

/** Host, domain or address of one SubjectAltName: a SIP URI counts without its user only (RFC 5922 §7.1). */
const identityOf = (name: string): string =>
  name.replace(/^(?:DNS:|URI:sips?:(?!.*@)|IP Address:)/i, '').toLowerCase();
