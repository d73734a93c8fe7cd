import type { SealedEntry } from './call-check.ts';
import type { ReadEntry } from './chain-check.ts';
import type { TombstoneBody, TombstonePendingBody } from './entry-types.ts';
import { fault, note, type Finding } from './finding.ts';

/** What the log says about the end of a recording. */
export interface Deletion {
  /** Index of the `tombstone` or `tombstone-pending` entry. */
  readonly index: number;
  /** At least one destination still had it. */
  readonly pending: boolean;
  readonly reason: string;
  readonly time: string;
}

/** A day begins up to this many milliseconds earlier somewhere than in UTC. */
const EARLIEST_ZONE = 14 * 3_600_000;

/** Follows holds and deletions: nothing is deleted before it is due or while it is held (evidence.md 1.9). */
export class DeletionCheck {
  readonly findings: Finding[] = [];
  /** By the recording's UUID. */
  readonly deletions = new Map<string, Deletion>();
  readonly #recordings: ReadonlyMap<number, SealedEntry>;
  /** Held recordings or selectors with the case they are held for. */
  readonly #holds = new Set<string>();

  /** `recordings` are those read so far, by index. */
  constructor(recordings: ReadonlyMap<number, SealedEntry>) {
    this.#recordings = recordings;
  }

  add(entry: ReadEntry): void {
    const { body } = entry;
    if (body.type === 'hold') this.#holds.add(`${body.of} ${body.caseHash}`);
    else if (body.type === 'release') this.#release(entry, `${body.of} ${body.caseHash}`);
    else if (body.type === 'tombstone' || body.type === 'tombstone-pending') this.#delete(entry, body);
  }

  #release({ header, file }: ReadEntry, hold: string): void {
    if (!this.#holds.delete(hold))
      this.findings.push(
        fault('SEQUENCE_INVALID', file, `entry ${header.index} releases what no entry before it holds`),
      );
  }

  #delete({ header, file }: ReadEntry, body: TombstoneBody | TombstonePendingBody): void {
    const { index, time } = header;
    const sealed = this.#recordings.get(body.ofIndex);
    if (sealed?.body.rec !== body.rec)
      this.findings.push(
        fault(
          'DELETION_INVALID',
          file,
          `entry ${index}: entry ${body.ofIndex} is not that of recording ${body.rec}`,
        ),
      );
    else this.#checkDue({ file, index, time }, body, sealed.body.retain);
    this.#checkHolds(file, index, body.rec);
    const pending = body.type === 'tombstone-pending';
    this.deletions.set(body.rec, { index, pending, reason: body.reason, time });
  }

  #checkDue(
    { file, index, time }: { readonly file: string; readonly index: number; readonly time: string },
    body: TombstoneBody | TombstonePendingBody,
    retain: string,
  ): void {
    const due = retain === 'none' ? body.due : (retain.split(' ')[1] ?? '-');
    if (due === '-' || Date.parse(time) + EARLIEST_ZONE >= Date.parse(due)) return;
    const detail = `entry ${index}: recording ${body.rec} was deleted on ${time.slice(0, 10)}, to be kept until ${due}`;
    this.findings.push(
      // What somebody ordered is stated, by whom and why, in the entry; only a deletion for its time has to wait for it.
      body.reason === 'order' || body.reason === 'erasure'
        ? note('DELETED', file, `${detail}; by ${body.reason}`)
        : fault('DELETION_EARLY', file, `${detail}; reason ${body.reason}`),
    );
  }

  #checkHolds(file: string, index: number, rec: string): void {
    const held = [...this.#holds].map((hold) => hold.split(' ')[0]);
    if (held.includes(rec))
      this.findings.push(
        fault('DELETION_HELD', file, `entry ${index}: recording ${rec} was deleted while it was held`),
      );
    else if (held.some((of) => of?.length === 64))
      this.findings.push(
        note(
          'HELD_BY_SELECTOR',
          file,
          `entry ${index}: recording ${rec} was deleted while others were held by a selector; whether it was one of them, the log cannot tell`,
        ),
      );
  }
}
