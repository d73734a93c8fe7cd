import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AgeList } from '../../src/sip-server/age-list.ts';

test('has the oldest at hand, whoever goes', () => {
  const step = fc.record({ comes: fc.boolean(), member: fc.nat(12) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const list = new AgeList<number>();
      let model: number[] = [];
      for (const { comes, member } of steps) {
        if (comes) {
          list.add(member);
          if (!model.includes(member)) model.push(member);
        } else {
          list.remove(member);
          model = model.filter((each) => each !== member);
        }
        expect([list.size, list.oldest]).toEqual([model.length, model[0]]);
      }
      while (list.oldest !== undefined) {
        expect(list.oldest).toBe(model.shift());
        list.remove(list.oldest);
      }
      expect([list.size, model]).toEqual([0, []]);
      list.add(1);
      list.clear();
      expect([list.size, list.oldest]).toEqual([0, undefined]);
    }),
  );
});
