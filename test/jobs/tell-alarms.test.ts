import { afterEach, expect, test } from '@jest/globals';
import type { Notice } from '../../src/jobs/notice.ts';
import { AlarmTeller, type AlarmTellerDeps } from '../../src/jobs/tell-alarms.ts';
import { Alarms } from '../../src/service/alarms.ts';
import { eventually } from '../support/recorder-process.ts';

const AT = Date.parse('2026-11-24T08:00:00Z');
const FULL = {
  code: 'spool-filling',
  subject: '95',
  severity: 'critical',
  text: 'the disk is full',
} as const;
const KEYS = { code: 'keys-missing', severity: 'critical', text: 'the keys are gone' } as const;

let teller: AlarmTeller | undefined;

afterEach(async () => {
  await teller?.close();
});

/** Alarms that are told in mails kept here; the mail server refuses while `refusing`. */
function room(options: Partial<AlarmTellerDeps> = {}) {
  const state = { mails: [] as Notice[], tries: 0, refusing: false, now: AT };
  const alarms = new Alarms(
    () => undefined,
    () => state.now,
  );
  teller = new AlarmTeller({
    post: {
      send: (notice) => {
        state.tries++;
        if (state.refusing) return Promise.reject(new Error('no route to the mail server'));
        state.mails.push(notice);
        return Promise.resolve();
      },
    },
    ...{ language: 'en', recorder: 'fra1/rec01', now: () => state.now, log: () => undefined },
    ...{ gather: 20, pause: 0, ...options },
  });
  const told = teller;
  alarms.onChange((change) => {
    told.changed(change);
  });
  const mailed = (count: number) =>
    eventually(() => (state.mails.length >= count ? state.mails : undefined), 8000);
  return { alarms, state, mailed };
}

test('critical alarms that come together are one mail, and their end is another', async () => {
  const { alarms, state, mailed } = room();
  alarms.raise(KEYS);
  alarms.raise(FULL);
  alarms.raise({ code: 'leg-faulty', subject: 'pbx', severity: 'warning', text: 'a leg is silent' });
  const [first] = await mailed(1);
  expect(first?.subject).toBe('[Sealtape fra1/rec01] alarm keys-missing, spool-filling');
  expect(first?.text).toBe(
    [
      'Alarm keys-missing since 2026-11-24 08:00 UTC:\nthe keys are gone\n',
      'Alarm spool-filling (95) since 2026-11-24 08:00 UTC:\nthe disk is full\n',
      'What holds now: sealtape status\n\nfra1/rec01, 2026-11-24 08:00 UTC\n',
    ].join('\n'),
  );
  state.now += 600_000;
  alarms.clear('keys-missing');
  alarms.clear('leg-faulty', 'pbx');
  const [, second] = await mailed(2);
  expect(second?.subject).toBe('[Sealtape fra1/rec01] alarm over: keys-missing');
  expect(second?.text).toContain('Over: keys-missing, from 2026-11-24 08:00 UTC to 2026-11-24 08:10 UTC:');
  expect(second?.text).not.toContain('spool-filling');
});

test('what comes and goes within the pause is one more mail, in the language that was chosen', async () => {
  const { alarms, mailed } = room({ language: 'de', now: Date.now, pause: 400 });
  alarms.raise(KEYS);
  await mailed(1);
  for (let times = 0; times < 20; times++) {
    alarms.raise(FULL);
    alarms.clear(FULL.code, FULL.subject);
  }
  const mails = await mailed(2);
  expect(mails[1]?.subject).toBe('[Sealtape fra1/rec01] Alarm beendet: spool-filling');
  await teller?.close();
  expect(mails).toHaveLength(2);
});

test('a mail that could not be sent is sent later, with what happened meanwhile', async () => {
  const { alarms, state, mailed } = room();
  state.refusing = true;
  alarms.raise(KEYS);
  await eventually(() => (state.tries >= 2 ? true : undefined), 8000);
  alarms.clear('keys-missing');
  alarms.raise(FULL);
  state.refusing = false;
  const [mail] = await mailed(1);
  expect(mail?.text).toMatch(/^Alarm spool-filling[^]+Over: keys-missing/);
});

test('one that is no longer critical counts as over', async () => {
  const { alarms, mailed } = room();
  alarms.raise(KEYS);
  await mailed(1);
  alarms.raise({ ...KEYS, severity: 'warning', text: 'a copy of the keys is gone' });
  expect((await mailed(2))[1]?.subject).toContain('alarm over');
});

test('deliveries that fail have mails of their own, and a flood of alarms is no flood of lines', async () => {
  const { alarms, mailed } = room();
  alarms.raise({ code: 'destination-failing', subject: 'nas', severity: 'critical', text: 'nas is full' });
  for (let at = 0; at < 500; at++) alarms.raise({ ...FULL, subject: String(at) });
  const [mail] = await mailed(1);
  expect(mail?.text).not.toContain('nas');
  expect(mail?.text.match(/the disk is full/g)).toHaveLength(50);
});
