import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DueList } from '../../src/media/due-list.ts';

test('visits those that are due and no others, whoever comes and goes', () => {
  const event = fc.record({
    kind: fc.constantFrom('add', 'remove', 'visit'),
    member: fc.nat(200),
    wait: fc.nat(50),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 400 }), (events) => {
      const list = new DueList<number>();
      const model = new Map<number, number>();
      let now = 0;
      for (const { kind, member, wait } of events) {
        if (kind === 'add' && !model.has(member)) {
          list.add(member, now + wait);
          model.set(member, now + wait);
        } else if (kind === 'remove') {
          list.remove(member);
          model.delete(member);
        } else if (kind === 'visit') {
          now += wait;
          const due = [...model].filter(([, at]) => at <= now).map(([each]) => each);
          const visited: number[] = [];
          list.visit(now, (each) => {
            visited.push(each);
            return now + 10;
          });
          expect(visited.toSorted((a, b) => a - b)).toEqual(due.toSorted((a, b) => a - b));
          for (const each of due) model.set(each, now + 10);
        }
      }
    }),
  );
});

test('a member may go while it is visited', () => {
  const list = new DueList<string>();
  for (const name of ['a', 'b', 'c']) list.add(name, 0);
  const visited: string[] = [];
  list.visit(0, (name) => {
    visited.push(name);
    if (name === 'b') list.remove('b');
    return name === 'b' ? 0 : 100;
  });
  expect(visited.toSorted()).toEqual(['a', 'b', 'c']);
  list.visit(50, (name) => {
    visited.push(`again ${name}`);
    return 100;
  });
  expect(visited).toHaveLength(3);
});
