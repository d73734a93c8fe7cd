import { expect, test } from '@jest/globals';
import { rmSync } from 'node:fs';
import { placeCall } from '../../src/client/call.ts';
import { CALLEE_VOICE, CALLER_VOICE, speakTones } from '../../src/client/tones.ts';
import { startRecorder } from '../support/recorder-process.ts';
import { awaitRecordings, findOctets, verifyNode } from '../support/sealed-recording.ts';
import { readWav } from '../support/wav.ts';

const CALLS = 50;
const SECONDS = 20;

test(`${CALLS} calls of ${SECONDS} s at once: no packet lost, all sealed, all provable`, async () => {
  const recorder = await startRecorder();
  try {
    const caller = speakTones(CALLER_VOICE, SECONDS, 'PCMA');
    const callee = speakTones(CALLEE_VOICE, SECONDS, 'PCMA');
    const reports = await Promise.all(
      Array.from({ length: CALLS }, (_none, index) =>
        placeCall({
          to: `sip:127.0.0.1:${recorder.udpPort}`,
          caller: { number: `${1000 + index}`, law: 'PCMA', audio: caller },
          callee: { number: `${2000 + index}`, law: 'PCMA', audio: callee },
        }),
      ),
    );
    expect(reports.map((report) => report.outcome)).toEqual(Array.from({ length: CALLS }, () => 'completed'));
    const recordings = await awaitRecordings(recorder.archive, CALLS, 20_000);
    expect(recordings).toHaveLength(CALLS);
    for (const recording of recordings) {
      const [left, right] = readWav(recording.path('.wav')).audio as [Buffer, Buffer];
      expect(findOctets(left, caller, 'PCMA')).toBeGreaterThanOrEqual(0);
      expect(findOctets(right, callee, 'PCMA')).toBeGreaterThanOrEqual(0);
    }
    const metrics = await (await fetch(`${recorder.web}/metrics`)).text();
    const cpu = Number(/^process_cpu_seconds_total ([\d.]+)/m.exec(metrics)?.[1]);
    const audioHours = (CALLS * SECONDS) / 3600;
    // A figure for the reader of the test's output, not a limit: machines differ.
    process.stdout.write(
      `${CALLS} calls of ${SECONDS} s: ${cpu.toFixed(1)} CPU seconds of the recorder, ${(cpu / audioHours).toFixed(0)} a recorded hour\n`,
    );
    expect(cpu).toBeGreaterThan(0);
    expect(await recorder.stop()).toBe(0);
    const verdict = verifyNode(recorder.archive);
    expect(`${verdict.status} ${verdict.output}`).toMatch(/^0 /);
  } finally {
    await recorder.kill();
    rmSync(recorder.dataDir, { recursive: true });
  }
}, 120_000);
