import { isWithin, type Validity } from './certificate-chain.ts';
import { fault, note, type Finding } from './finding.ts';
import type { KeyMoment, KeyUse } from './key-check.ts';
import type { Keyring } from './keyring.ts';

/**
 * Whether the keys that are accepted for the certificates of an authority signed while those were valid: the last entry of a key decides,
 * for it and its checkpoint cover all before. What was signed before the authority certified the key is stated.
 */
export function checkCertified(uses: Iterable<KeyUse>, keyring: Keyring): readonly Finding[] {
  return [...uses].flatMap((use) => {
    const certified = keyring.certifiedIn(use.key);
    return certified === undefined ? [] : judge(use, certified);
  });
}

/** The uses that the proofs of recordings show. */
export function usesOf(moments: readonly (KeyMoment & { readonly key: string })[]): readonly KeyUse[] {
  const uses = new Map<string, KeyUse>();
  for (const moment of moments.toSorted((a, b) => Date.parse(a.time) - Date.parse(b.time))) {
    const use = uses.get(moment.key);
    if (use === undefined) uses.set(moment.key, { key: moment.key, first: moment, last: moment });
    else use.last = moment;
  }
  return [...uses.values()];
}

function judge({ key, first, last }: KeyUse, certified: readonly Validity[]): readonly Finding[] {
  if (!certified.some((each) => isWithin(each, Date.parse(last.time))))
    return [
      fault(
        'CERTIFICATE_NOT_VALID',
        last.file,
        `entry ${last.index} of ${last.time} is signed with key sha256:${key}, certified ${spansOf(certified)} only`,
      ),
    ];
  const from = Math.min(...certified.map((each) => each.from));
  if (Date.parse(first.time) >= from) return [];
  const detail = `entries from ${first.time} on name key sha256:${key}, which the given authority certified at ${iso(from)}`;
  return [note('CERTIFIED_LATER', first.file, detail)];
}

const spansOf = (spans: readonly Validity[]): string =>
  spans.map(({ from, to }) => `from ${iso(from)} to ${iso(to)}`).join(' and ');

const iso = (time: number): string => new Date(time).toISOString();
