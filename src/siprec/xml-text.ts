const NAMED: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
]);

const REFERENCE = /&(?:(amp|lt|gt|quot|apos)|#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6}));/g;
const STRAY = /&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});)/;

/** Whether a text holds an `&` that begins no reference: OpenSIPS escapes neither names nor addresses (siprec-interop.md 4.11). */
export const hasStrayAmpersand = (text: string): boolean => text.includes('&') && STRAY.test(text);

/** The five entities of XML itself and character numbers; there are no others here, and an `&` that begins none of them stays. */
export function decodeReferences(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(REFERENCE, (whole, ...groups) => {
    const [named, decimal, hex] = groups as [string | undefined, string | undefined, string | undefined];
    if (named !== undefined) return NAMED.get(named) ?? whole;
    const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal);
    return isCharacter(code) ? String.fromCodePoint(code) : '\uFFFD';
  });
}

/** XML 1.0 §2.2; no control characters by the back door. */
const isCharacter = (code: number): boolean =>
  code === 9 ||
  code === 10 ||
  code === 13 ||
  (code >= 32 && code <= 0x10_ff_ff && !(code >= 0xd800 && code <= 0xdfff));
