import { trimmed } from './headers.ts';

/** From, To, Contact, Route: a URI and the parameters behind it (RFC 3261 §20.10). */
export interface NameAddr {
  readonly uri: string;
  /** Header parameters with their leading semicolon, or ''. */
  readonly params: string;
}

const QUOTED = /^\s*"(?:[^"\\]|\\[\s\S])*"/;

const withoutQuoted = (value: string): string => (value.includes('"') ? value.replace(QUOTED, '') : value);

/**
 * Reads one name-addr or addr-spec and never fails: an unterminated `<` ends before the first parameter
 * that can only belong to the header (siprec-interop.md SIG-9).
 */
export function parseNameAddr(value: string): NameAddr {
  const rest = withoutQuoted(value);
  const open = rest.indexOf('<');
  if (open === -1) {
    const spec = trimmed(rest);
    const semicolon = spec.indexOf(';');
    return semicolon === -1
      ? { uri: spec, params: '' }
      : { uri: trimmed(spec.slice(0, semicolon)), params: spec.slice(semicolon) };
  }
  const close = rest.indexOf('>', open);
  if (close !== -1)
    return { uri: trimmed(rest.slice(open + 1, close)), params: trimmed(rest.slice(close + 1)) };

  const inside = trimmed(rest.slice(open + 1));
  const own = inside.search(/;\s*(?:\+sip\.|tag\s*=|src\b)/i);
  return own === -1
    ? { uri: inside, params: '' }
    : { uri: trimmed(inside.slice(0, own)), params: inside.slice(own) };
}

/** The tag parameter of From or To; undefined when there is none or it is empty. */
export const tagOf = (value: string): string | undefined => tagAmong(parseNameAddr(value).params);

/** The tag among the parameters of a `NameAddr`. */
export const tagAmong = (params: string): string | undefined =>
  /;\s*tag\s*=\s*([^;,\s>]+)/i.exec(params)?.[1];

/**
 * Vendor oddity: some session border controllers send `Contact: <sip:n@ip:port;+sip.src` and never close the
 * bracket (45 INVITEs of the vendor suite, siprec-interop.md RS-4). drachtio-srf would take `<sip:n@ip:port`
 * for the URI and never see the parameters as ours, so the bracket is closed where it belongs.
 */
export function closeUnterminatedBracket(value: string): string {
  const rest = withoutQuoted(value);
  const open = rest.indexOf('<');
  if (open === -1 || rest.includes('>', open)) return value;
  const display = value.slice(0, value.length - rest.length + open);
  const { uri, params } = parseNameAddr(value);
  return `${display}<${uri}>${params}`;
}

/**
 * Vendor oddity: display names with letters outside ASCII and without quotes (`Müller <sip:…>`). drachtio-srf takes the
 * first word for the URI then, and loses the tag.
 */
export function quoteDisplayName(value: string): string {
  const open = value.indexOf('<');
  const display = trimmed(value.slice(0, Math.max(open, 0)));
  if (display === '' || display.startsWith('"') || /^[\w\-.!%*+`'~ \t]+$/.test(display)) return value;
  return `"${display.replace(/["\\]/g, '\\$&')}" ${value.slice(open)}`;
}
