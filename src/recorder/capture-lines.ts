import type { CaptureLine, LineRole } from '../media/capture.ts';
import { planLines } from '../siprec/answer.ts';
import type { CallDescription } from '../siprec/description.ts';
import type { SessionOffer } from '../siprec/sdp.ts';

/**
 * The lines of an offer that get a port, with the channel each belongs to. A client that sends one line only mixes both
 * sides on it (or sends one side alone), so it gets a mono file.
 */
export function captureLines(offer: SessionOffer, description: CallDescription): readonly CaptureLine[] {
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
    }));
}

function roleOf(line: number, description: CallDescription): LineRole {
  if (line === description.callerLine) return 'caller';
  if (line === description.calleeLine) return 'callee';
  return 'extra';
}
