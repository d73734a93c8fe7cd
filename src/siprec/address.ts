import { present } from './optional.ts';
import { plainText } from './plain-text.ts';

/**
 * The user part of an address of record as sent: `sip:+15550100@pbx.example;user=phone` gives `+15550100`, a bare
 * number or name gives itself. Undefined when there is none (`sip:@host`, `sip:host`). Never throws.
 */
export function userOf(aor: string): string | undefined {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(aor);
  const rest = scheme ? aor.slice(scheme[0].length) : aor;
  const at = rest.indexOf('@');
  if (at === -1 && /^sips?$/i.test(scheme?.[1] ?? '')) return undefined;
  const [user = ''] = (at === -1 ? rest : rest.slice(0, at)).split(/[;:]/);
  const text = unescape(user).trim();
  return text === '' ? undefined : text;
}

/** A telephone number or extension, with the separators of RFC 3966 §5.1.1. */
export const isNumber = (user: string): boolean => /^\+?[\d*#().-]*\d[\d*#().-]*$/.test(user);

function unescape(user: string): string {
  try {
    return decodeURIComponent(user).replace(/[\0-\x1f\x7f]/g, '');
  } catch {
    return user;
  }
}

/** A name and address from a SIP header or something that reads like one. */
export interface HeaderIdentity {
  readonly name?: string;
  readonly number?: string;
  readonly aor?: string;
}

/**
 * Name, address and user of a header value such as `"Anna" <sip:+15550100@pbx.example>;tag=1`, of a bare URI or number.
 * Undefined when it names nobody. Never throws.
 */
export function identityFrom(text: string): HeaderIdentity | undefined {
  const [, quoted, plain = '', bracketed] =
    /^\s*(?:"((?:[^"\\]|\\.)*)"|([^<"]*?))\s*<\s*([^>]*)/.exec(text) ?? [];
  const aor = plainText(bracketed ?? text.replace(/[;,?].*$/s, ''));
  const name = plainText((quoted ?? plain).replace(/\\(.)/g, '$1'));
  const number = userOf(aor);
  if (number === undefined && name === '') return undefined;
  return present({
    name: name === '' ? undefined : name,
    number: number && plainText(number),
    aor: aor === '' ? undefined : aor,
  });
}
