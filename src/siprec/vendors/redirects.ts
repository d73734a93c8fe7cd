import { identityFrom } from '../address.ts';
import type { DerivedItem } from '../derived.ts';

/** The numbers of a Diversion header (RFC 5806), the latest first as sent. */
export const redirectsOf = (text: string, source: string): readonly DerivedItem[] =>
  text
    .split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/)
    .flatMap((entry) => identityFrom(entry)?.number ?? [])
    .map((value) => ({ kind: 'diverting', value, source, confidence: 'high', rule: '5.2' }));
