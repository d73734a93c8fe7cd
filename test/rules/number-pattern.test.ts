import { expect, test } from '@jest/globals';
import { spellingsOf } from '../../src/rules/number-pattern.ts';

test('a number is read in the country it is asked for, also when it was read in another before', () => {
  for (let round = 0; round < 2; round += 1) {
    expect(spellingsOf('089 555-1234', 'DE').spellings).toContain('+49895551234');
    expect(spellingsOf('089 555-1234', 'IT').spellings).not.toContain('+49895551234');
    expect(spellingsOf('0895551234', undefined).spellings).toEqual(['0895551234']);
  }
});

test('more numbers than are remembered are read alike the first time and again', () => {
  // Service codes, which ask no country's plan and take no time.
  const numbers = Array.from({ length: 11_000 }, (_, index) => `*${1000 + index}`);
  const read = (): readonly string[] => numbers.map((number) => spellingsOf(number, 'DE').spellings.join());
  expect(read()).toEqual(numbers);
  expect(read()).toEqual(numbers);
});
