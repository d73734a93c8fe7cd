import { parsePhoneNumberFromString, type CountryCode } from 'libphonenumber-js';
import { ownText } from '../siprec/own-copy.ts';

/** A number in every spelling it may be meant by. Digits, `*` and `#`, international ones with `+`. */
export interface NumberSpellings {
  readonly spellings: readonly string[];
}

/** A dialled number without what people put between its digits; undefined for what is none. */
export function plainNumber(text: string | undefined): string | undefined {
  const plain = (text ?? '')
    .trim()
    .replace(/^(?:tel|sips?):/i, '')
    .replace(/[;@].*$/s, '')
    .replace(/[\s().\-/]/g, '');
  return /^\+?[\d*#]+$/.test(plain) ? plain : undefined;
}

/** Numbers remembered in each of two generations. */
const MOST_REMEMBERED = 5000;
/** Longer ones are not worth the memory a stranger would fill with them. */
const LONGEST_REMEMBERED = 40;

let recent = new Map<string, NumberSpellings>();
let older = new Map<string, NumberSpellings>();

/**
 * The spellings of a number: as sent, in E.164 with plus sign, and as dialled in its own country. A national number becomes international by
 * `country` (ITU-T E.164, by libphonenumber); an extension, which is too short to be one, stays alone. Empty for what is no number. Numbers met lately
 * are remembered: the plan of all countries is slow to ask, and the same people call every day.
 */
export function spellingsOf(text: string | undefined, country: string | undefined): NumberSpellings {
  const plain = plainNumber(text);
  if (plain === undefined) return { spellings: [] };
  if (plain.length > LONGEST_REMEMBERED) return workOut(plain, country);
  const key = `${country ?? ''} ${plain}`;
  const known = recent.get(key);
  if (known !== undefined) return known;
  const found = older.get(key) ?? workOut(ownText(plain), country);
  if (recent.size >= MOST_REMEMBERED) {
    older = recent;
    recent = new Map();
  }
  recent.set(ownText(key), found);
  return found;
}

function workOut(plain: string, country: string | undefined): NumberSpellings {
  if (/[*#]/.test(plain)) return { spellings: [plain] };
  const international = plain.replace(/^00(?=[1-9])/, '+');
  const parsed = parsePhoneNumberFromString(international, country as CountryCode | undefined);
  if (parsed?.isPossible() !== true) return { spellings: [...new Set([plain, international])] };
  const national = parsed.formatNational().replace(/\D/g, '');
  return {
    spellings: [...new Set([plain, parsed.number, ...(parsed.country === country ? [national] : [])])],
  };
}

const RANGE = /^(\+?\d{1,15})-(\+?\d{1,15})$/;
const PATTERN = /^\+?(?:[\d#?*]|\\\*)+$/;

/** Whether `matcherOf` can read it. */
export const isNumberPattern = (text: string): boolean => {
  const plain = withoutSpaces(text);
  const [, low, high] = RANGE.exec(plain) ?? [];
  if (low !== undefined && high !== undefined)
    return low.startsWith('+') === high.startsWith('+') && digitsOf(low) <= digitsOf(high);
  return PATTERN.test(plain) && plain.length <= 40;
};

/**
 * Reads a pattern: a number, with `?` for one digit and `*` for any further ones (`\*` is the star key), or a range of numbers of as many
 * digits as its ends. Throws RangeError for what is none.
 */
export function matcherOf(pattern: string): (number: NumberSpellings) => boolean {
  if (!isNumberPattern(pattern)) throw new RangeError(`${pattern} is no number pattern`);
  const plain = withoutSpaces(pattern).replace(/^00(?=[1-9])/, '+');
  const [, low, high] = RANGE.exec(plain) ?? [];
  if (low !== undefined && high !== undefined) return ({ spellings }) => spellings.some(inRange(low, high));
  const expression = new RegExp(`^${plain.replace(/\\\*|[+?*]/g, (sign) => SIGNS[sign] ?? sign)}$`);
  return ({ spellings }) => spellings.some((spelling) => expression.test(spelling));
}

/** `?` and `*` stand for digits; a number with a star key is meant only by a pattern that has one. */
const SIGNS: Readonly<Record<string, string>> = { '\\*': '\\*', '+': '\\+', '?': '\\d', '*': '\\d*' };

const inRange =
  (low: string, high: string) =>
  (spelling: string): boolean =>
    spelling.startsWith('+') === low.startsWith('+') &&
    /^\+?\d+$/.test(spelling) &&
    spelling.length >= low.length &&
    spelling.length <= high.length &&
    digitsOf(spelling) >= digitsOf(low) &&
    digitsOf(spelling) <= digitsOf(high);

const digitsOf = (text: string): number => Number(text.replace('+', ''));

/** People write +49 (89) 555-10 also in lists; a dash between two whole numbers is a range. */
const withoutSpaces = (text: string): string => text.trim().replace(/[\s()./]/g, '');
