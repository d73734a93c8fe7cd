import { describe, expect, test } from '@jest/globals';
import {
  endOfDay,
  isDay,
  isPast,
  laterOf,
  retainUntil,
  retentionProfiles,
} from '../../src/rules/retention.ts';

const at = (time: string): number => Date.parse(time);
const builtIn = retentionProfiles({});
const until = (profile: string, time: string, zone = 'UTC'): string | undefined =>
  retainUntil(builtIn.get(profile) ?? {}, at(time), zone);

describe('the last day to keep a recording', () => {
  test.each([
    ['wphg-5y', '2026-11-23T19:45:30Z', '2031-11-23'],
    ['wphg-7y', '2026-11-23T19:45:30Z', '2033-11-23'],
    ['mifid-5y', '2026-01-01T00:00:00Z', '2031-01-01'],
    ['finvermv-10y', '2026-01-01T00:00:00Z', '2036-12-31'],
    ['finvermv-10y', '2026-12-31T23:59:59Z', '2036-12-31'],
    ['en50518', '2026-11-30T12:00:00Z', '2027-02-28'],
  ])('%s of a recording made at %s is %s', (profile, time, day) => {
    expect(until(profile, time)).toBe(day);
  });

  test('a leap day has its anniversary on the last of February (BGB § 188 (3))', () => {
    expect(until('wphg-5y', '2028-02-29T12:00:00Z')).toBe('2033-02-28');
    expect(retainUntil({ years: 4 }, at('2028-02-29T12:00:00Z'), 'UTC')).toBe('2032-02-29');
  });

  test("counts from the day in the installation's zone, not in UTC", () => {
    expect(until('wphg-5y', '2026-12-31T23:30:00Z', 'Europe/Berlin')).toBe('2032-01-01');
    expect(until('finvermv-10y', '2026-12-31T23:30:00Z', 'Europe/Berlin')).toBe('2037-12-31');
  });

  test('can be counted in days, and has none without a length', () => {
    expect(retainUntil({ days: 90 }, at('2026-12-01T08:00:00Z'), 'UTC')).toBe('2027-03-01');
    expect(retainUntil({}, at('2026-12-01T08:00:00Z'), 'UTC')).toBeUndefined();
  });

  test('own profiles join those of the product, and replace one of the same name', () => {
    const profiles = retentionProfiles({ en50518: { months: 6 }, short: { days: 7 } });
    expect(profiles.get('en50518')).toEqual({ months: 6 });
    expect(profiles.get('short')).toEqual({ days: 7 });
    expect(profiles.get('wphg-5y')).toEqual({ years: 5 });
  });
});

test('is kept through its last day, also in zones west of Greenwich', () => {
  expect(isPast('2031-11-23', at('2031-11-23T23:59:59.999Z'), 'UTC')).toBe(false);
  expect(isPast('2031-11-23', at('2031-11-24T00:00:00Z'), 'UTC')).toBe(true);
  expect(isPast('2031-11-23', at('2031-11-24T04:59:59Z'), 'America/New_York')).toBe(false);
  expect(isPast('2031-11-23', at('2031-11-24T05:00:00Z'), 'America/New_York')).toBe(true);
});

test('a lock of an archive ends when the day has passed everywhere', () => {
  const lock = endOfDay('2031-11-23').getTime();
  for (const zone of ['Pacific/Kiritimati', 'UTC', 'Europe/Berlin', 'Etc/GMT+12'])
    expect(isPast('2031-11-23', lock, zone)).toBe(true);
});

test('of two last days the later holds, and for ever is the latest', () => {
  expect(laterOf('2031-11-23', '2033-11-23')).toBe('2033-11-23');
  expect(laterOf('2033-11-23', '2031-11-23')).toBe('2033-11-23');
  expect(laterOf('2031-11-23', undefined)).toBeUndefined();
});

test.each([
  ['2028-02-29', true],
  ['2027-02-29', false],
  ['2027-2-9', false],
  ['tomorrow', false],
])('%s is a day: %s', (text, is) => {
  expect(isDay(text)).toBe(is);
});
