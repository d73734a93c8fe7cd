import { CLOCK_RATE, type PayloadFormat } from './capture.ts';
import { STATIC_CODECS } from './codec.ts';
import type { Law } from './g711.ts';

/** `packets`: audio that is not G.711, kept packet by packet. `unknown`: a number nobody announced. */
export type PayloadKind = Law | 'event' | 'noise' | 'empty' | 'packets' | 'unknown';

/** How the payload of a format is taken. */
export function kindOf(format: PayloadFormat): PayloadKind {
  const { encoding, clockRate } = format;
  if ((encoding === 'PCMA' || encoding === 'PCMU') && clockRate === CLOCK_RATE) return encoding;
  if (encoding === 'TELEPHONE-EVENT') return 'event';
  return encoding === 'CN' ? 'noise' : 'packets';
}

/** The static numbers hold even where the answer does not name them: some clients negotiate 0 and send 8 (RFC 3551 table 4). */
export function staticKinds(): PayloadKind[] {
  const kinds = new Array<PayloadKind>(128).fill('unknown');
  kinds[0] = 'PCMU';
  kinds[8] = 'PCMA';
  kinds[13] = 'noise';
  for (const payloadType of STATIC_CODECS.keys()) kinds[payloadType] = 'packets';
  return kinds;
}
