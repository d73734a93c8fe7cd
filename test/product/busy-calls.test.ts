import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { CALLER_VOICE, speakTones } from '../../src/client/tones.ts';
import {
  awaitRecording,
  CALLEE,
  CALLER,
  callTo,
  entriesIn,
  entryTypes,
  expectIntact,
  ProductRoom,
  recordingOf,
  spoolOf,
} from '../support/product-room.ts';
import { eventually, type RecorderProcess } from '../support/recorder-process.ts';
import { findOctets, recordingsIn } from '../support/sealed-recording.ts';
import { readWav } from '../support/wav.ts';

const room = new ProductRoom();
let recorder: RecorderProcess;

beforeAll(async () => {
  recorder = await room.start({ config: { evidence: { checkpointSeconds: 1 } } });
});

afterAll(() => room.close());

/** How many entries of a type the archive's log has; the last checkpoint brings them there. */
const count = (type: string): number => entryTypes(recorder.archive).filter((each) => each === type).length;

const spoolIsEmpty = (): Promise<true> =>
  eventually(() => (spoolOf(recorder).length === 0 ? true : undefined), 8000);

const CALLS = 20;

test(`${CALLS} calls that start and end together are ${CALLS} recordings, each with its own audio`, async () => {
  const reports = await Promise.all(
    Array.from({ length: CALLS }, (_none, index) =>
      callTo(recorder, {
        caller: { number: `${1000 + index}`, law: 'PCMA', audio: CALLER.subarray(index * 160) },
      }),
    ),
  );
  expect(reports.map(({ outcome }) => outcome)).toEqual(Array.from({ length: CALLS }, () => 'completed'));
  for (const [index, report] of reports.entries()) {
    const recording = await awaitRecording(recorder.archive, report, 10_000);
    expect(recording.info.get('Status')).toBe('complete');
    expect(recording.name).toContain(`_${1000 + index}_200_`);
    const [left, right] = readWav(recording.path('.wav')).audio as [Buffer, Buffer];
    expect(findOctets(left, Buffer.from(CALLER.subarray(index * 160)), 'PCMA')).toBeGreaterThanOrEqual(0);
    expect(findOctets(right, Buffer.from(CALLEE), 'PCMA')).toBeGreaterThanOrEqual(0);
  }
  expect(recordingsIn(recorder.archive)).toHaveLength(CALLS);
}, 40_000);

describe('calls that give no audio', () => {
  test('cancelled ones end in one entry each and leave no file', async () => {
    const before = recordingsIn(recorder.archive).length;
    const reports = await Promise.all(
      [0, 0, 0, 5, 20].map((cancelAfter) => callTo(recorder, { cancelAfter })),
    );
    expect(reports.map(({ outcome }) => outcome)).toEqual(Array.from({ length: 5 }, () => 'cancelled'));
    await spoolIsEmpty();
    await eventually(() => (count('failed') === count('open') - before ? true : undefined), 8000);
    expect(recordingsIn(recorder.archive)).toHaveLength(before);
  });

  test('those without a packet are stated as failed for want of RTP', async () => {
    const silent = new Uint8Array(0);
    const report = await callTo(recorder, {
      caller: { number: '7', law: 'PCMA', audio: silent },
      callee: { number: '8', law: 'PCMA', audio: silent },
    });
    expect(report.byeStatus).toBe(200);
    await eventually(
      () => entriesIn(recorder.archive).find((entry) => entry.get('reason') === 'no-rtp'),
      8000,
    );
    expect(recordingOf(recorder.archive, report)).toBeUndefined();
    await spoolIsEmpty();
  });
});

test('an INVITE and a BYE that come twice are one call', async () => {
  const before = recordingsIn(recorder.archive).length;
  const report = await callTo(recorder, { sendTwice: true });
  await awaitRecording(recorder.archive, report);
  expect(recordingsIn(recorder.archive)).toHaveLength(before + 1);
});

test('what is said during a pause is not recorded, but counted', async () => {
  const audio = speakTones(CALLER_VOICE, 4, 'PCMA');
  const report = await callTo(recorder, {
    caller: { number: '51', law: 'PCMA', audio },
    callee: { number: '52', law: 'PCMA', audio },
    hold: { at: 1000, until: 2500, sending: true },
  });
  const recording = await awaitRecording(recorder.archive, report);
  expect(recording.info.get('Status')).toBe('complete');
  for (const leg of ['Caller', 'Callee'])
    expect(Number(recording.info.get(`${leg}-Packets-While-Paused`))).toBeGreaterThan(60);
  expect(recording.infoText).toMatch(/paused/);
  const [left] = readWav(recording.path('.wav')).audio as [Buffer];
  const begin = left.indexOf(audio.subarray(0, 800));
  expect(begin).toBeGreaterThanOrEqual(0);
  const part = (from: number, to: number): Buffer => left.subarray(begin + from * 8000, begin + to * 8000);
  expect(part(0, 0.8)).toEqual(Buffer.from(audio.subarray(0, 0.8 * 8000)));
  expect(part(1.3, 2.3).every((octet) => octet === 0xd5)).toBe(true);
  // After a pause the stream is placed by its arrival, so by as much later as the network took.
  const resumedAt = left.indexOf(audio.subarray(2.8 * 8000, 3.9 * 8000)) - begin;
  expect(Math.abs(resumedAt / 8000 - 2.8)).toBeLessThan(0.3);
}, 20_000);

test('the archive of all this is intact', async () => {
  expect(await recorder.stop()).toBe(0);
  expect(count('open')).toBe(count('recording') + count('failed'));
  expectIntact(recorder.archive);
});
