import { planLines } from './answer.ts';
import type { SessionOffer } from './sdp.ts';

const NO_ADDRESSES = new Set(['0.0.0.0', '::']);

/** Whether an address stands for none. A name is one too, whatever it leads to. */
export const isNoAddress = (address: string | undefined): boolean =>
  address !== undefined && NO_ADDRESSES.has(address);

/**
 * The lines we accept with the address that stands for none: hold as RFC 2543 had it (RFC 3264 §8.4, SDP-14). It forbids us to send there,
 * which we never do; to a recorder it says that the client holds the call.
 */
export const heldLines = (offer: SessionOffer): readonly number[] => acceptedLines(offer, isNoAddress);

/** The lines we accept whose address is one. */
export const addressedLines = (offer: SessionOffer): readonly number[] =>
  acceptedLines(offer, (address) => address !== undefined && !isNoAddress(address));

function acceptedLines(
  offer: SessionOffer,
  fits: (address: string | undefined) => boolean,
): readonly number[] {
  const plan = planLines(offer);
  return offer.lines.flatMap(({ index, address }, at) =>
    plan[at]?.accepted === true && fits(address) ? [index] : [],
  );
}
