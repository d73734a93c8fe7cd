import type { RelatedId } from '../derived.ts';

/** `2112551234-0000065536-0000000119-0017082890`: four 32-bit numbers in decimal (siprec-interop.md 5.4), given as hex too. */
export function guidIds(guid: string): readonly RelatedId[] {
  const words = guid.split('-').map(Number);
  if (words.length !== 4 || words.some((word) => !Number.isInteger(word) || word < 0 || word > 0xff_ff_ff_ff))
    return [];
  const hex = words.map((word) => word.toString(16).padStart(8, '0')).join('');
  return [{ kind: 'cisco-guid', value: hex }];
}
