import { expect, test } from '@jest/globals';
import { rmSync } from 'node:fs';
import { placeCall } from '../../src/client/call.ts';
import { CALLEE_VOICE, CALLER_VOICE, speakTones } from '../../src/client/tones.ts';
import { startRecorder } from '../support/recorder-process.ts';
import { awaitRecordings, findOctets } from '../support/sealed-recording.ts';
import { readWav } from '../support/wav.ts';

test.each(['batch', 'dgram'])(
  'a call over IPv6 is recorded like any other (receiver %s)',
  async (receiver) => {
    const recorder = await startRecorder({
      config: {
        sip: { listen: ['udp://[::1]:0', 'tcp://[::1]:0'] },
        media: { ports: '32100-32399', receiver },
      },
    });
    try {
      const port = Number(/udp:\/\/\[::1\]:(\d+)/.exec(recorder.output().banner)?.[1]);
      const caller = speakTones(CALLER_VOICE, 1, 'PCMA');
      const callee = speakTones(CALLEE_VOICE, 1, 'PCMA');
      const report = await placeCall({
        to: `sip:[::1]:${port}`,
        caller: { number: '1', law: 'PCMA', audio: caller },
        callee: { number: '2', law: 'PCMA', audio: callee },
      });
      expect(report.legs.map((leg) => leg.sentTo)).toEqual([
        expect.stringContaining('[::1]:'),
        expect.stringContaining('[::1]:'),
      ]);
      const [recording] = await awaitRecordings(recorder.archive, 1);
      const [left, right] = readWav(recording?.path('.wav') ?? '').audio as [Buffer, Buffer];
      expect(findOctets(left, caller, 'PCMA')).toBeGreaterThanOrEqual(0);
      expect(findOctets(right, callee, 'PCMA')).toBeGreaterThanOrEqual(0);
      expect(await recorder.stop()).toBe(0);
    } finally {
      await recorder.kill();
      rmSync(recorder.dataDir, { recursive: true });
    }
  },
);
