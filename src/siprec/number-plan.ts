/** What distinguishes telephone numbers: digits, `*`, `#` and whether they are international. */
interface Dialled {
  readonly international: boolean;
  readonly digits: string;
}

/** `+49 (89) 555-123`, `0049…` and `tel:` spellings; undefined for what is no number. */
function dialled(text: string): Dialled | undefined {
  const plain = text
    .trim()
    .replace(/^(?:tel|sips?):/i, '')
    .replace(/[;@].*$/s, '')
    .replace(/[\s().\-/]/g, '');
  const [, prefix = '', digits = ''] = /^(\+|00)?([\d*#]+)$/.exec(plain) ?? [];
  return digits === '' ? undefined : { international: prefix !== '', digits };
}

/** Shorter tails are extensions, of which any PBX has its own. */
const SHORTEST_TAIL = 7;

/** Whether two spellings mean one number: equal, or one has a country or area code more than the other. */
export function sameNumber(one: string | undefined, other: string | undefined): boolean {
  const [a, b] = [dialled(one ?? ''), dialled(other ?? '')];
  if (a === undefined || b === undefined) return false;
  if (a.digits === b.digits) return true;
  if (a.international && b.international) return false;
  const [long, short] = a.digits.length > b.digits.length ? [a, b] : [b, a];
  const tail = short.international ? short.digits : short.digits.replace(/^0/, '');
  return !short.international && tail.length >= SHORTEST_TAIL && long.digits.endsWith(tail);
}

type Matcher = (number: Dialled) => boolean;

/**
 * The numbers of an operator: `+498955510` exactly, `+4989555*` all that begin so, `10-99` a range of extensions.
 * Throws RangeError for a pattern that is none of these.
 */
export class NumberPlan {
  readonly #matchers: readonly Matcher[];

  constructor(patterns: readonly string[]) {
    this.#matchers = patterns.map(matcherOf);
  }

  includes(number: string): boolean {
    const given = dialled(number);
    return given !== undefined && this.#matchers.some((matches) => matches(given));
  }
}

function matcherOf(pattern: string): Matcher {
  const wrong = new RangeError(`${pattern} is no number, beginning or range`);
  const [, low, high] = /^([^-]+)-([^-]+)$/.exec(pattern) ?? [];
  if (low !== undefined && high !== undefined) return rangeOf(low, high) ?? fail(wrong);
  const beginning = /^(.*[^*])\*$/s.exec(pattern)?.[1];
  const wanted = dialled(beginning ?? pattern);
  if (wanted === undefined || pattern.includes('-') || !/\d/.test(wanted.digits)) throw wrong;
  return (number) =>
    isSpelledLike(number, wanted) &&
    (beginning === undefined ? number.digits === wanted.digits : number.digits.startsWith(wanted.digits));
}

function fail(error: RangeError): never {
  throw error;
}

/** `10-99` takes what has as many digits as either end and lies between them. */
function rangeOf(low: string, high: string): Matcher | undefined {
  const [first, last] = [dialled(low), dialled(high)];
  if (first === undefined || last === undefined) return undefined;
  const [from, to] = [valueOf(first), valueOf(last)];
  if (from === undefined || to === undefined || from > to) return undefined;
  return (number) => {
    const value = valueOf(number);
    const { length } = number.digits;
    const fits = length >= first.digits.length && length <= last.digits.length;
    return isSpelledLike(number, first) && fits && value !== undefined && value >= from && value <= to;
  };
}

/** Numbers have up to 15 digits (E.164), which a number holds exactly. */
const valueOf = ({ digits }: Dialled): number | undefined =>
  /^\d{1,15}$/.test(digits) ? Number(digits) : undefined;

/** An extension of ours must not be found in the digits of an international number; the plus sign itself may be lost. */
const isSpelledLike = (number: Dialled, pattern: Dialled): boolean =>
  pattern.international || !number.international;
