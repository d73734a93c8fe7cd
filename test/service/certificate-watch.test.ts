import { expect, jest, test } from '@jest/globals';
import { CurrentSigner } from '../../src/evidence/current-signer.ts';
import { readCertificate } from '../../src/evidence/signature.ts';
import { Alarms } from '../../src/service/alarms.ts';
import { openCertificateWatch } from '../../src/service/keys.ts';
import { freshSigner } from '../support/evidence-signer.ts';

const DAY = 86_400_000;
const signer = new CurrentSigner(freshSigner());
const ends = Date.parse(readCertificate(signer.certificatePem).validTo);
const day = new Date(ends).toISOString().slice(0, 10);

/** What rings so many milliseconds before the certificate ends. */
function alarmsAt(left: number, alarms = new Alarms(() => undefined)) {
  const closing: (() => unknown)[] = [];
  const config = { evidence: { keys: { warnDays: 60 }, checkpointSeconds: 300, timestamps: [] } };
  openCertificateWatch(config as unknown as Parameters<typeof openCertificateWatch>[0], {
    keys: { opened: { keys: { signer } } },
    bell: alarms,
    closing: { add: (_name, close) => closing.push(close) },
    now: () => ends - left,
  });
  for (const close of closing) close();
  return alarms.active;
}

test('a certificate rings from sixty days before its end, and is critical behind it', () => {
  expect(alarmsAt(60 * DAY)).toEqual([]);
  expect(alarmsAt(60 * DAY - 1)).toMatchObject([
    {
      code: 'certificate-expiring',
      severity: 'warning',
      text: expect.stringMatching(new RegExp(`ends on ${day}; roll the key with .sealtape keys roll.`)),
      fields: { days: 59 },
    },
  ]);
  expect(alarmsAt(1)).toMatchObject([{ severity: 'warning', fields: { days: 0 } }]);
  expect(alarmsAt(-1)).toMatchObject([
    { severity: 'critical', text: expect.stringContaining(`ended on ${day}`), fields: { days: -1 } },
  ]);
});

test('the alarm is over when another certificate is in use', () => {
  const alarms = new Alarms(() => undefined);
  expect(alarmsAt(DAY, alarms)).toHaveLength(1);
  expect(alarmsAt(1000 * DAY, alarms)).toEqual([]);
});

test('keys that were lost are watched as those that came back', () => {
  jest.useFakeTimers();
  const alarms = new Alarms(() => undefined);
  const keys: { opened: { keys: { signer: CurrentSigner } } | undefined } = { opened: undefined };
  const config = { evidence: { keys: { warnDays: 60 }, checkpointSeconds: 300, timestamps: [] } };
  const closing: (() => unknown)[] = [];
  openCertificateWatch(config as unknown as Parameters<typeof openCertificateWatch>[0], {
    keys,
    bell: alarms,
    closing: { add: (_name, close) => closing.push(close) },
  });
  const rings = (opened: typeof keys.opened): boolean => {
    keys.opened = opened;
    jest.advanceTimersByTime(10_000);
    return alarms.active.length > 0;
  };
  const ending = { keys: { signer } };
  const good = { keys: { signer: new CurrentSigner(freshSigner(3650)) } };
  // Missing at the start, back, missing while they run, reset, and an old backup put back.
  expect([undefined, ending, undefined, good, ending].map(rings)).toEqual([false, true, true, false, true]);
  for (const close of closing) close();
  jest.useRealTimers();
});
