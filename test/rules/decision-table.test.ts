import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import type { Decision } from '../../src/rules/decision.ts';
import { RuleBook } from '../../src/rules/rule-book.ts';
import { RuleSet } from '../../src/rules/rule-set.ts';
import type { CallDescription, CallDirection } from '../../src/siprec/description.ts';
import { concludeDialog } from '../siprec/vendor-call.ts';

/** What is expected of each call a vendor's first message offers, by the direction it may have; see fixtures/siprec/README.md. */
interface Table {
  readonly rules: unknown;
  readonly loggedIn: Readonly<Record<string, readonly string[]>>;
  readonly directions: readonly CallDirection[];
  /** `rule`, with `-` before it where the call is not recorded, in the order of `directions`. */
  readonly decisions: Readonly<Record<string, readonly string[]>>;
}

const folder = new URL('../../fixtures/siprec/', import.meta.url);
const table = JSON.parse(readFileSync(new URL('decisions.json', folder), 'utf8')) as Table;
const book = new RuleBook(RuleSet.parse(table.rules), 7, 'America/New_York');
const membership = new Map(
  Object.entries(table.loggedIn).map(([group, members]) => [group, new Set(members)] as const),
);
/** A Monday morning there. */
const at = Date.UTC(2026, 10, 23, 15);

/** The messages with which a dialog begins, of every vendor. */
const offers = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(new URL(`${entry.name}/messages.txt`, folder)))
  .flatMap(({ name: vendor }) =>
    readdirSync(new URL(`${vendor}/`, folder))
      .filter((file) => file.endsWith('invite.sip'))
      .map((file) => `${vendor}/${file.slice(0, -'.sip'.length)}`),
  );

const describeCall = (offer: string): CallDescription => {
  const [vendor = '', name = ''] = offer.split('/');
  return concludeDialog(vendor, [], name).description;
};

const decide = (description: CallDescription, direction: CallDirection): Decision =>
  book.decide({ description: { ...description, direction }, trunk: 'sbc', at }, membership);

const wordOf = ({ record, rule }: Decision): string => `${record ? '' : '-'}${rule}`;

test('the table has every call that a stored message offers, and no other', () => {
  expect(Object.keys(table.decisions).toSorted()).toEqual(offers.toSorted());
});

test('the table has some of everything: each rule decides in several calls', () => {
  const words = Object.values(table.decisions).flat();
  for (const word of ['-private', '-internal', 'desk', 'sales', 'outgoing', '-default'])
    expect([word, words.filter((each) => each === word).length > 2]).toEqual([word, true]);
});

describe.each(Object.entries(table.decisions))('%s', (offer, expected) => {
  test(`is decided ${expected.join(', ')}`, () => {
    const description = describeCall(offer);
    const decisions = table.directions.map((direction) => decide(description, direction));
    expect(decisions.map(wordOf)).toEqual(expected);
    for (const { version, reason } of decisions) {
      expect(version).toBe(7);
      expect(reason).not.toBe('');
      // A decision is kept of calls of which nothing else is: it names nobody but members.
      for (const { number } of [description.caller, description.callee])
        if (number !== undefined && !Object.values(table.loggedIn).flat().includes(number))
          expect(reason).not.toContain(number);
    }
  });
});
