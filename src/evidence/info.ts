import { Buffer } from 'node:buffer';
import { EvidenceError } from './evidence-error.ts';

/** One line of `<rec>_info.txt`. */
export type InfoField = readonly [key: string, value: string];

const KEY = /^[A-Za-z][A-Za-z0-9-]{0,63}$/;
/**
 * What must not stand in a line as it is: control characters and line separators, which would make more lines of it, marks that
 * reverse the direction of the text, which would show something else than is there, and the escape itself. Combining marks after
 * one go with it, or they would join the last digit of its escape.
 */
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069\ufeff%]\p{M}*/gu;
const ESCAPES = /(?:%[0-9A-F]{2})+/g;

/**
 * `Key: value` lines, UTF-8, NFC, LF. Unsafe characters and `%` are percent-encoded (their UTF-8 octets). The order is the caller's.
 * Throws EvidenceError BAD_INFO for a key outside `[A-Za-z0-9-]` or given twice, or no field.
 */
export function formatInfo(fields: readonly InfoField[]): Buffer {
  const keys = new Set(fields.map(([key]) => key));
  if (fields.length === 0 || keys.size !== fields.length)
    throw new EvidenceError('BAD_INFO', 'no field, or one twice');
  const lines = fields.map(([key, value]) => {
    if (!KEY.test(key)) throw new EvidenceError('BAD_INFO', `key ${JSON.stringify(key)}`);
    return `${key}: ${wellFormed(value).normalize('NFC').replace(UNSAFE, percentEncode)}\n`;
  });
  return Buffer.from(lines.join(''), 'utf8');
}

/** Reads the fields in their order; throws EvidenceError BAD_INFO for anything `formatInfo` would not write. */
export function parseInfo(bytes: Uint8Array): readonly InfoField[] {
  const lines = Buffer.from(bytes).toString('utf8').split('\n');
  if (lines.pop() !== '') throw new EvidenceError('BAD_INFO', 'no final line feed');
  const fields = lines.map((line): InfoField => {
    const colon = line.indexOf(': ');
    return [line.slice(0, Math.max(colon, 0)), line.slice(colon + 2).replace(ESCAPES, percentDecode)];
  });
  if (!formatInfo(fields).equals(bytes)) throw new EvidenceError('BAD_INFO', 'not in canonical form');
  return fields;
}

/** Half of a surrogate pair has no UTF-8 form and becomes U+FFFD here, before normalisation sees it. */
const wellFormed = (text: string): string => Buffer.from(text, 'utf8').toString('utf8');

const percentEncode = (text: string): string =>
  [...Buffer.from(text, 'utf8')]
    .map((octet) => `%${octet.toString(16).toUpperCase().padStart(2, '0')}`)
    .join('');

const percentDecode = (escapes: string): string =>
  Buffer.from(escapes.replaceAll('%', ''), 'hex').toString('utf8');
