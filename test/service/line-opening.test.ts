import { expect, jest, test } from '@jest/globals';
import type { Alarm } from '../../src/alarm.ts';
import type { ArchiveLine } from '../../src/service/archive-line.ts';
import type { KeysAtHand } from '../../src/service/keys-at-hand.ts';
import { LineOpening } from '../../src/service/line-opening.ts';
import { openOutageWatch } from '../../src/service/outage-opening.ts';
import { StoreError } from '../../src/store/store-error.ts';

const opened = {} as Awaited<ReturnType<KeysAtHand['whenOpened']>>;
const keys = {
  missing: undefined,
  whenOpened: () => Promise.resolve(opened),
  whenMissing: () => new Promise<void>(() => undefined),
  lose: () => undefined,
} as unknown as KeysAtHand;
const archiveLine = { databaseAnswers: () => true, close: () => Promise.resolve() } as unknown as ArchiveLine;

test('what goes wrong once the start no longer waits is tried again, less and less often, and rings until it is mended', async () => {
  jest.useFakeTimers();
  const fault: { error: StoreError | undefined } = { error: new StoreError('UNAVAILABLE', 'away') };
  const tries: number[] = [];
  const line = new LineOpening({
    migrate: () => {
      tries.push(Date.now());
      return fault.error === undefined ? Promise.resolve() : Promise.reject(fault.error);
    },
    start: () => Promise.resolve(archiveLine),
    keys,
    log: () => undefined,
  });
  const begun = line.begin();
  await jest.advanceTimersByTimeAsync(8000);
  await begun;
  const ringing = new Set<string>();
  const closing: (() => unknown)[] = [];
  openOutageWatch({
    recorder: {
      spoolFull: false,
      withoutPortsSince: undefined,
      isDraining: false,
      state: () => Promise.resolve(true),
    },
    media: { running: 1, diskWait: () => Promise.resolve(0) },
    archive: line,
    ground: { journal: { writable: true }, keys: { missing: undefined }, lastAlive: undefined },
    sip: { connected: true },
    closing: { add: (_name, close) => closing.push(close) },
    bell: {
      raise: ({ code }: Alarm) => void ringing.add(code),
      clear: (code) => void ringing.delete(code),
    },
  });
  fault.error = new StoreError('DENIED', 'permission denied for table recordings');
  tries.length = 0;
  await jest.advanceTimersByTimeAsync(600_000);
  const pauses = tries.slice(1).map((at, n) => Math.round((at - (tries[n] ?? 0)) / 1000));
  expect(pauses.slice(0, 6)).toEqual([2, 4, 8, 16, 32, 60]);
  expect([line.line, [...ringing]]).toEqual([undefined, ['database-away']]);
  fault.error = undefined;
  await jest.advanceTimersByTimeAsync(62_000);
  expect([line.line, [...ringing]]).toEqual([archiveLine, []]);
  for (const close of closing) close();
  jest.useRealTimers();
});

test('what is no absence ends a start that still waits', async () => {
  const line = new LineOpening({
    migrate: () => Promise.reject(new StoreError('CORRUPT', 'no database')),
    start: () => Promise.resolve(archiveLine),
    keys,
    log: () => undefined,
  });
  await expect(line.begin()).rejects.toMatchObject({ code: 'CORRUPT' });
});
