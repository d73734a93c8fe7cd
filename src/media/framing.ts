import { channelsOf, type Codec } from './codec.ts';
import { DumpFraming } from './dump-framing.ts';
import { G722Framing, G729Framing, L16Framing } from './wav-framing.ts';
import type { Framing } from './kept-packet.ts';
import { OpusFraming } from './opus-framing.ts';

/** How the packets of a codec become the octets of a file that so many legs share. */
export function framingOf(codec: Codec, legs: number): Framing {
  switch (codec.keeping) {
    case 'l16':
      return new L16Framing(codec.clockRate, { legs, width: channelsOf(codec) });
    case 'g722':
      return new G722Framing();
    case 'g729':
      return new G729Framing();
    case 'opus':
      return new OpusFraming();
    case 'dump':
      return new DumpFraming();
    default:
      return codec.keeping satisfies never;
  }
}
