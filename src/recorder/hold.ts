import type { CallDescription } from '../siprec/description.ts';
import { addressedLines, heldLines } from '../siprec/held.ts';
import type { SessionOffer } from '../siprec/sdp.ts';

/**
 * Whether somebody in the call is on hold (PAUSE-2): said by the metadata, when a participant that has sent sends nothing any more, or by
 * the SDP, when a line goes from its address to 0.0.0.0 (SDP-14). Either is enough; only what said it takes it back.
 */
export class Hold {
  readonly #addressed: Set<number>;
  readonly #byAddress = new Set<number>();
  #byMetadata = false;

  /** A first offer with 0.0.0.0 holds nobody: some clients do not know their address yet, or never say it. */
  constructor(first: SessionOffer) {
    this.#addressed = new Set(addressedLines(first));
  }

  get held(): boolean {
    return this.#byMetadata || this.#byAddress.size > 0;
  }

  /** A later offer; lines that are not in it stay as they are. */
  offered(offer: SessionOffer): void {
    const held = new Set(heldLines(offer));
    for (const { index } of offer.lines)
      if (held.has(index) && this.#addressed.has(index)) this.#byAddress.add(index);
      else this.#byAddress.delete(index);
    for (const line of addressedLines(offer)) this.#addressed.add(line);
  }

  described(before: CallDescription, now: CallDescription): void {
    const present = now.participants.filter(({ disassociatedAt }) => disassociatedAt === undefined);
    const stopped = present.some(
      ({ id, sends }) =>
        sends.length === 0 && before.participants.some((known) => known.id === id && known.sends.length > 0),
    );
    if (stopped) this.#byMetadata = true;
    else if (present.length > 0 && present.every(({ sends }) => sends.length > 0)) this.#byMetadata = false;
  }
}
