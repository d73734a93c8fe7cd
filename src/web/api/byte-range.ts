import { WebError } from '../web-error.ts';

/** Octets of a file, both ends included. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/**
 * The part that a Range header asks for (RFC 9110 §14.2); undefined for the whole file: without the header, with another unit, or with
 * several ranges, which nobody needs for audio. Throws WebError BAD_RANGE when the part lies outside the file.
 */
export function byteRange(header: string | undefined, size: number): ByteRange | undefined {
  const [from = '', to = ''] = /^bytes=(\d*)-(\d*)$/.exec((header ?? '').replace(/\s/g, ''))?.slice(1) ?? [];
  if (from === '') return to === '' ? undefined : partOf({ first: size - Number(to), last: size - 1 }, size);
  const last = to === '' ? size - 1 : Number(to);
  // The wrong way round it is no range at all.
  return to !== '' && last < Number(from) ? undefined : partOf({ first: Number(from), last }, size);
}

function partOf({ first, last }: ByteRange, size: number): ByteRange {
  if (first >= size) throw new WebError('BAD_RANGE', `The file has ${size} octets.`);
  return { first: Math.max(0, first), last: Math.min(last, size - 1) };
}
