/** Avaya's universal call id in its two spellings. */
export interface Ucid {
  /** 16 hex digits in upper case: node, sequence, Unix time. */
  readonly hex: string;
  /** The same as 5 + 5 + 10 decimal digits. */
  readonly decimal: string;
}

/**
 * Reads a UCID out of a User-to-User value, a session id, 16 hex digits or 20 decimal ones (siprec-interop.md 5.4).
 * Undefined when there is none in it. Never throws.
 */
export function decodeUcid(text: string): Ucid | undefined {
  const [value = ''] = text.split(';');
  const digits = value.trim().toUpperCase();
  const tagged = /^(?:[0-9A-F]{2})*?FA08([0-9A-F]{16})/.exec(digits)?.[1];
  if (tagged !== undefined) return fromHex(tagged);
  if (/^[0-9A-F]{16}$/.test(digits)) return fromHex(digits);
  return fromDecimal(digits);
}

function fromDecimal(digits: string): Ucid | undefined {
  if (!/^\d{20}$/.test(digits)) return undefined;
  const text = hex(digits.slice(0, 5), 4) + hex(digits.slice(5, 10), 4) + hex(digits.slice(10), 8);
  return text.length === 16 ? fromHex(text) : undefined;
}

function fromHex(digits: string): Ucid {
  const [node, sequence, time] = [digits.slice(0, 4), digits.slice(4, 8), digits.slice(8)];
  return { hex: digits, decimal: decimal(node, 5) + decimal(sequence, 5) + decimal(time, 10) };
}

const decimal = (text: string, width: number): string =>
  String(Number.parseInt(text, 16)).padStart(width, '0');

const hex = (text: string, width: number): string =>
  Number(text).toString(16).toUpperCase().padStart(width, '0');
