import type { AlarmBell } from '../alarm.ts';
import type { RecordingRow } from '../jobs/ports.ts';
import type { LegVerdict, VerdictWord } from '../media/verdict.ts';

/** How the legs of sealed recordings were judged: counted, and an alarm for a trunk whose latest recording has a faulty leg. */
export class LegVerdicts {
  readonly #bell: AlarmBell;
  readonly #counts: Record<VerdictWord, number> = { good: 0, degraded: 0, faulty: 0 };

  constructor(bell: AlarmBell) {
    this.#bell = bell;
  }

  /** Since the start of the process. */
  get counts(): Readonly<Record<VerdictWord, number>> {
    return { ...this.#counts };
  }

  readonly take = (row: RecordingRow, verdicts: readonly LegVerdict[]): void => {
    for (const { word } of verdicts) this.#counts[word]++;
    const faulty = verdicts.find(({ word }) => word === 'faulty');
    const { trunk, callId } = row.facts;
    if (faulty === undefined) {
      if (verdicts.length > 0) this.#bell.clear('leg-faulty', trunk);
      return;
    }
    this.#bell.raise({
      code: 'leg-faulty',
      subject: trunk,
      severity: 'warning',
      text: `The ${faulty.role} of recording ${row.id} (call ${callId}, trunk ${trunk}) is faulty: ${faulty.reasons[0] ?? 'unknown'}`,
      fields: { recording: row.id, call: callId, leg: faulty.role },
    });
  };
}
