import { expect, test } from '@jest/globals';
import { ClockWatch } from '../../src/jobs/clock-watch.ts';

const START = Date.parse('2026-11-23T12:00:00.000Z');

test.each<readonly [string, readonly [wall: number, uptime: number], string, unknown[]]>([
  ['an even clock', [5000, 5000], 'synced +0.1ms', []],
  ['a clock that is slewed', [5240, 5000], 'synced +0.1ms', []],
  ['a step forward', [8605, 5000], 'synced +0.1ms', [['step', '+3605']]],
  ['a step back', [-3_595_000, 5000], 'synced +0.1ms', [['step', '-3600000']]],
  ['discipline lost', [5000, 5000], 'unsynced', [['sync-lost', '+0']]],
  [
    'both',
    [6000, 5000],
    'unsynced',
    [
      ['step', '+1000'],
      ['sync-lost', '+0'],
    ],
  ],
])('%s is stated as it is, once', (_, [wall, uptime], clock, expected) => {
  let reading = { time: new Date(START).toISOString(), mono: '7f3a9c21:1000', clock: 'synced +0.4ms' };
  const watch = new ClockWatch(() => reading);
  reading = { time: new Date(START + wall).toISOString(), mono: `7f3a9c21:${1000 + uptime}`, clock };
  expect(watch.look().map(({ event, stepMs }) => [event, stepMs])).toEqual(expected);
  expect(watch.look()).toEqual([]);
});
