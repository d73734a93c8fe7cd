/** Hashes a certificate may be announced with (RFC 8122 §5); what else there is cannot be trusted or has no use here. */
const HASH_BYTES = { 'sha-1': 20, 'sha-224': 28, 'sha-256': 32, 'sha-384': 48, 'sha-512': 64 } as const;

export type FingerprintHash = keyof typeof HASH_BYTES;

export interface OfferedFingerprint {
  readonly hash: FingerprintHash;
  /** `AB:CD:…`, capital letters. */
  readonly value: string;
}

/** What an m-line says of DTLS (RFC 5763 §5), its own attributes before those of the session. */
export interface OfferedDtls {
  /** At least one. */
  readonly fingerprints: readonly OfferedFingerprint[];
  /** `active`, `passive`, `actpass`, `holdconn` or what else was written there; undefined without `a=setup`. */
  readonly setup: string | undefined;
  /** RFC 8842 §4. */
  readonly tlsId: string | undefined;
}

interface Attribute {
  readonly name: string;
  readonly value: string;
}

const MAX_FINGERPRINTS = 16;

/** Undefined where no certificate is announced that could be checked. */
export function dtlsOf(
  own: readonly Attribute[],
  session: readonly Attribute[],
): { readonly dtls?: OfferedDtls } {
  const valuesOf = (wanted: string): readonly string[] => {
    const values = (attributes: readonly Attribute[]): readonly string[] =>
      attributes.filter(({ name }) => name === wanted).map(({ value }) => value);
    const nearest = values(own);
    return nearest.length > 0 ? nearest : values(session);
  };
  const fingerprints = valuesOf('fingerprint')
    .slice(0, MAX_FINGERPRINTS)
    .flatMap((value) => parseFingerprint(value) ?? []);
  if (fingerprints.length === 0) return {};
  const tlsId = valuesOf('tls-id')[0];
  return {
    dtls: {
      fingerprints,
      setup: valuesOf('setup')[0]?.toLowerCase(),
      tlsId: tlsId !== undefined && /^[A-Za-z0-9+/_-]{20,255}$/.test(tlsId) ? tlsId : undefined,
    },
  };
}

/** `sha-256 AB:CD:…`; letters in either case. */
function parseFingerprint(text: string): OfferedFingerprint | undefined {
  const [name = '', value = ''] = text.split(/\s+/);
  const hash = (Object.keys(HASH_BYTES) as FingerprintHash[]).find((each) => each === name.toLowerCase());
  const bytes = hash === undefined ? 0 : HASH_BYTES[hash];
  if (hash === undefined || !/^[0-9A-F]{2}(?::[0-9A-F]{2})*$/i.test(value)) return undefined;
  return value.length === bytes * 3 - 1 ? { hash, value: value.toUpperCase() } : undefined;
}
