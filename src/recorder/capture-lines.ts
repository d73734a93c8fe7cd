import { isIP } from 'node:net';
import type { CaptureLine, LineRole } from '../media/capture.ts';
import { planLines } from '../siprec/answer.ts';
import type { CallDescription } from '../siprec/description.ts';
import type { SessionOffer } from '../siprec/sdp.ts';
import type { MediaSources } from './call.ts';

/**
 * The lines of an offer that get a port, with the channel each belongs to. A client that sends one line only mixes both
 * sides on it (or sends one side alone), so it gets a mono file.
 */
export function captureLines(
  offer: SessionOffer,
  description: CallDescription,
  sources: MediaSources,
): readonly CaptureLine[] {
  const single = offer.lines.filter((line) => line.media === 'audio').length === 1;
  return planLines(offer)
    .filter((line) => line.accepted)
    .map((line) => ({
      line: line.index,
      role: single ? 'mixed' : roleOf(line.index, description),
      formats: line.formats.map(({ payloadType, encoding, clockRate, channels }) => ({
        payloadType,
        encoding,
        clockRate,
        channels,
      })),
      active: line.direction !== 'inactive',
      sources: sourcesOf(offer.lines[line.index]?.address, sources),
    }));
}

/** A name, and the address that stands for none (hold), say nothing about where packets come from. */
function sourcesOf(address: string | undefined, { networks, offered }: MediaSources): readonly string[] {
  const useful = offered && address !== undefined && isIP(address) !== 0;
  return useful && address !== '0.0.0.0' && address !== '::' ? [...networks, address] : networks;
}

function roleOf(line: number, description: CallDescription): LineRole {
  if (line === description.callerLine) return 'caller';
  if (line === description.calleeLine) return 'callee';
  return 'extra';
}
