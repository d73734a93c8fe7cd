import { expect, test } from '@jest/globals';
import type { RecordingRow } from '../../src/jobs/ports.ts';
import type { LegVerdict } from '../../src/media/verdict.ts';
import { Alarms } from '../../src/service/alarms.ts';
import { LegVerdicts } from '../../src/service/leg-verdicts.ts';

const row = (id: string, trunk: string): RecordingRow =>
  ({ id, facts: { trunk, callId: `call of ${id}` } }) as unknown as RecordingRow;
const leg = (line: number, word: LegVerdict['word'], ...reasons: string[]): LegVerdict => ({
  line,
  role: line === 0 ? 'caller' : 'callee',
  word,
  reasons,
});

test('a faulty leg is counted and rings for its trunk, until a recording of that trunk is without', () => {
  const alarms = new Alarms(() => undefined);
  const verdicts = new LegVerdicts(alarms);
  verdicts.take(row('r1', 'sbc1'), [
    leg(0, 'good'),
    leg(1, 'faulty', 'one-way audio: nothing came on this leg'),
  ]);
  verdicts.take(row('r2', 'sbc2'), [leg(0, 'degraded', 'jitter up to 300 ms'), leg(1, 'good')]);
  expect(verdicts.counts).toEqual({ good: 2, degraded: 1, faulty: 1 });
  expect(alarms.active).toEqual([
    expect.objectContaining({
      code: 'leg-faulty',
      subject: 'sbc1',
      severity: 'warning',
      text: 'The callee of recording r1 (call call of r1, trunk sbc1) is faulty: one-way audio: nothing came on this leg',
      fields: { recording: 'r1', call: 'call of r1', leg: 'callee' },
    }),
  ]);
  // Another trunk's good call says nothing about this one, and a recording without any leg neither.
  verdicts.take(row('r3', 'sbc2'), [leg(0, 'good')]);
  verdicts.take(row('r4', 'sbc1'), []);
  expect(alarms.active).toHaveLength(1);
  verdicts.take(row('r5', 'sbc1'), [leg(0, 'good'), leg(1, 'degraded', 'jitter')]);
  expect(alarms.active).toEqual([]);
});
