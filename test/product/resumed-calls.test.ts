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
const SECONDS = 180;
/** A-law. */
const SILENCE = 0xd5;
const CALLER = speakTones(CALLER_VOICE, SECONDS, 'PCMA');
const CALLEE = speakTones(CALLEE_VOICE, SECONDS, 'PCMA');

let room: ProductRoom;
let config: Record<string, unknown>;

beforeEach(async () => {
  room = new ProductRoom();
  config = { sip: { listen: [`udp://127.0.0.1:${await freePort()}`], resume: { afterStop: true } } };
});

afterEach(() => room.close());

function book(dataDir: string): string {
  const file = join(dataDir, 'dialogs.jsonl');
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

/** A call that goes on whatever becomes of its recorder; resolves when it has been recorded for a while and its dialog is kept. */
async function runningCall(recorder: RecorderProcess, signal: AbortSignal) {
  const call = await answeredCall(recorder, {
    signal,
    caller: { number: '100', law: 'PCMA', audio: CALLER },
    callee: { number: '200', law: 'PCMA', audio: CALLEE },
  });
  await pause(1500);
  await eventually(() => book(recorder.dataDir).includes('"pauses"') || undefined, 10_000);
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

test('a call outlives its recorder twice (DLG-11): killed, then stopped for an upgrade, it keeps what comes then, and answers the BYE', async () => {
  const first = await room.start({ config });
  const hangUp = new AbortController();
  const { over } = await runningCall(first, hangUp.signal);
  await first.kill();

  // The newest line counts; older ones stay for a while.
  const keptPart = (): string =>
    [...book(first.dataDir).matchAll(/"recording":"([^"]+)"/g)].at(-1)?.[1] ?? '';
  const before = keptPart();
  const second = await room.start({ dataDir: first.dataDir, config });
  // The second part has begun when it is what the next start would go on with.
  await eventually(() => keptPart() !== before || undefined, 20_000);
  expect(await second.stop()).toBe(0);

  const third = await room.start({ dataDir: first.dataDir, config });
  await pause(2500);
  hangUp.abort();
  const report = await over;
  expect(report).toMatchObject({ outcome: 'completed', byeStatus: 200 });
  const parts = await awaitRecordings(third.archive, 3, 20_000);
  const [killed, stopped, last] = ['recovered', 'interrupted', 'complete'].map((status) =>
    parts.find(({ info }) => info.get('Status') === status),
  );
  for (const part of parts) expect(infoOf(part, 'SIP-Call-ID')).toBe(report.callId);
  expect(infoOf(stopped, 'Continues')).toBe(infoOf(killed, 'Recording-Id'));
  expect(infoOf(killed, 'Continued-By')).toBe(infoOf(stopped, 'Recording-Id'));
  expect(infoOf(last, 'Continues')).toBe(infoOf(stopped, 'Recording-Id'));
  for (const part of [stopped, last]) {
    expect(infoOf(part, 'Interrupted')).toMatch(/^\d{4}-.*Z to \d{4}-.*Z$/);
    expect(infoOf(part, 'Caller-Number')).toBe(infoOf(killed, 'Caller-Number'));
  }

  // From the first packet after the restart to the last one of the call, octet by octet.
  const [left, right] = readWav(last?.path('.wav') ?? '').audio as [Buffer, Buffer];
  for (const [index, sent, channel] of [
    [0, CALLER, left],
    [1, CALLEE, right],
  ] as const) {
    const octets = 160 * (report.legs[index]?.packets ?? 0);
    const [heard, whole] = stretches(Buffer.from(sent).subarray(0, octets), channel);
    expect(heard.length).toBeGreaterThan(8000);
    expect(heard.equals(whole)).toBe(true);
  }

  expect(await third.stop()).toBe(0);
  const entries = entryTypes(third.archive);
  expect(entries.filter((type) => type === 'open' || type === 'failed')).toEqual(['open', 'open', 'open']);
  expect(entries.filter((type) => type === 'recovered' || type === 'recording')).toHaveLength(4);
  expectIntact(third.archive);
  // Nothing is left to be taken up.
  const line = book(first.dataDir).trim().split('\n').at(-1);
  expect(['', null]).toContain(line === '' ? '' : (JSON.parse(line ?? '') as { state: unknown }).state);
}, 240_000);
