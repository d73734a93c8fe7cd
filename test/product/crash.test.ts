import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { placeCall, type CallOptions, type CallReport } from '../../src/client/call.ts';
import { CALLEE_VOICE, CALLER_VOICE, speakTones } from '../../src/client/tones.ts';
import { LONG } from '../support/long-run.ts';
import { ProductRoom } from '../support/product-room.ts';
import type { RecorderProcess, startRecorder } from '../support/recorder-process.ts';
import { awaitRecordings, recordingsIn, verifyNode } from '../support/sealed-recording.ts';
import { readWav } from '../support/wav.ts';

const SECONDS = 4;
/** What was running is sealed, and that is all: calls that go on are `resumed-calls.test.ts`. */
const NOT_RESUMED = { sip: { listen: ['udp://127.0.0.1:0', 'tcp://127.0.0.1:0'], resume: { seconds: 0 } } };
const caller = speakTones(CALLER_VOICE, SECONDS, 'PCMA');
const callee = speakTones(CALLEE_VOICE, SECONDS, 'PCMA');

let room: ProductRoom;

beforeEach(() => {
  room = new ProductRoom();
});

afterEach(() => room.close());

const start = (setup?: Parameters<typeof startRecorder>[0]): Promise<RecorderProcess> => room.start(setup);

const call = (recorder: RecorderProcess, change: Partial<CallOptions> = {}): Promise<CallReport> =>
  placeCall({
    to: `sip:127.0.0.1:${recorder.udpPort}`,
    caller: { number: '100', law: 'PCMA', audio: caller },
    callee: { number: '200', law: 'PCMA', audio: callee },
    timers: { t1: 100, timeout: 1000 },
    ...change,
  });

test('killed in mid-call: the next start seals what was heard up to the last second, flagged', async () => {
  const first = await start();
  const step = new Promise<void>((resolve) => {
    void call(first, {
      onStep: (name) => {
        if (name === 'answered') resolve();
      },
    }).catch(() => undefined);
  });
  await step;
  await new Promise((resolve) => setTimeout(resolve, 3000));
  await first.kill();

  const second = await start({ dataDir: first.dataDir, config: NOT_RESUMED });
  const [recording] = await awaitRecordings(second.archive, 1);
  expect(recording?.info.get('Status')).toBe('recovered');
  const wav = readWav(recording?.path('.wav') ?? '');
  const [left] = wav.audio as [Buffer];
  expect(left.length / 8000).toBeGreaterThan(1.9);
  const begin = left.indexOf(caller.subarray(0, 160));
  expect(begin).toBeGreaterThanOrEqual(0);
  expect(left.subarray(begin, begin + 12_000)).toEqual(caller.subarray(0, 12_000));
  expect(await second.stop()).toBe(0);
  const verdict = verifyNode(second.archive);
  expect(`${verdict.status} ${verdict.output}`).toMatch(/^0 /);
});

// The crash test of the seal itself has more points than these; all six with SEALTAPE_TEST_LONG.
const STEPS = ['digested', 'signed', 'intent', 'texts', 'audio', 'logged'];

test.each(LONG ? STEPS : ['intent', 'audio'])(
  'killed in mid-seal after the step "%s": sealed once at the next start, chain whole',
  async (step) => {
    const first = await start({ env: { SEALTAPE_TEST_CRASH_AT: step } });
    const died = once(first.child, 'exit');
    void call(first, { hangUpAfter: 600 }).catch(() => undefined);
    await died;

    const second = await start({ dataDir: first.dataDir });
    const [recording] = await awaitRecordings(second.archive, 1, 10_000);
    expect(recording?.info.get('Status')).toBe('complete');
    expect(await second.stop()).toBe(0);
    expect(recordingsIn(second.archive)).toHaveLength(1);
    const verdict = verifyNode(second.archive);
    expect(`${verdict.status} ${verdict.output}`).toMatch(/^0 /);
  },
  60_000,
);

test('Redis killed and emptied in mid-call: the recording is sealed and delivered all the same, once', async () => {
  const recorder = await start();
  const answered = new Promise<CallReport>((resolve, reject) => {
    call(recorder, {
      onStep: (name) => {
        if (name === 'answered') killRedis(recorder);
      },
    }).then(resolve, reject);
  });
  await answered;
  const [recording] = await awaitRecordings(recorder.archive, 1, 25_000);
  expect(recording?.info.get('Status')).toBe('complete');
  expect(await recorder.stop()).toBe(0);
  expect(recordingsIn(recorder.archive)).toHaveLength(1);
  const verdict = verifyNode(recorder.archive);
  expect(`${verdict.status} ${verdict.output}`).toMatch(/^0 /);
}, 60_000);

function killRedis(recorder: RecorderProcess): void {
  const folder = join(recorder.dataDir, 'redis');
  const pid = Number(readFileSync(join(folder, 'redis.pid'), 'utf8'));
  process.kill(pid, 'SIGKILL');
  rmSync(join(folder, 'appendonlydir'), { recursive: true, force: true });
}

test('stopped in mid-call: the recording is closed, sealed, delivered and the chain closed, within thirty seconds', async () => {
  const recorder = await start();
  const running = call(recorder, {
    onStep: (name) => {
      if (name === 'answered') setTimeout(() => recorder.child.kill('SIGTERM'), 1000);
    },
  });
  const [code] = (await once(recorder.child, 'exit')) as [number | null];
  expect(code).toBe(0);
  expect((await running).outcome).toBe('ended-by-server');
  const [recording] = recordingsIn(recorder.archive);
  expect(recording?.info.get('Status')).toBe('interrupted');
  const verdict = verifyNode(recorder.archive);
  expect(`${verdict.status} ${verdict.output}`).toMatch(/^0 /);
});

test('a second signal ends it at once, and the next start recovers', async () => {
  const first = await start();
  await new Promise<void>((resolve) => {
    void call(first, {
      onStep: (name) => {
        if (name === 'answered') setTimeout(resolve, 1500);
      },
    }).catch(() => undefined);
  });
  first.child.kill('SIGTERM');
  first.child.kill('SIGINT');
  await once(first.child, 'exit');
  const second = await start({ dataDir: first.dataDir, config: NOT_RESUMED });
  const [recording] = await awaitRecordings(second.archive, 1);
  expect(['recovered', 'interrupted']).toContain(recording?.info.get('Status'));
  expect(await second.stop()).toBe(0);
  const verdict = verifyNode(second.archive);
  expect(`${verdict.status} ${verdict.output}`).toMatch(/^0 /);
});
