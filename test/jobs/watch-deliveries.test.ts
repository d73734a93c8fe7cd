import { describe, expect, test } from '@jest/globals';
import type { Alarm } from '../../src/alarm.ts';
import type { Notice } from '../../src/jobs/notice.ts';
import type { DeliveryStanding, DeliveryTrouble } from '../../src/jobs/delivery-standing.ts';
import { watchDeliveries, type DeliveryWatchDeps } from '../../src/jobs/watch-deliveries.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOON = Date.parse('2026-11-23T12:00:00Z');

/** A recorder whose deliveries, clock and mail server a test sets as it likes. */
class Room {
  standings: DeliveryStanding[] = [];
  delivered = 0;
  now = NOON;
  mailWorks = true;
  readonly mails: Notice[] = [];
  readonly alarms = new Map<string, Alarm>();
  readonly troubles = new Map<string, DeliveryTrouble>();

  async look(language: 'en' | 'de' = 'en', post = true): Promise<void> {
    const deps: DeliveryWatchDeps = {
      store: {
        standings: () => Promise.resolve(this.standings),
        troubles: () => Promise.resolve([...this.troubles.values()]),
        putTrouble: (trouble) => Promise.resolve(void this.troubles.set(trouble.destination, trouble)),
        dropTrouble: (destination) => Promise.resolve(void this.troubles.delete(destination)),
        deliveredSince: () => Promise.resolve(this.delivered),
        askAnew: () => Promise.resolve(1),
      },
      post: post ? { send: (notice) => this.#send(notice) } : undefined,
      language,
      recorder: 'fra1/rec01',
      bell: {
        raise: (alarm) => void this.alarms.set(`${alarm.code} ${alarm.subject ?? ''}`.trim(), alarm),
        clear: (code, subject) => void this.alarms.delete(`${code} ${subject ?? ''}`.trim()),
      },
      now: () => this.now,
      log: () => undefined,
    };
    await watchDeliveries(deps);
  }

  #send(notice: Notice): Promise<void> {
    if (!this.mailWorks) return Promise.reject(new Error('connection refused'));
    this.mails.push(notice);
    return Promise.resolve();
  }
}

const failing = (destination: string, more: Partial<DeliveryStanding> = {}): DeliveryStanding => ({
  destination,
  waiting: 2,
  failed: 1,
  permanent: 0,
  lastError: 'UNREACHABLE: no route to host',
  ...more,
});

describe('a destination that fails', () => {
  test('is told once, then once a day, and once when it is over, with the number delivered', async () => {
    const room = new Room();
    room.standings = [failing('nas')];
    await room.look();
    for (let minute = 0; minute < 120; minute++) {
      room.now += 60_000;
      room.standings = [failing('nas', { failed: minute })];
      await room.look();
    }
    expect(room.mails.map(({ subject }) => subject)).toEqual([
      '[Sealtape fra1/rec01] archive nas does not take recordings',
    ]);
    expect(room.alarms.get('destination-failing nas')).toMatchObject({ severity: 'warning' });
    room.now = NOON + DAY;
    room.standings = [failing('nas', { failed: 118, waiting: 3 })];
    await room.look();
    expect(room.mails[1]?.subject).toMatch(/archive nas still does not take recordings/);
    expect(room.mails[1]?.text).toContain(
      'has not taken all recordings since 2026-11-23 12:00 UTC.\nNot delivered: 121.',
    );
    room.now += HOUR;
    room.standings = [];
    room.delivered = 121;
    await room.look();
    await room.look();
    expect(room.mails).toHaveLength(3);
    expect(room.mails[2]?.text).toContain(
      'works again. Recordings delivered since 2026-11-23 12:00 UTC: 121.',
    );
    expect(room.alarms.size).toBe(0);
    expect(room.troubles.size).toBe(0);
  });

  test('is told together with others in one mail', async () => {
    const room = new Room();
    room.standings = [failing('nas'), failing('cloud', { permanent: 1, lastError: 'DENIED: bad password' })];
    await room.look();
    expect(room.mails).toHaveLength(1);
    expect(room.mails[0]?.subject).toContain('nas, cloud');
    expect(room.mails[0]?.text).toContain('Of these, 1 needs a person');
    expect(room.alarms.get('destination-failing cloud')).toMatchObject({ severity: 'critical' });
  });

  test('is told again when the mail could not be sent, and mail that fails is an alarm of its own', async () => {
    const room = new Room();
    room.standings = [failing('nas')];
    room.mailWorks = false;
    await room.look();
    expect(room.alarms.get('mail-failing')?.fields).toEqual({ error: 'connection refused' });
    room.mailWorks = true;
    await room.look();
    expect(room.mails).toHaveLength(1);
    expect([...room.alarms.keys()]).toEqual(['destination-failing nas']);
  });

  test('is not over because somebody asked for its deliveries anew', async () => {
    const room = new Room();
    room.standings = [failing('nas')];
    await room.look();
    room.standings = [failing('nas', { failed: 0, waiting: 3 })];
    await room.look();
    expect(room.mails).toHaveLength(1);
    expect(room.alarms.has('destination-failing nas')).toBe(true);
    room.delivered = 1;
    await room.look();
    expect(room.mails).toHaveLength(2);
  });

  test('without mail is an alarm, and its end ends it', async () => {
    const room = new Room();
    room.standings = [failing('nas')];
    await room.look('en', false);
    expect(room.alarms.size).toBe(1);
    room.standings = [];
    await room.look('en', false);
    expect(room.alarms.size).toBe(0);
  });

  test('is over when all has arrived that was there when it took something again, and not before', async () => {
    const room = new Room();
    room.standings = [failing('nas')];
    await room.look();
    room.now += HOUR;
    room.delivered = 5;
    const waiting = (count: number, oldestSince: number): void => {
      room.standings = [{ destination: 'nas', waiting: count, failed: 0, permanent: 0, oldestSince }];
    };
    waiting(195, NOON + 60_000);
    await room.look();
    // Nothing is wrong any more, but the mail with the count is still to come.
    expect([room.mails.length, room.alarms.size, room.troubles.size]).toEqual([1, 0, 1]);
    room.now += 60_000;
    room.delivered = 200;
    waiting(3, NOON + HOUR + 30_000);
    await room.look();
    await room.look();
    expect(room.mails).toHaveLength(2);
    expect(room.mails[1]?.text).toContain('Recordings delivered since 2026-11-23 12:00 UTC: 200.');
    expect(room.troubles.size).toBe(0);
  });

  test('and fails again while it recovers is one trouble, told once', async () => {
    const room = new Room();
    room.standings = [failing('nas')];
    await room.look();
    room.delivered = 5;
    room.standings = [{ destination: 'nas', waiting: 9, failed: 0, permanent: 0, oldestSince: NOON }];
    await room.look();
    expect(room.troubles.get('nas')).toMatchObject({ recoveringSince: NOON });
    room.standings = [failing('nas')];
    await room.look();
    expect(room.troubles.get('nas')).toEqual({ destination: 'nas', since: NOON, toldAt: NOON });
    expect(room.mails).toHaveLength(1);
  });

  test('is told in German where that is wanted', async () => {
    const room = new Room();
    room.standings = [failing('nas', { permanent: 1 })];
    await room.look('de');
    expect(room.mails[0]?.subject).toBe('[Sealtape fra1/rec01] Archiv nas nimmt keine Aufnahmen an');
    expect(room.mails[0]?.text).toContain('Nicht zugestellt: 3.');
  });

  test.each([
    [
      'en',
      'DIFFERENT: /mnt/a/x.wav is there',
      'Cause of the last failure: another file has the name of a recording (DIFFERENT).',
    ],
    [
      'de',
      'UNREACHABLE: x',
      'Grund des letzten Fehlers: Es ist nicht erreichbar oder antwortet nicht (UNREACHABLE).',
    ],
    ['en', 'NEW_CODE: x', 'Cause of the last failure: NEW_CODE.'],
  ] as const)('is told in %s why: %s', async (language, lastError, expected) => {
    const room = new Room();
    room.standings = [failing('nas', { lastError })];
    await room.look(language);
    expect(room.mails[0]?.text).toContain(expected);
  });

  test.each([
    'DIFFERENT: /mnt/a/20261123T184530.123Z_in_+49301234567_+4989555010_0193f0c2.wav is there',
    'UNREACHABLE: /mnt/a/Erika-Mustermann/+49301234567: Error: EIO: i/o error, mkdir',
    'NT_STATUS_ACCESS_DENIED making remote directory \\+49301234567',
  ])('is told without whatever an error says of files and folders: %s', async (lastError) => {
    const room = new Room();
    room.standings = [failing('nas', { lastError })];
    await room.look();
    expect(room.mails[0]?.text).not.toMatch(/301234567|Erika|mnt/);
  });
});
