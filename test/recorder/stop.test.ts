import { beforeEach, describe, expect, test } from '@jest/globals';
import type { CapturedFile } from '../../src/media/capture.ts';
import type { RecordingCall } from '../../src/recorder/call.ts';
import { Recorder } from '../../src/recorder/recorder.ts';
import { StopKeys } from '../../src/recorder/stop-keys.ts';
import { RECORD_ALL } from '../../src/rules/decision.ts';
import type { CallDescription } from '../../src/siprec/description.ts';
import { DISCARD_PORT } from '../../src/siprec/answer.ts';
import {
  aCall,
  aDescription,
  anOffer,
  FakeFolders,
  FakeJournal,
  FakeMedia,
} from '../support/recorder-fakes.ts';

const aFile: CapturedFile = {
  path: '/spool/x/audio.wav.part',
  suffix: '',
  codec: 'PCMA',
  channelLines: [0, 1],
  channelRoles: ['caller', 'callee'],
  samples: 8000,
  bytes: 16_058,
  audioSha256: 'ab'.repeat(32),
  audioOffset: 58,
};

let media: FakeMedia;
let journal: FakeJournal;
let clock: number;
let recorder: Recorder;

beforeEach(() => {
  media = new FakeMedia();
  media.result = { files: [aFile], legs: [] };
  journal = new FakeJournal();
  clock = 5000;
  recorder = withKeys('*1', false);
});

const withKeys = (sequence: string, keep: boolean, tones = false): Recorder =>
  new Recorder({
    media,
    journal,
    folders: new FakeFolders(),
    now: () => clock,
    keys: { sequence, keep, tones },
    log: () => undefined,
    minFreeBytes: 0,
  });

/** A call whose recorded user is the callee, on line 1. */
const accept = (mayStop: boolean, change: Partial<CallDescription> = {}): Promise<RecordingCall> =>
  recorder.accept(
    aCall({
      description: aDescription({ direction: 'in', ...change }),
      decision: { ...RECORD_ALL, rule: 'sales', mayStop },
    }),
  );

const dial = ({ id }: RecordingCall, keys: string, line = 1): void => {
  for (const key of keys) media.press(id, { key, at: (clock += 400), line });
};

/** What was stated, with details of notes. */
const said = (): string[] =>
  journal.events.map((event) =>
    event.type === 'noted' ? `${event.step}: ${event.detail ?? ''}` : event.type,
  );

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise(setImmediate);
};

describe('a recorded user who dials the sequence', () => {
  test('ends the recording where the first key was pressed, whose name and time are kept', async () => {
    const call = await accept(true);
    dial(call, '*1');
    await until(() => said().includes('ended'));
    expect(media.cuts).toEqual([[call.id, 5400]]);
    expect(journal.events.at(-1)).toMatchObject({
      type: 'ended',
      reason: 'stopped',
      status: 'complete',
      capture: { stopped: { at: 5400, how: 'keys', actor: 'user +4989555020' } },
    });
    expect(recorder.running()).toEqual([]);
  });

  test('keeps the dialog, which is answered as inactive from then on, and ends without a second end', async () => {
    const call = await accept(true);
    dial(call, '*1');
    await until(() => said().includes('ended'));
    const three = anOffer(['sendonly', 'sendonly', 'sendonly']);
    expect([...(await call.reoffer(three, aDescription())).values()]).toEqual([
      DISCARD_PORT,
      DISCARD_PORT,
      DISCARD_PORT,
    ]);
    clock += 60_000;
    expect(await call.silentFor()).toBeGreaterThanOrEqual(60_000);
    await call.end('bye');
    expect(said()).toEqual(['opened', 'stopping', 'ended', 'call over: bye']);
    // Before its files are cut: a crash in between brings nothing back.
    expect(journal.events[1]).toMatchObject({ stopped: { at: 5400, how: 'keys' } });
    expect(media.closed).toEqual([call.id]);
    expect(media.changed).toEqual([]);
  });

  test('changes nothing where the rule does not allow it, and the log says who tried', async () => {
    const call = await accept(false);
    dial(call, '*1');
    await call.end('bye');
    expect(media.cuts).toEqual([]);
    expect(said()).toEqual(['opened', 'stop refused: user +4989555020: sales does not allow it', 'ended']);
    expect(journal.events.at(-1)).toMatchObject({ reason: 'bye' });
  });

  test('is not the other side, whose keys stop nothing', async () => {
    const call = await accept(true);
    dial(call, '*1', 0);
    await call.end('bye');
    expect(media.cuts).toEqual([]);
    expect(said()[1]).toBe('stop refused: +4930555010 is not the recorded user');
  });

  test('may be told by SIP INFO, key by key', async () => {
    const call = await accept(true, {
      user: { value: '4711', source: 'metadata', confidence: 'high', rule: '5.3' },
    });
    call.pressed('*');
    clock += 500;
    call.pressed('1');
    await until(() => said().includes('ended'));
    expect(media.cuts).toEqual([[call.id, 5000]]);
    expect(journal.events.at(-1)).toMatchObject({
      capture: { stopped: { how: 'info', actor: 'user 4711' } },
    });
  });

  test('starts nothing anew: a stopped recording does not hear the sequence again', async () => {
    const call = await accept(true);
    dial(call, '*1*1');
    await until(() => said().includes('ended'));
    expect(said()).toEqual(['opened', 'stopping', 'ended']);
  });
});

test('a stop before any audio leaves no recording, and says why', async () => {
  media.result = { files: [], legs: [] };
  const call = await accept(true);
  dial(call, '*1');
  await until(() => said().includes('failed'));
  expect(journal.events.at(-1)).toMatchObject({ reason: 'stopped', detail: 'stopped before any audio' });
});

test('another communication session in the dialog of a stopped call is another call', async () => {
  const call = await accept(true);
  await recorder.stop(call.id, 'admin-token');
  const next = await recorder.succeed(call, aCall());
  expect(next.id).not.toBe(call.id);
  expect(recorder.running().map(({ id }) => id)).toEqual([next.id]);
});

test('an operator stops what the rule allows, at the moment of the order', async () => {
  const [allowed, not] = [await accept(true), await accept(false)];
  expect(recorder.running()).toMatchObject([
    { id: allowed.id, decision: { mayStop: true }, facts: { trunk: 'test' }, paused: [] },
    { id: not.id, decision: { mayStop: false } },
  ]);
  clock = 9000;
  expect(await recorder.stop(allowed.id, 'admin-token')).toBe('stopped');
  expect(await recorder.stop(not.id, 'admin-token')).toBe('not-allowed');
  expect(await recorder.stop(allowed.id, 'admin-token')).toBeUndefined();
  expect(media.cuts).toEqual([[allowed.id, 9000]]);
});

test('other keys are written down only where the configuration says so', async () => {
  const call = await accept(true);
  dial(call, '4711#');
  await call.end('bye');
  expect(JSON.stringify(journal.events)).not.toMatch(/key pressed|4711#/);
  recorder = withKeys('*1', true);
  const other = await accept(true);
  dial(other, '47');
  await other.end('bye');
  expect(said().filter((line) => line.startsWith('key'))).toEqual([
    'key pressed: 4, callee',
    'key pressed: 7, callee',
  ]);
});

describe('tones in the audio', () => {
  test('are listened for only where the option is on and the rule allows a stop', async () => {
    await accept(true);
    recorder = withKeys('*1', false, true);
    await accept(false);
    await accept(true);
    expect(media.opened.map(({ tones }) => tones)).toEqual([false, false, true]);
  });

  test('stop like telephone events do, and the two are not mixed into one sequence', async () => {
    recorder = withKeys('*1', false, true);
    const { id } = await accept(true);
    media.press(id, { key: '*', at: 5400, line: 1 });
    media.press(id, { key: '1', at: 5500, line: 1, tone: true });
    media.press(id, { key: '*', at: 5800, line: 1, tone: true });
    media.press(id, { key: '1', at: 6100, line: 1, tone: true });
    await until(() => said().includes('ended'));
    expect(media.cuts).toEqual([[id, 5800]]);
    expect(journal.events.at(-1)).toMatchObject({ capture: { stopped: { at: 5800, how: 'tones' } } });
  });

  test('of the other side stop nothing', async () => {
    recorder = withKeys('*1', false, true);
    const { id } = await accept(true);
    media.press(id, { key: '*', at: 5400, line: 0, tone: true });
    media.press(id, { key: '1', at: 5700, line: 0, tone: true });
    await until(() => said().length > 1);
    expect(said()).toEqual(['opened', 'stop refused: +4930555010 is not the recorded user']);
  });
});

describe('the sequence', () => {
  test('is found among other keys, and begins with its own first key', () => {
    const keys = new StopKeys('*1');
    expect(['5', '*', '*', '1'].map((key, at) => keys.take(key, at * 100, { line: 0 }))).toEqual([
      undefined,
      undefined,
      undefined,
      200,
    ]);
  });

  test('is not put together of two lines, nor over a pause of more than three seconds', () => {
    const keys = new StopKeys('*1');
    keys.take('*', 0, { line: 0 });
    expect(keys.take('1', 100, { line: 1 })).toBeUndefined();
    expect(keys.take('1', 3101, { line: 0 })).toBeUndefined();
    keys.take('*', 4000, { line: 0 });
    expect(keys.take('1', 7000, { line: 0 })).toBe(4000);
  });

  test('may be longer, and of any keys', () => {
    const keys = new StopKeys('##9A');
    expect(['#', '#', '#', '9', 'A'].map((key, at) => keys.take(key, at * 100))).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      100,
    ]);
  });
});

test('what was recorded until then is stated while the call runs, and no longer when it was stopped', async () => {
  await accept(true);
  const [recording = ''] = recorder.running().map(({ id }) => id);
  const segment = { file: '.wav', n: 1, bytes: 9_600_000, sha256: 'cd'.repeat(32) };
  const stated = () => journal.events.filter(({ type }) => type === 'segment');
  media.tellSegment(recording, segment);
  const stopped = recorder.stop(recording, 'api:anna');
  media.tellSegment(recording, { ...segment, n: 2, bytes: 19_200_000 });
  await stopped;
  media.tellSegment(recording, { ...segment, n: 2, bytes: 19_200_000 });
  media.tellSegment('another', segment);
  expect(stated()).toEqual([{ type: 'segment', at: clock, recording, ...segment }]);
});
