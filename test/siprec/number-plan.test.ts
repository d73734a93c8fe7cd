import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { NumberPlan, sameNumber } from '../../src/siprec/number-plan.ts';

describe('the numbers of an operator (siprec-interop 5.2)', () => {
  test.each([
    ['+498955510', '+498955510', true],
    ['+498955510', '00498955510', true],
    ['+498955510', '498955510', true],
    ['+498955510', '+4989555100', false],
    ['+4989555*', '+49 (89) 555-123', true],
    ['+4989555*', 'tel:+4989555123;ext=1', true],
    ['+4989555*', '+4989444123', false],
    ['10-99', '10', true],
    ['10-99', '99', true],
    ['10-99', '100', false],
    ['10-99', '9', false],
    ['10-99', '+49', false],
    ['8-120', '9', true],
    ['+4989555100-+4989555199', '+4989555150', true],
    ['+4989555100-+4989555199', '+4989555200', false],
    ['201', '+49201', false],
    ['201', 'alice', false],
    ['10-99', '*1', false],
  ])('%s takes %s: %p', (pattern, number, taken) => {
    expect(new NumberPlan([pattern]).includes(number)).toBe(taken);
  });

  test.each(['', '*', 'alice', '99-1', '1-2-3'])('%p is no pattern', (pattern) => {
    expect(() => new NumberPlan([pattern])).toThrow(RangeError);
  });

  test('any text can be asked for', () => {
    const plan = new NumberPlan(['+4989555*', '10-99', '201']);
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[+0-9*#]{0,8}$/)), (text) => {
        expect(typeof plan.includes(text)).toBe('boolean');
      }),
    );
  });
});

describe('two spellings of a number', () => {
  test.each([
    ['+17602922416', '7602922416', true],
    ['+498955512345', '08955512345', true],
    ['0017602922416', '+17602922416', true],
    ['+17602922416', '+27602922416', false],
    ['2416', '7602922416', false],
    ['2416', '2416', true],
    ['alice', 'alice', false],
    [undefined, '2416', false],
  ])('%s and %s: %p', (one, other, same) => {
    expect(sameNumber(one, other)).toBe(same);
    expect(sameNumber(other, one)).toBe(same);
  });
});
