import { randomBytes } from 'node:crypto';
import { keyBytesOf } from './crypto-attribute.ts';
import { Secret } from './secret.ts';
import type { OfferedDtls } from './dtls-attributes.ts';
import type { DtlsSecurity, LineSecurity } from './line-security.ts';
import type { OfferedLine, SessionOffer } from './sdp.ts';

/** What a trunk wants of encrypted media and of ICE, and whether the signalling can be trusted with keys. */
export interface SecurityPolicy {
  readonly srtp: 'required' | 'preferred' | 'off';
  /** The call came over TLS, or the trunk does without. */
  readonly keysAreSafe: boolean;
  /** SHA-256 of the certificate that our media threads show in DTLS; undefined where they cannot do it. */
  readonly dtlsFingerprint?: string | undefined;
  /** `off`: an offer of ICE is answered without. Default `lite`, see `agreeIce`. */
  readonly ice?: 'lite' | 'off' | undefined;
}

/** The decision about a line: `security` for an encrypted one, `refusal` for one that must not be taken. */
type Decision = Pick<OfferedLine, 'security' | 'refusal'>;

/** Nothing is known of the trunk: encrypted lines cannot be taken. */
export const NO_ENCRYPTION: SecurityPolicy = { srtp: 'off', keysAreSafe: false };

/**
 * Decides for every line of an offer how it is encrypted (SRTP-2, SRTP-5, SRTP-6, SRTP-7). Profiles SAVP and SAVPF with `a=crypto` or
 * `a=fingerprint`, and AVP with them, which asks for encryption where it can be had (RFC 8643). Of several lines for one stream the encrypted one is taken. `before` is the offer before this one in the dialog, whose keys of ours go on.
 */
export function secureOffer(
  offer: SessionOffer,
  policy: SecurityPolicy,
  before?: SessionOffer,
): SessionOffer {
  const lines = offer.lines.map((line) =>
    line.media === 'audio' && line.port !== 0
      ? Object.assign({}, line, decide(line, policy, before?.lines[line.index]))
      : line,
  );
  return { ...offer, lines: lines.map((line) => withoutSibling(line, lines)) };
}

function decide(line: OfferedLine, policy: SecurityPolicy, before: OfferedLine | undefined): Decision {
  const profile = line.protocol.toUpperCase();
  const secure = profile.includes('SAVP');
  if (!secure && policy.srtp === 'off') return {};
  if (policy.srtp === 'off')
    return { refusal: `profile ${line.protocol} is not supported: SRTP is off for this trunk` };
  if (!policy.keysAreSafe)
    return secure
      ? { refusal: 'SRTP needs TLS signalling' }
      : policy.srtp === 'required'
        ? { refusal: 'this trunk requires SRTP, and SRTP needs TLS signalling' }
        : {};
  const security = keying(line, policy, before);
  if (security !== undefined) return { security };
  if (secure) return { refusal: whyNoKeys(line, policy) };
  return policy.srtp === 'required' ? { refusal: 'this trunk requires SRTP' } : {};
}

/** Keys in the SDP are there from the first packet on, so they go first where the profile leaves the choice. */
function keying(
  line: OfferedLine,
  policy: SecurityPolicy,
  before: OfferedLine | undefined,
): LineSecurity | undefined {
  return isDtlsProfile(line)
    ? (handshake(line, policy, before) ?? sdes(line, before))
    : (sdes(line, before) ?? handshake(line, policy, before));
}

const isDtlsProfile = ({ protocol }: OfferedLine): boolean => protocol.toUpperCase().startsWith('UDP/TLS/');

function whyNoKeys(line: OfferedLine, { dtlsFingerprint }: SecurityPolicy): string {
  const { dtls, protocol } = line;
  if (dtls === undefined && !isDtlsProfile(line)) return `no usable key for profile ${protocol}`;
  if (dtlsFingerprint === undefined)
    return 'DTLS-SRTP is not available on this recorder, keys in the SDP are';
  if (dtls === undefined) return `no usable fingerprint for profile ${protocol}`;
  return `a=setup:${dtls.setup ?? ''} leaves nobody to begin the handshake`;
}

/**
 * Who begins the handshake (RFC 5763 §5): the client where it can, since it knows first that we are there. A re-offer of the same association
 * keeps the roles (RFC 8842 §5.5).
 */
function handshake(
  { dtls }: OfferedLine,
  { dtlsFingerprint }: SecurityPolicy,
  before: OfferedLine | undefined,
): LineSecurity | undefined {
  if (dtls === undefined || dtlsFingerprint === undefined) return undefined;
  const known = sameAssociation(dtls, before);
  const role = ROLES.get(dtls.setup ?? 'active');
  if (role === undefined) return undefined;
  const { fingerprints, tlsId } = dtls;
  return {
    fingerprints,
    role: dtls.setup === 'actpass' ? (known?.role ?? role) : role,
    ownFingerprint: dtlsFingerprint,
    ...(tlsId !== undefined && {
      tlsId: { theirs: tlsId, own: known?.tlsId?.own ?? randomBytes(20).toString('hex') },
    }),
  };
}

/** Ours to what the client offers (RFC 4145 §4.1). */
const ROLES: ReadonlyMap<string, DtlsSecurity['role']> = new Map([
  ['active', 'passive'],
  ['actpass', 'passive'],
  ['passive', 'active'],
]);

/** What was agreed on before, where the offer goes on with it. */
function sameAssociation(dtls: OfferedDtls, before: OfferedLine | undefined): DtlsSecurity | undefined {
  const known = before?.security;
  if (known === undefined || known.crypto !== undefined) return undefined;
  const same =
    known.tlsId?.theirs === dtls.tlsId &&
    JSON.stringify(known.fingerprints) === JSON.stringify(dtls.fingerprints);
  return same ? known : undefined;
}

/** The first line we can do is the client's preference (RFC 4568 §5.1.2). */
function sdes(line: OfferedLine, before: OfferedLine | undefined): LineSecurity | undefined {
  const [crypto] = line.cryptos ?? [];
  if (crypto === undefined) return undefined;
  const known = before?.security?.crypto === undefined ? undefined : before.security;
  const own =
    known?.crypto.suite === crypto.suite ? known.own : new Secret(randomBytes(keyBytesOf(crypto.suite)));
  return { crypto, own };
}

/** An encrypted and an unencrypted line for the same stream are an offer to choose: same label, or same port. */
function withoutSibling(line: OfferedLine, lines: readonly OfferedLine[]): OfferedLine {
  if (line.security !== undefined || line.refusal !== undefined || line.port === 0) return line;
  const sibling = lines.find(
    (other) =>
      other.security !== undefined &&
      ((other.label !== undefined && other.label === line.label) || other.port === line.port),
  );
  return sibling === undefined
    ? line
    : { ...line, refusal: `m-line ${sibling.index + 1} has the same stream encrypted` };
}

/** Overwrites the keys of an offer that is over; what the offer after it goes on with stays. */
export function eraseKeys(offer: SessionOffer, next?: SessionOffer): void {
  const kept = new Set(next === undefined ? [] : secretsOf(next));
  for (const secret of secretsOf(offer)) if (!kept.has(secret)) secret.erase();
}

const secretsOf = ({ lines }: SessionOffer): readonly Secret[] =>
  lines.flatMap(({ cryptos = [], security }) => [
    ...cryptos.flatMap(({ keys }) => keys.map(({ secret }) => secret)),
    ...(security?.crypto === undefined ? [] : [security.own]),
  ]);
