/** What checks of one end are known by (RFC 8839 §5.4). */
export interface IceCredentials {
  readonly ufrag: string;
  readonly password: string;
}

/** What an m-line says of ICE (RFC 8839), its own attributes before those of the session. */
export interface OfferedIce extends IceCredentials {
  /** Of the audio, over UDP; names (RFC 8839 §5.1) included. None where the client goes on looking for them (RFC 8840). */
  readonly candidates: readonly { readonly address: string; readonly port: number }[];
}

/** Our end of ICE on a line; `mismatch` where the offer was changed on its way, so that ICE must not be done (RFC 8839 §4.2.5). */
export type OwnIce = IceCredentials | 'mismatch';

interface Attribute {
  readonly name: string;
  readonly value: string;
}

const MAX_CANDIDATES = 64;

/** Undefined where the client does not speak ICE on the line, or so that nobody could. */
export function iceOf(
  own: readonly Attribute[],
  session: readonly Attribute[],
): { readonly ice?: OfferedIce } {
  const nearest = (wanted: string): string | undefined =>
    (own.find(({ name }) => name === wanted) ?? session.find(({ name }) => name === wanted))?.value;
  const ufrag = nearest('ice-ufrag') ?? '';
  const password = nearest('ice-pwd') ?? '';
  if (!/^[A-Za-z0-9+/]{4,256}$/.test(ufrag) || !/^[A-Za-z0-9+/]{22,256}$/.test(password)) return {};
  const candidates = own
    .filter(({ name }) => name === 'candidate')
    .slice(0, MAX_CANDIDATES)
    .flatMap(({ value }) => parseCandidate(value) ?? []);
  return { ice: { ufrag, password, candidates } };
}

/** `foundation component UDP priority address port typ …`, of the audio. */
function parseCandidate(text: string): OfferedIce['candidates'][number] | undefined {
  const [, address, digits] = /^\S+ +1 +udp +\d+ +(\S+) +(\d{1,5}) +typ /i.exec(text) ?? [];
  const port = Number(digits);
  return address !== undefined && port > 0 && port <= 65_535 ? { address, port } : undefined;
}
