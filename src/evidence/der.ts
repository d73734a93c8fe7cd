import { Buffer } from 'node:buffer';
import { EvidenceError } from './evidence-error.ts';

/** One value of a DER encoding (X.690): a view, nothing is copied. */
export interface Der {
  /** Identifier octet; constructed values have bit 0x20, context tags begin at 0x80. */
  readonly tag: number;
  readonly content: Buffer;
  /** Identifier, length and content. */
  readonly whole: Buffer;
}

export const SEQUENCE = 0x30;
export const SET = 0x31;
export const INTEGER = 0x02;
export const OCTETS = 0x04;
const OBJECT_ID = 0x06;
export const BOOLEAN = 0x01;
export const GENERALIZED_TIME = 0x18;
/** `[n]` of a constructed value. */
export const tagged = (n: number): number => 0xa0 + n;

/** The one value that the bytes are. Throws EvidenceError BAD_DER, also for anything behind it. */
export function readDer(bytes: Uint8Array): Der {
  const [value, ...more] = readAll(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  if (value === undefined || more.length > 0) throw new EvidenceError('BAD_DER', 'not exactly one value');
  return value;
}

/** The values inside a constructed one. Throws EvidenceError BAD_DER. */
export const childrenOf = (value: Der): readonly Der[] => readAll(value.content);

/** The values inside one that must have this tag. Throws EvidenceError BAD_DER. */
export function childrenIn(value: Der | undefined, tag: number): readonly Der[] {
  return childrenOf(expectTag(value, tag));
}

/** The value itself when it has this tag. Throws EvidenceError BAD_DER. */
export function expectTag(value: Der | undefined, tag: number): Der {
  if (value?.tag !== tag)
    throw new EvidenceError(
      'BAD_DER',
      `tag ${value?.tag.toString(16) ?? 'none'} instead of ${tag.toString(16)}`,
    );
  return value;
}

/** An object identifier in dots: `1.2.840.113549.1.7.2`. Throws EvidenceError BAD_DER. */
export function objectId(value: Der | undefined): string {
  const { content } = expectTag(value, OBJECT_ID);
  const arcs: bigint[] = [];
  let arc = 0n;
  for (const octet of content) {
    arc = (arc << 7n) | BigInt(octet & 0x7f);
    if (octet >= 0x80) continue;
    arcs.push(arc);
    arc = 0n;
  }
  const [first = 0n, ...rest] = arcs;
  const top = first < 40n ? 0n : first < 80n ? 1n : 2n;
  return [top, first - top * 40n, ...rest].join('.');
}

/** An integer's octets, hex, without the zero octet that only says "not negative". Throws EvidenceError BAD_DER. */
export function integerHex(value: Der | undefined): string {
  const { content } = expectTag(value, INTEGER);
  return content.toString('hex').replace(/^00(?=.)/, '');
}

function readAll(bytes: Buffer): readonly Der[] {
  const values: Der[] = [];
  for (let at = 0; at < bytes.length;) {
    const value = readAt(bytes, at);
    values.push(value);
    at += value.whole.length;
  }
  return values;
}

function readAt(bytes: Buffer, at: number): Der {
  const tag = bytes[at] ?? 0;
  const short = bytes[at + 1] ?? 0x80;
  // Tags above 30 and indefinite lengths do not occur in what is read here.
  if ((tag & 0x1f) === 0x1f || short === 0x80 || short > 0x84)
    throw new EvidenceError('BAD_DER', `octet ${at}`);
  const octets = short < 0x80 ? 0 : short - 0x80;
  const start = at + 2 + octets;
  if (start > bytes.length) throw new EvidenceError('BAD_DER', 'cut off');
  const length = octets === 0 ? short : bytes.readUIntBE(at + 2, octets);
  if (start + length > bytes.length) throw new EvidenceError('BAD_DER', 'cut off');
  return { tag, content: bytes.subarray(start, start + length), whole: bytes.subarray(at, start + length) };
}
