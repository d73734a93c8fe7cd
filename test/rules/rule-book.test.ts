import { describe, expect, test } from '@jest/globals';
import { memberKey, type Membership } from '../../src/rules/call-to-decide.ts';
import type { Decision } from '../../src/rules/decision.ts';
import { RuleBook } from '../../src/rules/rule-book.ts';
import { RuleSet } from '../../src/rules/rule-set.ts';

const MONDAY_NOON = Date.parse('2026-11-23T11:00:00Z');

interface Call {
  readonly from?: string;
  readonly to?: string;
  readonly direction?: 'in' | 'out' | 'internal' | 'unknown';
  readonly trunk?: string;
  readonly user?: string;
  readonly at?: string;
  readonly toAor?: string;
}

const NOBODY: Membership = new Map();

function decide(set: unknown, call: Call, membership = NOBODY): Decision {
  const party = (number: string | undefined, aor?: string) => ({
    ...(number === undefined ? {} : { number }),
    ...(aor === undefined ? {} : { aor }),
    source: 'test',
    confidence: 'high' as const,
  });
  return new RuleBook(RuleSet.parse(set), 3, 'Europe/Berlin').decide(
    {
      description: {
        direction: call.direction ?? 'unknown',
        caller: party(call.from),
        callee: party(call.to, call.toAor),
        participants: [],
        ...(call.user === undefined
          ? {}
          : { user: { value: call.user, source: 'test', confidence: 'high', rule: '-' } as const }),
      },
      trunk: call.trunk ?? 'sbc',
      at: call.at === undefined ? MONDAY_NOON : Date.parse(call.at),
    },
    membership,
  );
}

const only = (when: object, more: object = {}): object => ({
  default: 'refuse',
  country: 'DE',
  rules: [{ id: 'it', when, record: true, ...more }],
});

test('without rules everything is recorded but numbers with * or #', () => {
  expect(decide({}, { from: '100', to: '+4989555010' })).toEqual({
    record: true,
    rule: 'default',
    version: 3,
    reason: 'there are no rules, and the default is to record',
    legs: 'both',
    layout: 'stereo',
    destinations: 'all',
    mayStop: false,
  });
  expect(decide({}, { from: '100', to: '*21*555#' })).toMatchObject({ record: false, rule: 'feature-code' });
  expect(decide(only({}), { to: '#31#0895550' })).toMatchObject({ record: false, rule: 'feature-code' });
  expect(decide({ featureCodes: 'by-rules' }, { to: '*98' })).toMatchObject({ record: true });
});

test('the first rule that matches decides, and says how', () => {
  const set = {
    default: 'refuse',
    rules: [
      { id: 'private', when: { number: ['+49170*'] }, record: false },
      {
        id: 'desk',
        when: { direction: ['in'], user: ['10-19'] },
        record: true,
        legs: 'caller',
        layout: 'per-leg',
        retention: 'wphg-5y',
        destinations: ['worm'],
        mayStop: true,
        announcement: 'inbound',
      },
      { id: 'rest-in', when: { direction: ['in'] }, record: true },
    ],
  };
  expect(decide(set, { direction: 'in', from: '+491701234567', to: '12' })).toMatchObject({
    record: false,
    rule: 'private',
    reason: 'matched by number',
  });
  expect(decide(set, { direction: 'in', from: '+49305550', to: '12' })).toEqual({
    record: true,
    rule: 'desk',
    version: 3,
    reason: 'matched by user, direction',
    legs: 'caller',
    layout: 'per-leg',
    retention: 'wphg-5y',
    destinations: ['worm'],
    mayStop: true,
    announcement: 'inbound',
  });
  expect(decide(set, { direction: 'in', from: '+49305550', to: '20' }).rule).toBe('rest-in');
  expect(decide(set, { direction: 'out', from: '12', to: '+49305550' })).toMatchObject({
    record: false,
    rule: 'default',
    reason: 'no rule matched, and the default is to refuse',
  });
});

test('a reason and a decision never name a party', () => {
  const decision = decide(only({ callee: ['+498955501234'] }), { from: '4711', to: '+498955501234' });
  expect(decision.record).toBe(true);
  expect(JSON.stringify(decision)).not.toMatch(/5550|4711/);
});

describe('numbers', () => {
  test.each([
    ['+498955501234', '+498955501234', true],
    ['+498955501234', '+49 (89) 555 012-34', true],
    ['+498955501234', '004989555 01234', true],
    ['+498955501234', '089 55501234', true],
    ['+498955501234', '08955501235', false],
    ['08955501234', '+498955501234', true],
    ['089*', '+498955501234', true],
    ['+4989*', '08955501234', true],
    ['+4989*', '+49895', true],
    ['+4989*', '+4330555012', false],
    ['+49895550????', '+498955501234', true],
    ['+49895550???', '+498955501234', false],
    ['10-19', '15', true],
    ['10-19', '20', false],
    ['10-19', '015', false],
    ['100-199', '+150', false],
    ['1?5', '115', true],
    ['1?5', '1115', false],
    ['*', '4711', true],
    ['sip', '4711', undefined],
    ['19-10', '15', undefined],
  ])('%s and %s: %s', (pattern, number, expected) => {
    if (expected === undefined) expect(RuleSet.safeParse(only({ callee: [pattern] })).success).toBe(false);
    else expect(decide(only({ callee: [pattern] }), { to: number }).record).toBe(expected);
  });

  test('an extension stays an extension, whatever the country', () => {
    expect(decide(only({ callee: ['100'] }), { to: '100' }).record).toBe(true);
    expect(decide(only({ callee: ['+49100'] }), { to: '100' }).record).toBe(false);
  });

  test('a star key is matched by a pattern that has one', () => {
    const set = { ...only({ callee: ['\\*21*'] }), featureCodes: 'by-rules' };
    expect(decide(set, { to: '*2155' }).record).toBe(true);
    expect(decide(set, { to: '2155' }).record).toBe(false);
    expect(
      decide({ ...only({ special: ['feature-code'] }), featureCodes: 'by-rules' }, { to: '*98' }).record,
    ).toBe(true);
  });

  test('emergency calls are known by their numbers', () => {
    expect(decide(only({ special: ['emergency'] }), { to: '112' }).record).toBe(true);
    expect(decide(only({ special: ['emergency'] }), { to: '1120' }).record).toBe(false);
  });

  test('a list of a hundred thousand numbers is no burden', () => {
    const callee = Array.from({ length: 100_000 }, (_, at) => `+4989${10_000_000 + at}`);
    const book = new RuleBook(RuleSet.parse(only({ callee })), 1);
    const call = (number: string) =>
      book.decide(
        {
          description: {
            direction: 'out',
            caller: { source: 'test', confidence: 'low' },
            callee: { number, source: 'test', confidence: 'low' },
            participants: [],
          },
          trunk: 'sbc',
          at: 0,
        },
        NOBODY,
      );
    expect(call('08910099999').record).toBe(true);
    for (let at = 0; at < 2000; at++) expect(call('08910100000').record).toBe(false);
  });
});

describe('users', () => {
  test.each<[string, Call, boolean]>([
    ['100', { direction: 'out', from: '100', to: '200' }, true],
    ['200', { direction: 'out', from: '100', to: '200' }, false],
    ['200', { direction: 'in', from: '100', to: '200' }, true],
    ['100', { direction: 'in', from: '100', to: '200' }, false],
    ['100', { direction: 'internal', from: '100', to: '200' }, true],
    ['200', { direction: 'unknown', from: '100', to: '200' }, true],
    ['300', { direction: 'out', from: '100', to: '200', user: '300' }, true],
    ['100', { direction: 'out', from: '100', to: '200', user: '300' }, false],
    ['anna@pbx.example', { direction: 'in', toAor: 'sip:Anna@PBX.example;user=phone' }, true],
    ['*@pbx.example', { direction: 'in', toAor: 'sips:anna@pbx.example' }, true],
    ['*@pbx.example', { direction: 'in', toAor: 'sip:anna@pbxXexample' }, false],
    ['+498955501*', { direction: 'in', toAor: 'sip:08955501234@pbx.example' }, true],
  ])('%s of %j: %s', (user, call, expected) => {
    expect(decide(only({ user: [user] }), call).record).toBe(expected);
  });

  test('a group matches while one of its members is logged in, and the decision says who', () => {
    const sales: Membership = new Map([
      ['sales', new Set([memberKey('sip:Anna@pbx.example'), '+498955501234'])],
    ]);
    const set = only({ group: ['support', 'sales'] });
    expect(decide(set, { direction: 'in', to: '089 55501234' }, sales)).toMatchObject({
      record: true,
      loggedIn: [{ group: 'sales', member: '+498955501234' }],
    });
    expect(decide(set, { direction: 'in', toAor: 'sip:anna@pbx.example' }, sales).record).toBe(true);
    expect(decide(set, { direction: 'in', from: '089 55501234', to: '7' }, sales).record).toBe(false);
    expect(decide(set, { direction: 'in', to: '089 55501234' }).record).toBe(false);
  });
});

describe('time, trunk and exceptions', () => {
  const office = { days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '08:00', to: '18:00' };
  test.each([
    [office, '2026-11-23T07:00:00Z', true],
    [office, '2026-11-23T06:59:59Z', false],
    [office, '2026-11-23T17:00:00Z', false],
    [office, '2026-07-06T06:00:00Z', true],
    [office, '2026-11-22T11:00:00Z', false],
    [{ ...office, zone: 'America/New_York' }, '2026-11-23T13:00:00Z', true],
    [{ days: ['fri'], from: '22:00', to: '06:00' }, '2026-11-27T21:30:00Z', true],
    [{ days: ['fri'], from: '22:00', to: '06:00' }, '2026-11-28T04:59:00Z', true],
    [{ days: ['fri'], from: '22:00', to: '06:00' }, '2026-11-28T05:00:00Z', false],
    [{ days: ['fri'], from: '22:00', to: '06:00' }, '2026-11-27T04:00:00Z', false],
    [{ from: '20:00' }, '2026-11-23T22:59:00Z', true],
    [{ from: '20:00' }, '2026-11-23T23:00:00Z', false],
  ])('%j holds at %s: %s', (window, at, expected) => {
    expect(decide(only({ time: [window] }), { at }).record).toBe(expected);
  });

  test('a trunk is named, an exception lifts the rule', () => {
    expect(decide(only({ trunk: ['sbc'] }), { trunk: 'sbc' }).record).toBe(true);
    expect(decide(only({ trunk: ['sbc'] }), { trunk: 'pbx' }).record).toBe(false);
    const set = only({ direction: ['out'] }, { unless: { callee: ['112'] } });
    expect(decide(set, { direction: 'out', to: '112' }).record).toBe(false);
    expect(decide(set, { direction: 'out', to: '113' }).record).toBe(true);
  });
});

test.each([
  [{ rules: [{ id: 'default', record: true }] }],
  [
    {
      rules: [
        { id: 'a', record: true },
        { id: 'a', record: true },
      ],
    },
  ],
  [{ rules: [{ id: 'a' }] }],
  [{ rules: [{ id: 'a', record: true, when: { colour: ['red'] } }] }],
  [{ country: 'Germany' }],
  [{ rules: [{ id: 'a', record: true, when: { time: [{ zone: 'Nowhere/Land' }] } }] }],
])('%j is no set of rules', (set) => {
  expect(RuleSet.safeParse(set).success).toBe(false);
});
