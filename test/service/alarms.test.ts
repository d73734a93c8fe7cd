import { expect, test } from '@jest/globals';
import { Alarms, type AlarmChange } from '../../src/service/alarms.ts';

function listen(): { alarms: Alarms; lines: string[]; changes: AlarmChange[] } {
  const lines: string[] = [];
  const changes: AlarmChange[] = [];
  const alarms = new Alarms(
    (level, message) => lines.push(`${level} ${message}`),
    () => 1000 + lines.length,
  );
  alarms.onChange((change) => changes.push(change));
  return { alarms, lines, changes };
}

const FULL = { code: 'spool-nearly-full', severity: 'warning', text: 'the spool is 80 % full' } as const;

test('an alarm is told once, however often it is raised, and keeps its beginning and its newest text', () => {
  const { alarms, lines, changes } = listen();
  alarms.raise(FULL);
  alarms.raise({ ...FULL, text: 'the spool is 81 % full' });
  expect(lines).toEqual(['warn alarm: the spool is 80 % full']);
  expect(changes).toHaveLength(1);
  expect(alarms.active).toEqual([{ ...FULL, text: 'the spool is 81 % full', since: 1000 }]);
});

test('one that grows worse is told again', () => {
  const { alarms, lines } = listen();
  alarms.raise(FULL);
  alarms.raise({ ...FULL, severity: 'critical', text: 'the spool is 95 % full' });
  expect(lines).toEqual(['warn alarm: the spool is 80 % full', 'error alarm: the spool is 95 % full']);
});

test('its end is told once; the same condition of another subject goes on', () => {
  const { alarms, changes } = listen();
  const away = { code: 'destination-away', severity: 'warning', text: 'no answer' } as const;
  alarms.raise({ ...away, subject: 'nas' });
  alarms.raise({ ...away, subject: 'cloud' });
  alarms.clear('destination-away', 'nas');
  alarms.clear('destination-away', 'nas');
  expect(changes.map(({ alarm, active }) => [alarm.subject, active])).toEqual([
    ['nas', true],
    ['cloud', true],
    ['nas', false],
  ]);
  expect(alarms.active.map(({ subject }) => subject)).toEqual(['cloud']);
});

test('a flood of conditions fills no memory, and keeps no other condition from being told', () => {
  const { alarms, lines } = listen();
  for (let subject = 0; subject < 2000; subject++) alarms.raise({ ...FULL, subject: String(subject) });
  expect(alarms.active).toHaveLength(1000);
  alarms.raise({ code: 'keys-missing', severity: 'critical', text: 'the keys are gone' });
  expect(lines.at(-1)).toBe('error alarm: the keys are gone');
  expect(alarms.active).toHaveLength(1001);
});
