import { memberKey, recordedUsers, type CallToDecide, type Membership } from './call-to-decide.ts';
import type { Decision, LoggedIn } from './decision.ts';
import { matcherOf, plainNumber, spellingsOf, type NumberSpellings } from './number-pattern.ts';
import type { Conditions, Rule, RuleSet } from './rule-set.ts';
import { isWithin } from './time-window.ts';

/** One rule beside one call, for people who ask why. */
export interface RuleReport {
  readonly rule: string;
  readonly matched: boolean;
  /** The condition that did not hold, or those that did. */
  readonly why: string;
}

export interface Explanation {
  readonly decision: Decision;
  /** In order, up to the one that decided. */
  readonly rules: readonly RuleReport[];
  /** Who the call is taken to belong to, and the numbers as they were compared. */
  readonly users: readonly string[];
  readonly caller: readonly string[];
  readonly callee: readonly string[];
}

/** What the conditions look at, worked out once a call. */
interface Facts {
  readonly call: CallToDecide;
  readonly membership: Membership;
  readonly users: readonly string[];
  readonly userSpellings: readonly NumberSpellings[];
  readonly caller: NumberSpellings;
  readonly callee: NumberSpellings;
  readonly zone: string;
  readonly emergency: readonly string[];
}

type Test = (facts: Facts) => boolean;

interface Compiled {
  readonly rule: Rule;
  readonly when: readonly (readonly [name: string, holds: Test])[];
  readonly unless: readonly (readonly [name: string, holds: Test])[] | undefined;
}

/**
 * A version of the rules, ready to decide: patterns are read once. The first rule whose conditions all hold decides; without one the set's
 * default. Deciding never throws and takes no time worth speaking of.
 */
export class RuleBook {
  readonly version: number;
  readonly set: RuleSet;
  readonly #zone: string;
  readonly #rules: readonly Compiled[];

  /** `zone`: for time windows without one. */
  constructor(set: RuleSet, version: number, zone = 'UTC') {
    this.set = set;
    this.version = version;
    this.#zone = zone;
    this.#rules = set.rules.map((rule) => ({
      rule,
      when: compile(rule.when),
      unless: rule.unless && compile(rule.unless),
    }));
  }

  decide(call: CallToDecide, membership: Membership): Decision {
    return this.explain(call, membership).decision;
  }

  explain(call: CallToDecide, membership: Membership): Explanation {
    const facts = this.#factsOf(call, membership);
    const { users, caller, callee } = facts;
    const seen = { users, caller: caller.spellings, callee: callee.spellings };
    if (this.set.featureCodes === 'never' && hasFeatureCode(facts)) {
      const reason = 'a number with * or # is never recorded';
      return { decision: this.#plain(false, 'feature-code', reason), rules: [], ...seen };
    }
    const rules: RuleReport[] = [];
    for (const compiled of this.#rules) {
      const { id } = compiled.rule;
      const failed = failedCondition(compiled, facts);
      if (failed === undefined) {
        const decision = this.#decisionOf(compiled, facts);
        return { decision, rules: [...rules, { rule: id, matched: true, why: decision.reason }], ...seen };
      }
      rules.push({ rule: id, matched: false, why: failed });
    }
    const record = this.set.default === 'record';
    const reason = `${rules.length === 0 ? 'there are no rules' : 'no rule matched'}, and the default is to ${record ? 'record' : 'refuse'}`;
    return { decision: this.#plain(record, 'default', reason), rules, ...seen };
  }

  #factsOf(call: CallToDecide, membership: Membership): Facts {
    const { country, emergencyNumbers } = this.set;
    const { caller, callee } = call.description;
    const users = recordedUsers(call);
    return {
      call,
      membership,
      users,
      userSpellings: users.map((user) => spellingsOf(user.includes('@') ? undefined : user, country)),
      caller: spellingsOf(caller.number, country),
      callee: spellingsOf(callee.number, country),
      zone: this.#zone,
      emergency: emergencyNumbers,
    };
  }

  #plain(record: boolean, rule: string, reason: string): Decision {
    const { version } = this;
    return {
      record,
      rule,
      version,
      reason,
      legs: 'both',
      layout: 'stereo',
      destinations: 'all',
      mayStop: false,
    };
  }

  #decisionOf({ rule, when }: Compiled, facts: Facts): Decision {
    const { record, legs, layout, retention, destinations, mayStop, announcement } = rule;
    const names = when.map(([name]) => name);
    const loggedIn = rule.when.group === undefined ? [] : loggedInto(rule.when.group, facts);
    return {
      record,
      rule: rule.id,
      version: this.version,
      reason: names.length === 0 ? 'holds for every call' : `matched by ${names.join(', ')}`,
      legs,
      layout,
      ...(retention === undefined ? {} : { retention }),
      destinations,
      mayStop: record && mayStop,
      ...(announcement === undefined ? {} : { announcement }),
      ...(loggedIn.length === 0 ? {} : { loggedIn }),
    };
  }
}

/** Undefined when the rule matches. */
function failedCondition({ when, unless }: Compiled, facts: Facts): string | undefined {
  const failed = when.find(([, holds]) => !holds(facts));
  if (failed !== undefined) return `${failed[0]} does not match`;
  if (unless?.every(([, holds]) => holds(facts)) === true)
    return `excepted by ${unless.map(([name]) => name).join(', ')}`;
  return undefined;
}

/** Named as in the rule, so that a reason says what to look at and nothing of who called. */
function compile(conditions: Conditions): readonly (readonly [string, Test])[] {
  const { user, group, caller, callee, number, direction, trunk, time, special } = conditions;
  const tests: (readonly [string, Test | undefined])[] = [
    ['user', user && userTest(user)],
    ['group', group && ((facts) => loggedInto(group, facts).length > 0)],
    ['caller', caller && numberTest(caller, (facts) => [facts.caller])],
    ['callee', callee && numberTest(callee, (facts) => [facts.callee])],
    ['number', number && numberTest(number, (facts) => [facts.caller, facts.callee])],
    ['direction', direction && (({ call }) => direction.includes(call.description.direction))],
    ['trunk', trunk && (({ call }) => trunk.includes(call.trunk))],
    ['time', time && (({ call, zone }) => time.some((window) => isWithin(window, call.at, zone)))],
    ['special', special && ((facts) => special.some((kind) => isSpecial(kind, facts)))],
  ];
  return tests.flatMap(([name, test]) => (test === undefined ? [] : [[name, test] as const]));
}

function numberTest(patterns: readonly string[], of: (facts: Facts) => readonly NumberSpellings[]): Test {
  // Lists from files are long and plain: those are looked up, only real patterns are tried one by one.
  const plain = new Set(patterns.map((pattern) => (/^\+?\d+$/.test(pattern) ? pattern : undefined)));
  const matchers = patterns.filter((pattern) => !plain.has(pattern)).map(matcherOf);
  return (facts) =>
    of(facts).some(
      (number) =>
        number.spellings.some((spelling) => plain.has(spelling)) ||
        matchers.some((matches) => matches(number)),
    );
}

function userTest(patterns: readonly string[]): Test {
  const numbers = patterns.filter((pattern) => !pattern.includes('@'));
  const addresses = patterns.filter((pattern) => pattern.includes('@')).map(addressTest);
  const byNumber =
    numbers.length === 0 ? undefined : numberTest(numbers, ({ userSpellings }) => userSpellings);
  return (facts) =>
    byNumber?.(facts) === true || facts.users.some((user) => addresses.some((matches) => matches.test(user)));
}

const addressTest = (pattern: string): RegExp =>
  new RegExp(
    `^${memberKey(pattern)
      .replace(/[.+^${}()|[\]\\?]/g, '\\$&')
      .replaceAll('*', '.*')}$`,
  );

const loggedInto = (
  groups: readonly string[],
  { users, userSpellings, membership }: Facts,
): readonly LoggedIn[] =>
  groups.flatMap((group) => {
    const members = membership.get(group);
    const names = new Set([...users, ...userSpellings.flatMap(({ spellings }) => spellings)]);
    const member = members === undefined ? undefined : [...names].find((name) => members.has(name));
    return member === undefined ? [] : [{ group, member }];
  });

const isSpecial = (kind: 'emergency' | 'feature-code', facts: Facts): boolean =>
  kind === 'feature-code'
    ? hasFeatureCode(facts)
    : facts.callee.spellings.some((spelling) => facts.emergency.includes(spelling));

const hasFeatureCode = ({ call }: Facts): boolean =>
  [call.description.caller, call.description.callee].some(({ number }) =>
    /[*#]/.test(plainNumber(number) ?? ''),
  );
