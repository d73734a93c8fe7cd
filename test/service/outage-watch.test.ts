import { beforeEach, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OutageEvent } from '../../src/recorder/events.ts';
import { outageCauses, type OutageParts } from '../../src/service/outage-causes.ts';
import { ROOT } from '../support/recorder-process.ts';
import { OutageWatch } from '../../src/service/outage-watch.ts';

let clock: number;
let stated: OutageEvent[];
let stopping: boolean;

beforeEach(() => {
  clock = 1_000_000;
  stated = [];
  stopping = false;
});

const watchOf = (causes: ConstructorParameters<typeof OutageWatch>[0]['causes']): OutageWatch =>
  new OutageWatch({
    causes,
    state: (event) => {
      stated.push(event);
      return Promise.resolve();
    },
    isStopping: () => stopping,
    now: () => clock,
    lastAlive: 900_000,
  });

test('an outage is stated when it begins, and again when it is over, once each', async () => {
  let out = 0;
  const watch = watchOf([{ cause: 'sip', after: 0, outFor: () => out }]);
  await watch.look();
  out = 5;
  for (let times = 0; times < 3; times += 1) await watch.look();
  clock += 7000;
  out = 0;
  for (let times = 0; times < 3; times += 1) await watch.look();
  expect(stated).toEqual([
    { type: 'outage', phase: 'begun', cause: 'sip', since: 999_995, at: 1_000_000 },
    { type: 'outage', phase: 'over', cause: 'sip', since: 999_995, at: 1_007_000 },
  ]);
});

test('what passes before it counts is not stated, and counts from its own beginning', async () => {
  let out = 1;
  const watch = watchOf([{ cause: 'database', after: 60_000, outFor: () => out }]);
  await watch.look();
  clock += 59_000;
  await watch.look();
  out = 0;
  await watch.look();
  expect(stated).toEqual([]);
  out = 1;
  await watch.look();
  clock += 61_000;
  await watch.look();
  expect(stated).toEqual([
    { type: 'outage', phase: 'begun', cause: 'database', since: 1_058_999, at: 1_120_000 },
  ]);
});

test('parts that end because the recorder stops are no outages; a part that cannot be asked is none either', async () => {
  const watch = watchOf([
    { cause: 'sip', after: 0, outFor: () => 1 },
    { cause: 'disk', after: 0, outFor: () => Promise.reject(new Error('thread gone')) },
  ]);
  stopping = true;
  await watch.look();
  expect(stated).toEqual([]);
});

test('a start says that what was open before ended with the process', () => {
  const watch = watchOf([]);
  watch.start();
  watch.close();
  expect(stated).toEqual([{ type: 'outage', phase: 'unfinished', at: 900_000 }]);
});

test('what is missing from the start is looked for at once', async () => {
  const watch = watchOf([{ cause: 'keys', after: 0, outFor: () => 500 }]);
  watch.start();
  watch.close();
  await new Promise(setImmediate);
  expect(stated).toMatchObject([{ phase: 'unfinished' }, { phase: 'begun', cause: 'keys' }]);
});

test('every part of the recorder that can fail is asked', async () => {
  const well = {
    full: false,
    writable: true,
    diskWait: 0,
    running: 2,
    connected: true,
    answers: true,
    keys: true,
    ports: true,
  };
  const state = { ...well };
  const parts: OutageParts = {
    recorder: {
      get withoutPortsSince() {
        return state.ports ? undefined : 1_000_000;
      },
      get spoolFull() {
        return state.full;
      },
    },
    media: {
      get running() {
        return state.running;
      },
      diskWait: () => Promise.resolve(state.diskWait),
    },
    archive: { databaseAnswers: () => state.answers },
    ground: {
      lastAlive: 900_000,
      get keys() {
        return { missing: state.keys ? undefined : { since: 1_000_000 } };
      },
      journal: {
        get writable() {
          return state.writable;
        },
      },
    },
    sip: {
      get connected() {
        return state.connected;
      },
    },
  };
  const causes = outageCauses(parts);
  const out = async (): Promise<readonly string[]> => {
    const found: string[] = [];
    for (const { cause, outFor } of causes) if ((await outFor()) > 0) found.push(cause);
    return found;
  };
  expect(await out()).toEqual([]);
  Object.assign(state, { full: true, writable: false, diskWait: 4000, running: 1 });
  Object.assign(state, { connected: false, answers: false, keys: false, ports: false });
  const all = ['spool-full', 'ports', 'journal', 'disk', 'media', 'sip', 'database', 'keys'];
  expect(await out()).toEqual(all);
  // Each by itself, and with the word that the specification has for it.
  const words = readFileSync(join(ROOT, 'docs/evidence-format.md'), 'utf8');
  for (const [cause, ill] of [
    ['spool-full', { full: true }],
    ['ports', { ports: false }],
    ['journal', { writable: false }],
    ['disk', { diskWait: 1 }],
    ['media', { running: 1 }],
    ['sip', { connected: false }],
    ['database', { answers: false }],
    ['keys', { keys: false }],
  ] as const) {
    Object.assign(state, well, ill);
    expect(await out()).toEqual([cause]);
    expect(words).toContain(`\`${cause}\``);
  }
});
