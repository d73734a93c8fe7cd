/*
 * What must not be kept of a SIP message. Where a form is not understood the whole of it goes: a trace that lacks a line is
 * better than one that holds a key.
 */

const GONE = '(removed)';

/** Parameters of a Digest answer that give nothing away; everything else of it goes. */
const HARMLESS = new Set(['username', 'realm', 'nonce', 'uri', 'algorithm', 'qop', 'nc', 'opaque']);

/** Bodies that are nothing but the digits somebody dialled: `application/dtmf`, KPML, vendors' own. */
const DIGITS = /^(?:content-type|c)[ \t]*:[^\r\n]*(?:dtmf|digits|kpml|telephone-event)/im;

/** A key in a form of its own, as INFO bodies and vendors' metadata may have it: `SRTP-Key: …`, `<master_key>…`, `"mikey": "…"`. */
const NAMED_KEY =
  /\b([\w-]{0,40}(?:mikey|(?:srtp|sdes|crypto|master|session|media)[ _-]?(?:key|salt)))(["']?[ \t]*[>:=][ \t]*["']?)[A-Za-z0-9+/=_-]{16,}/gi;

/** Without a word of these no key of this kind is there, and one look costs less than a search for each. */
const MAY_NAME_KEY = /key|salt/i;
const MAY_HOLD_KEY = /crypto|key|salt|pwd|inline|signal|\bk[ \t]*=/i;

/** Bodies that cannot be searched line by line. */
const ENCODED =
  /^(?:content-encoding|e|content-transfer-encoding)[ \t]*:[ \t]*(?!identity|7bit|8bit|binary)\S/im;

/**
 * The message (a byte string: one character, one octet) without SRTP keys (`a=crypto`, MIKEY, `k=`, RFC 4568, RFC 4567, RFC 8866), digest
 * answers and other credentials (RFC 3261 §22), passwords in addresses, ICE passwords, and DTMF digits, which may be a card number.
 */
export function withoutSecrets(message: string): string {
  const gap = /\r?\n\r?\n/.exec(message);
  const end = gap === null ? message.length : gap.index;
  const head = withoutCredentials(message.slice(0, end));
  const safe = withoutPasswords(head);
  const kept = MAY_NAME_KEY.test(safe) ? safe.replace(NAMED_KEY, `$1$2${GONE}`) : safe;
  return kept + bodyWithoutKeys(message.slice(end), head);
}

function bodyWithoutKeys(body: string, head: string): string {
  if (body.length <= 4) return body;
  if (DIGITS.test(head) && !/\bSignal[ \t]*=/i.test(body))
    return `\r\n\r\n(${body.length} octets of digits, not kept)\r\n`;
  // UTF-16, compressed or Base64: a key would be there without looking like one.
  if (body.includes('\0') || ENCODED.test(head) || ENCODED.test(body))
    return `\r\n\r\n(${body.length} octets in an encoding that cannot be searched for keys, not kept)\r\n`;
  if (!MAY_HOLD_KEY.test(body)) return withoutPasswords(body);
  return withoutPasswords(
    body
      .replace(/^([ \t]*a[ \t]*=[ \t]*crypto[ \t]*:[ \t]*\d*[ \t]*[A-Za-z0-9_-]*)[^\r\n]*/gim, `$1 ${GONE}`)
      .replace(/^([ \t]*a[ \t]*=[ \t]*(?:key-mgmt|ice-pwd)[ \t]*:)[^\r\n]*/gim, `$1${GONE}`)
      .replace(/^([ \t]*k[ \t]*=)[^\r\n]*/gim, `$1${GONE}`)
      .replace(NAMED_KEY, `$1$2${GONE}`)
      .replace(/\binline[ \t]*:[^\s;]+/gi, `inline:${GONE}`)
      .replace(/\bmikey[ \t]+[A-Za-z0-9+/=]+/gi, `mikey ${GONE}`)
      .replace(/^([ \t]*Signal[ \t]*=)[^\r\n]*/gim, `$1${GONE}`),
  );
}

/** With its continuation lines, which begin with a blank (RFC 3261 §7.3.1). */
const CREDENTIALS =
  /^((?:proxy-)?authorization|authentication-info|x-sealtape-raw-body|cookie)([ \t]*:)[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*/gim;

const withoutCredentials = (head: string): string =>
  head.replace(CREDENTIALS, (whole: string, name: string, colon: string) => {
    const value = whole.slice(name.length + colon.length);
    const digest = /^\s*Digest\s+/i.exec(value);
    if (digest === null) return `${name}${colon} ${GONE}`;
    const kept = [...value.slice(digest[0].length).matchAll(/([\w*-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"]+)/g)]
      .filter(([, key = '']) => HARMLESS.has(key.toLowerCase()))
      .map(([, key = '', text = '']) => `${key}=${text.replace(/\s+/g, ' ')}`);
    return `${name}${colon} Digest ${[...kept, `response="${GONE}"`].join(', ')}`;
  });

/** `sip:user:password@host` (RFC 3261 §19.1.1) and its like. */
const withoutPasswords = (text: string): string =>
  text.replace(/\b((?:sips?|https?|ftp|ldap)s?:(?:\/\/)?[^@\s:;<>"/]*):[^@\s<>"/]+@/gi, `$1:${GONE}@`);
