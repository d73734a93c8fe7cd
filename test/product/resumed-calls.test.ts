import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CALLEE_VOICE, CALLER_VOICE, speakTones } from '../../src/client/tones.ts';
import { freePort } from '../support/free-port.ts';
import { answeredCall, entryTypes, expectIntact, pause, ProductRoom } from '../support/product-room.ts';
import { eventually, type RecorderProcess } from '../support/recorder-process.ts';
import { awaitRecordings, type SealedRecording } from '../support/sealed-recording.ts';
import { readWav } from '../support/wav.ts';

/** Longer than any restart; the call is hung up once it has gone on for a while. */
const SECONDS = 60;
/** A-law. */
const SILENCE = 0xd5;
const CALLER = speakTones(CALLER_VOICE, SECONDS, 'PCMA');
const CALLEE = speakTones(CALLEE_VOICE, SECONDS, 'PCMA');

let room: ProductRoom;
let config: Record<string, unknown>;

beforeEach(async () => {
  room = new ProductRoom();
  config = { sip: { listen: [`udp://127.0.0.1:${await freePort()}`] } };
});

afterEach(() => room.close());

/** A call that goes on whatever becomes of its recorder; resolves when it has been recorded for a while and its dialog is kept. */
async function runningCall(recorder: RecorderProcess, signal: AbortSignal) {
  const call = await answeredCall(recorder, {
    signal,
    caller: { number: '100', law: 'PCMA', audio: CALLER },
    callee: { number: '200', law: 'PCMA', audio: CALLEE },
  });
  await pause(1500);
  const file = join(recorder.dataDir, 'dialogs.jsonl');
  await eventually(
    () => (existsSync(file) && readFileSync(file, 'utf8').includes('"pauses"')) || undefined,
    10_000,
  );
  return call;
}

const infoOf = (recording: SealedRecording | undefined, key: string): string =>
  recording?.info.get(key) ?? '';

/** What a channel has from its first sound to the last octet that was sent, and the same stretch of what was sent. */
function stretches(sent: Buffer, channel: Buffer): readonly [heard: Buffer, sent: Buffer] {
  const from = channel.findIndex((octet) => octet !== SILENCE);
  const tail = sent.subarray(-4000);
  const end = channel.lastIndexOf(tail) + tail.length;
  return [channel.subarray(from, end), sent.subarray(sent.length - (end - from))];
}

test('a call outlives its recorder (DLG-11): killed and started again, it keeps what comes then, and answers the BYE', async () => {
  const first = await room.start({ config });
  const hangUp = new AbortController();
  const { over } = await runningCall(first, hangUp.signal);
  await first.kill();

  const second = await room.start({ dataDir: first.dataDir, config });
  await pause(2500);
  hangUp.abort();
  const report = await over;
  expect(report).toMatchObject({ outcome: 'completed', byeStatus: 200 });
  const parts = await awaitRecordings(second.archive, 2, 20_000);
  const before = parts.find(({ info }) => info.get('Status') === 'recovered');
  const after = parts.find(({ info }) => info.get('Status') === 'complete');
  expect([before, after].map((part) => infoOf(part, 'SIP-Call-ID'))).toEqual([report.callId, report.callId]);
  expect(infoOf(after, 'Continues')).toBe(infoOf(before, 'Recording-Id'));
  expect(infoOf(before, 'Continued-By')).toBe(infoOf(after, 'Recording-Id'));
  expect(infoOf(after, 'Interrupted')).toMatch(/^\d{4}-.*Z to \d{4}-.*Z$/);
  expect(infoOf(after, 'Caller-Number')).toBe(infoOf(before, 'Caller-Number'));

  // From the first packet after the restart to the last one of the call, octet by octet.
  const [left, right] = readWav(after?.path('.wav') ?? '').audio as [Buffer, Buffer];
  for (const [index, sent, channel] of [
    [0, CALLER, left],
    [1, CALLEE, right],
  ] as const) {
    const octets = 160 * (report.legs[index]?.packets ?? 0);
    const [heard, whole] = stretches(Buffer.from(sent).subarray(0, octets), channel);
    expect(heard.length).toBeGreaterThan(8000);
    expect(heard.equals(whole)).toBe(true);
  }

  expect(await second.stop()).toBe(0);
  expect(
    entryTypes(second.archive).filter((type) => ['open', 'recovered', 'recording', 'failed'].includes(type)),
  ).toEqual(expect.arrayContaining(['open', 'open', 'recovered', 'recording', 'recording']));
  expect(entryTypes(second.archive).filter((type) => type === 'open' || type === 'failed')).toHaveLength(2);
  expectIntact(second.archive);
  // Nothing is left to be taken up.
  const last = readFileSync(join(first.dataDir, 'dialogs.jsonl'), 'utf8').trim().split('\n').at(-1);
  expect(['', null]).toContain(last === '' ? '' : (JSON.parse(last ?? '') as { state: unknown }).state);
}, 90_000);
