import { expect, test } from '@jest/globals';
import { TroubledLegs } from '../../src/media/troubled-legs.ts';

const leg = (line: number, role: string, unwritten?: number) => ({
  line,
  role,
  ...(unwritten !== undefined && { unwritten }),
});

test('legs that lost audio are known with their cause and the time of the last loss; those that lost none are not', () => {
  const troubled = new TroubledLegs();
  const dropped = (line: number): number | undefined => (line === 1 ? 4 : undefined);
  troubled.take('rec', [leg(0, 'caller', 3), leg(1, 'callee'), leg(2, 'extra')], dropped, 1000);
  // Looked at again, nothing new.
  troubled.take('rec', [leg(0, 'caller', 3), leg(1, 'callee')], dropped, 2000);
  expect(troubled.list).toEqual([
    { leg: 'rec caller', cause: 'unwritten', packets: 3, at: 1000 },
    { leg: 'rec callee', cause: 'dropped', packets: 4, at: 1000 },
  ]);
  troubled.take('rec', [leg(0, 'caller', 5), leg(2, 'extra', 1)], () => 0, 3000);
  expect(troubled.list.slice(1)).toEqual([
    { leg: 'rec caller', cause: 'unwritten', packets: 5, at: 3000 },
    { leg: 'rec line 2', cause: 'unwritten', packets: 1, at: 3000 },
  ]);
});

test('of each cause the last ten are kept', () => {
  const troubled = new TroubledLegs();
  for (let call = 0; call < 1000; call += 1)
    troubled.take(`rec${call}`, [leg(0, 'mixed', 1)], () => (call < 5 ? 1 : 0), call);
  const of = (cause: string): readonly string[] =>
    troubled.list.filter((each) => each.cause === cause).map((each) => each.leg);
  expect(of('unwritten')).toEqual(Array.from({ length: 10 }, (_none, at) => `rec${990 + at} mixed`));
  expect(of('dropped')).toHaveLength(5);
});
