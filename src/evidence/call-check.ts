import type { ReadEntry } from './chain-check.ts';
import type { RecordingBody } from './entry.ts';
import { STATEMENTS_LOST, type OutageBody } from './entry-types.ts';
import { fault, note, type Finding } from './finding.ts';

/** A `recording` entry, as far as the recordings are compared with it. */
export interface SealedEntry {
  readonly index: number;
  readonly file: string;
  readonly key: string;
  /** SHA-256 of the entry's bytes, hex. */
  readonly hash: string;
  readonly body: RecordingBody;
  /** Index and signature hash of the `recording` entry before it in the log. */
  readonly previous: { readonly index: number; readonly sig: string } | undefined;
}

interface OpenCall {
  readonly rec: string;
  readonly file: string;
  /** Restarts of the recorder since. */
  restarts: number;
}

const WHOLE: ReadonlySet<string> = new Set(['stop', 'crash', 'restore']);

/** Only when the recorder did not run is it sure that nothing was recorded. */
function outageText({ from, to, cause, clean }: OutageBody): string {
  if (WHOLE.has(cause)) return `nothing could be recorded from ${from} to ${to}: ${cause}`;
  if (cause.startsWith(STATEMENTS_LOST))
    return `not all that happened from ${from} to ${to} could be written down: ${cause}`;
  const until = clean ? '' : ', or longer: the recorder ended first';
  return `${cause} did not work from ${from} to ${to}${until}`;
}

/** The first restart finishes or fails what it finds open; a second one must find nothing of it. */
const RESTARTS_ALLOWED = 1;

/** Follows the calls through the log: every `open` is closed by exactly one `recording` or `failed`; runs begin and end in order. */
export class CallCheck {
  readonly findings: Finding[] = [];
  readonly recordings = new Map<number, SealedEntry>();
  readonly #open = new Map<number, OpenCall>();
  readonly #ended = new Set<string>();
  #lastSealed: SealedEntry | undefined;
  #closed: string | undefined;

  add(entry: ReadEntry): void {
    const { header, body, file } = entry;
    this.#checkRun(entry);
    switch (body.type) {
      case 'open':
        this.#open.set(header.index, { rec: body.rec, file, restarts: 0 });
        return;
      case 'recording':
        this.#end(entry, body);
        this.#seal(entry, body);
        return;
      case 'failed':
        this.#end(entry, body);
        return;
      case 'outage':
        if (body.cause === 'stop' || body.cause === 'crash')
          for (const call of this.#open.values()) call.restarts += 1;
        this.findings.push(note('OUTAGE', file, outageText(body)));
        return;
      case 'unknown':
        this.findings.push(
          note('UNKNOWN_TYPE', file, `entry ${header.index} has the type ${body.name}, not known here`),
        );
        return;
      default:
        return;
    }
  }

  /** States what is still open. */
  finish(): void {
    for (const [index, { rec, file, restarts }] of this.#open)
      this.findings.push(
        restarts > RESTARTS_ALLOWED
          ? fault(
              'OPEN_NOT_CLOSED',
              file,
              `recording ${rec}, opened by entry ${index}, was never sealed or failed`,
            )
          : note(
              'STILL_OPEN',
              file,
              `recording ${rec}, opened by entry ${index}, is not finished where the log ends`,
            ),
      );
  }

  #checkRun({ header, body, file }: ReadEntry): void {
    const invalid = (detail: string): void => {
      this.findings.push(fault('SEQUENCE_INVALID', file, `entry ${header.index}: ${detail}`));
    };
    if ((body.type === 'genesis') !== (header.index === 0))
      invalid('genesis is the first entry and only that');
    if (this.#closed === '-' && !(body.type === 'outage' && body.clean))
      invalid('after close only the outage until the next start can follow');
    if (this.#closed !== undefined && this.#closed !== '-')
      invalid(`the log had been continued as ${this.#closed}`);
    this.#closed = body.type === 'close' ? body.nextOrigin : undefined;
  }

  #end({ header, file }: ReadEntry, { rec, open }: { readonly rec: string; readonly open: number }): void {
    const call = this.#open.get(open);
    if (call?.rec === rec) this.#open.delete(open);
    else
      this.findings.push(
        this.#ended.has(rec)
          ? fault('RECORDING_TWICE', file, `entry ${header.index} ends recording ${rec} a second time`)
          : fault(
              'SEQUENCE_INVALID',
              file,
              `entry ${header.index}: entry ${open} does not open recording ${rec}`,
            ),
      );
    this.#ended.add(rec);
  }

  #seal({ header, file, hash }: ReadEntry, body: RecordingBody): void {
    const before = this.#lastSealed;
    const previous = before === undefined ? undefined : { index: before.index, sig: before.body.sig };
    this.#lastSealed = { index: header.index, file, key: header.key, hash, body, previous };
    this.recordings.set(header.index, this.#lastSealed);
  }
}
