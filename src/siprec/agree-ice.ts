import { randomBytes } from 'node:crypto';
import { isNoAddress } from './held.ts';
import type { OfferedIce, OwnIce } from './ice-attributes.ts';
import { isAddress } from './report-target.ts';
import type { OfferedLine, SessionOffer } from './sdp.ts';

/**
 * Answers ICE with ICE as a lite agent (RFC 8445 §2.5): a recorder is reached at the address in its SDP, or not at all. `before` is the offer
 * before this one in the dialog: our words stay as long as the client's do, others restart it (RFC 8839 §4.4.1.1.1).
 */
export function agreeIce(offer: SessionOffer, before?: SessionOffer): SessionOffer {
  const lines = offer.lines.map((line) => {
    if (line.ice === undefined || line.media !== 'audio' || line.port === 0) return line;
    return { ...line, ownIce: ownIceOf(line, line.ice, before?.lines[line.index]) };
  });
  return { ...offer, lines };
}

function ownIceOf(line: OfferedLine, ice: OfferedIce, before: OfferedLine | undefined): OwnIce {
  if (isMismatch(line, ice)) return 'mismatch';
  const known = before?.ownIce;
  const same = before?.ice?.ufrag === ice.ufrag && before.ice.password === ice.password;
  if (same && known !== undefined && known !== 'mismatch') return known;
  return { ufrag: randomBytes(6).toString('base64'), password: randomBytes(18).toString('base64') };
}

/**
 * Where none of the candidates is the address that the rest of the SDP names, something in between has put its own there, and audio goes through
 * that. Nothing is known of a name, of the address that stands for none, and of a client that still looks for its candidates.
 */
function isMismatch({ address, port }: OfferedLine, { candidates }: OfferedIce): boolean {
  if (address === undefined || !isAddress(address) || isNoAddress(address) || candidates.length === 0)
    return false;
  return candidates.every(
    (candidate) =>
      isAddress(candidate.address) &&
      (candidate.port !== port || plain(candidate.address) !== plain(address)),
  );
}

/** IPv6 is written in more than one way. */
function plain(address: string): string {
  const url = `http://[${address.replace(/%.*/, '')}]`;
  return address.includes(':') && URL.canParse(url) ? new URL(url).hostname : address;
}
