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

/** By payload number. */
export type PayloadKinds = readonly PayloadKind[];

/** The static numbers hold even where the answer does not name them: some clients negotiate 0 and send 8 (RFC 3551 table 4). */
export const STATIC_KINDS: PayloadKinds = Array.from({ length: 128 }, (_none, payloadType) => {
  if (payloadType === 0) return 'PCMU';
  if (payloadType === 8) return 'PCMA';
  if (payloadType === 13) return 'noise';
  return STATIC_CODECS.has(payloadType) ? 'packets' : 'unknown';
});

/** Tables kept ready. */
const KEPT_READY = 200;
const tables = new Map<string, PayloadKinds>();

/** `known` with what formats are added. Legs whose clients offer the same share a table, which takes a kilobyte. */
export function withFormats(known: PayloadKinds, formats: readonly PayloadFormat[]): PayloadKinds {
  if (formats.every((format) => known[format.payloadType] === kindOf(format))) return known;
  if (known !== STATIC_KINDS) return tableOf(known, formats);
  const name = formats.map((format) => `${format.payloadType} ${kindOf(format)}`).join();
  const ready = tables.get(name) ?? tableOf(known, formats);
  if (tables.size >= KEPT_READY) tables.clear();
  tables.set(name, ready);
  return ready;
}

function tableOf(known: PayloadKinds, formats: readonly PayloadFormat[]): PayloadKinds {
  const kinds = [...known];
  for (const format of formats) kinds[format.payloadType] = kindOf(format);
  return kinds;
}
