import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Alarm } from '../../src/alarm.ts';
import { openSpoolWatch } from '../../src/service/spool-watch.ts';

let fullness = 0;
let raised: Alarm[] = [];
let cleared: (string | undefined)[] = [];
let watch: ReturnType<typeof openSpoolWatch> | undefined;

beforeEach(() => {
  raised = [];
  cleared = [];
});

afterEach(() => {
  watch?.close();
});

function open(start: number, whenFull: 'refuse' | 'record' = 'refuse'): (share: number) => void {
  fullness = start;
  const opened = openSpoolWatch({
    fullness: () => fullness,
    whenFull,
    bell: {
      raise: (alarm) => {
        raised.push(alarm);
      },
      clear: (_code, subject) => {
        cleared.push(subject);
      },
    },
  });
  watch = opened;
  return (share) => {
    fullness = share;
    opened.look();
  };
}

test('a filling disk is told at 80, 90 and 95 %, once each, the last as critical', () => {
  const fill = open(0.5);
  for (let percent = 50; percent <= 99; percent++) fill(percent / 100);
  expect(raised.map(({ severity, subject }) => [severity, subject])).toEqual([
    ['warning', '80'],
    ['warning', '90'],
    ['critical', '95'],
  ]);
  expect(cleared).toEqual([]);
  fill(0.85);
  expect(cleared).toEqual(['90', '95']);
});

test('it is over when the disk is clearly emptier, and does not flutter at a level', () => {
  const fill = open(0.81);
  fill(0.79);
  fill(0.81);
  expect(raised).toHaveLength(1);
  fill(0.77);
  expect(cleared).toEqual(['80']);
  fill(0.8);
  expect(raised).toHaveLength(2);
});

test('a disk that is full at the start is told at the start', () => {
  open(1);
  expect(raised.at(-1)).toMatchObject({ severity: 'critical', subject: '95' });
});

test.each([
  ['refuse', 'new calls will be refused'],
  ['record', 'audio of new calls will be lost'],
] as const)('says what happens when nothing fits: %s', (whenFull, words) => {
  open(0.96, whenFull);
  expect(raised[0]?.text).toContain(words);
});
