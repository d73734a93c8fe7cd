import { expect, test } from '@jest/globals';
import type { MembershipEvent, RulesEvent } from '../../src/recorder/events.ts';
import { Policy, type PolicyState } from '../../src/recorder/policy.ts';
import { RuleSet } from '../../src/rules/rule-set.ts';
import { aDescription } from '../support/recorder-fakes.ts';

class Room {
  stored: PolicyState | undefined;
  readonly events: (RulesEvent | MembershipEvent)[] = [];
  now = 1000;
  failing = false;
  journalRefuses = false;

  open(configured?: RuleSet): Promise<Policy> {
    return Policy.open({
      file: {
        load: () => Promise.resolve(this.stored),
        save: (state) => {
          if (this.failing) return Promise.reject(new Error('disk full'));
          this.stored = JSON.parse(JSON.stringify(state)) as PolicyState;
          return Promise.resolve();
        },
      },
      state: (event) => {
        this.events.push(event);
        return Promise.resolve(!this.journalRefuses);
      },
      now: () => this.now,
      timeZone: 'UTC',
      configured,
    });
  }
}

const REFUSE = RuleSet.parse({ default: 'refuse' });
const SALES = RuleSet.parse({
  default: 'refuse',
  rules: [{ id: 'sales', when: { group: ['sales'] }, record: true }],
});
const call = { description: aDescription(), trunk: 'test', at: 0 };

test('a change holds for the next call, is a new version, and is stated with hashes and actor', async () => {
  const room = new Room();
  const policy = await room.open();
  expect(policy.decide(call)).toMatchObject({ record: true, rule: 'default', version: 0 });
  expect(await policy.replaceRules(REFUSE, 'anna')).toBe(1);
  expect(policy.decide(call)).toMatchObject({ record: false, version: 1 });
  expect(await policy.replaceRules(REFUSE, 'anna')).toBe(1);
  expect(room.events).toMatchObject([{ type: 'rules', version: 1, source: 'api', actor: 'anna' }]);
  expect(await policy.replaceRules(SALES, 'bert')).toBe(2);
  const [first, second] = room.events as [RulesEvent, RulesEvent];
  expect(second.hashBefore).toBe(first.hashAfter);
});

test('what cannot be written down does not hold', async () => {
  const room = new Room();
  const policy = await room.open();
  room.failing = true;
  await expect(policy.replaceRules(REFUSE, 'anna')).rejects.toThrow('disk full');
  expect(policy.decide(call)).toMatchObject({ record: true, version: 0 });
  expect(room.events).toEqual([]);
});

test('rules of the configuration file are a version of their own, and only the file changes them', async () => {
  const room = new Room();
  await room.open(REFUSE);
  const again = await room.open(REFUSE);
  expect(again.rules).toMatchObject({ version: 1, source: 'file' });
  await expect(again.replaceRules(SALES, 'anna')).rejects.toMatchObject({ code: 'FIXED' });
  expect((await room.open(SALES)).rules.version).toBe(2);
  const without = await room.open();
  expect(without.rules).toMatchObject({ version: 3, source: 'api' });
  expect(without.decide(call).record).toBe(true);
});

test('members log in and out; it is remembered over a restart', async () => {
  const room = new Room();
  const policy = await room.open(SALES);
  const change = (what: MembershipEvent['change'], member = '+49 89 555020') =>
    policy.changeMembership('sales', member, { change: what, actor: 'anna' });
  await expect(change('logged-in')).rejects.toMatchObject({ code: 'NO_MEMBER' });
  expect(await change('added')).toBe(true);
  expect(policy.decide(call).record).toBe(false);
  room.now = 2000;
  expect(await change('logged-in')).toBe(true);
  expect(await change('logged-in', 'tel:+4989555020')).toBe(false);
  const restarted = await room.open(SALES);
  expect(restarted.decide(call)).toMatchObject({
    record: true,
    loggedIn: [{ group: 'sales', member: '+4989555020' }],
  });
  expect(await restarted.toggle('sales', '+4989555020', 'phone')).toBe('logged-out');
  expect(await restarted.toggle('sales', '+4989555020', 'phone')).toBe('logged-in');
  await restarted.changeMembership('sales', '+4989555020', { change: 'removed', actor: 'anna' });
  expect(room.events.flatMap((event) => (event.type === 'membership' ? [event.change] : []))).toEqual([
    'added',
    'logged-in',
    'logged-out',
    'logged-in',
    'logged-out',
    'removed',
  ]);
});

test('what the journal refused is stated by the next start, with whoever it was; what it took is not', async () => {
  const room = new Room();
  const policy = await room.open();
  await policy.replaceRules(REFUSE, 'anna');
  expect(room.stored?.unstated ?? []).toEqual([]);
  room.journalRefuses = true;
  await policy.replaceRules(SALES, 'bert');
  await policy.changeMembership('sales', '20', { change: 'added', actor: 'carl' });
  const [, second, third] = room.events.splice(0);
  expect([second, third]).toMatchObject([{ actor: 'bert' }, { actor: 'carl' }]);

  room.journalRefuses = false;
  const restarted = await room.open();
  expect(restarted.rules.version).toBe(2);
  expect(room.events.splice(0)).toEqual([second, third]);
  await room.open();
  expect(room.events).toEqual([]);
});
